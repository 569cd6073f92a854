import {
  CompleteFlag,
  type CompletionHandler,
  type CompletionPort,
  ioError,
  Operation,
  type Socket,
  type SocketOpenOptions,
} from '@iocp/core';
import type { Payload } from './payload.js';
import type { Opening } from './websocket.js';

/** What all peers of a run share. */
export interface PeerRun {
  readonly port: CompletionPort;
  /** Where to connect. */
  readonly target: SocketOpenOptions;
  /** What is said before the first message, if anything is. */
  readonly opening: Opening | null;
  /** Something went wrong that makes the whole run worthless. */
  fail(error: Error): void;
}

/** How to reach a server of the benchmark. */
export function targetAt(serverPort: number): SocketOpenOptions {
  return { remote: { host: '127.0.0.1', port: serverPort }, options: { noDelay: true } };
}

/**
 * One client connection, driven by completions alone: what goes wrong fails the run. It counts bytes and compares
 * contents, and otherwise does as little as it can, so that the server is the busier of the two.
 */
export abstract class Peer implements CompletionHandler {
  readonly asyncResource = null;
  protected readonly run: PeerRun;
  readonly #payload: Payload;
  #socket: Socket | null = null;
  /** Bytes of the reply that is arriving. */
  #position = 0;
  /** Messages whose reply is not complete. */
  #outstanding = 0;
  #sending = false;
  /** Messages that wait for the send in flight. */
  #waiting = 0;
  #closing = false;
  /** The answer to the opening so far; null when the connection is open. */
  #answer: string | null = null;
  /** Something has arrived, and was compared byte by byte. */
  #checked = false;

  constructor(run: PeerRun, payload: Payload) {
    this.run = run;
    this.#payload = payload;
  }

  get outstanding(): number {
    return this.#outstanding;
  }

  connect(): void {
    const { port, target } = this.run;
    this.#closing = false;
    this.#checked = false;
    this.#answer = null;
    this.#position = 0;
    this.#socket = port.open(target);
    port.submitConnect(this.#socket, this);
  }

  /** Sends messages, in one piece. */
  say(messages: number): void {
    this.expect(messages);
    if (this.#sending) this.#waiting += messages;
    else this.#send(messages);
  }

  /** So many messages will arrive. */
  expect(messages: number): void {
    this.#outstanding += messages;
  }

  /** Resets the connection; `onClosed` follows. */
  close(): void {
    if (this.#closing || this.#socket === null) return;
    this.#closing = true;
    this.run.port.submitClose(this.#socket, this, true);
  }

  protected abstract onConnected(): void;
  /** So many replies have become complete. */
  protected abstract onReplies(messages: number): void;
  protected onClosed(): void {}

  onCompletion(operation: Operation, result: number, flags: number, value: number): void {
    if (operation === Operation.RECV) this.#received(result, flags, value);
    else if (operation === Operation.SEND) this.#sent(result);
    else if (operation === Operation.CONNECT) this.#connected(result);
    else if (operation === Operation.CLOSE) this.#closed();
  }

  #connected(result: number): void {
    if (this.#closing || this.#socket === null) return;
    if (result < 0) {
      this.run.fail(ioError(result, 'connect'));
      return;
    }
    this.run.port.submitRecv(this.#socket, this);
    const { opening } = this.run;
    if (opening === null) {
      this.onConnected();
      return;
    }
    this.#answer = '';
    this.#sending = true;
    this.run.port.submitSend(this.#socket, opening.request, this);
  }

  #received(result: number, flags: number, slot: number): void {
    if (this.#closing) return;
    if (result < 0 || (flags & CompleteFlag.SLOT) === 0) {
      this.run.fail(
        result < 0 ? ioError(result, 'recv') : new Error('a connection was closed by the server'),
      );
      return;
    }
    const bytes = this.run.port.pool.view(slot, result);
    if (this.#answer === null) this.#take(bytes);
    else this.#open(this.#answer + Buffer.from(bytes).toString('latin1'));
  }

  /** @param answer as much of the answer to the opening as there is */
  #open(answer: string): void {
    const accepted = this.run.opening?.accepts(answer);
    this.#answer = accepted ? null : answer;
    if (accepted) this.onConnected();
    else if (accepted === false) this.run.fail(new Error(`the server refused: ${answer.split('\r\n', 1)}`));
  }

  #take(bytes: Uint8Array): void {
    const { replyBytes } = this.#payload;
    const end = this.#position + bytes.length;
    const complete = Math.floor(end / replyBytes);
    const matches = this.#checked
      ? this.#payload.matches(bytes, this.#position)
      : this.#payload.matchesWhole(bytes, this.#position);
    if (!matches || complete > this.#outstanding) {
      this.run.fail(new Error('something else came back than what was sent'));
      return;
    }
    this.#checked = true;
    this.#position = end - complete * replyBytes;
    this.#outstanding -= complete;
    if (complete > 0) this.onReplies(complete);
  }

  #send(messages: number): void {
    if (this.#socket === null) return;
    this.#sending = true;
    this.run.port.submitSend(this.#socket, this.#payload.segments(messages), this);
  }

  #sent(result: number): void {
    this.#sending = false;
    if (this.#closing) return;
    if (result < 0) this.run.fail(ioError(result, 'send'));
    if (result < 0 || this.#waiting === 0) return;
    const messages = this.#waiting;
    this.#waiting = 0;
    this.#send(messages);
  }

  #closed(): void {
    this.#socket = null;
    this.#outstanding = 0;
    this.#waiting = 0;
    this.onClosed();
  }
}
