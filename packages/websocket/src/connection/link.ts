/** The half of a connection that hears the channel below: bytes become messages, and the close handshake is done. */

import { isUtf8 } from 'node:buffer';
import { type Channel, leaseOwnerOf, ownCopy, type Receiver } from '@iocp/core/layer';
import { closePayload } from '../codec/close-payload.js';
import type { DecoderEvents, FrameDecoder } from '../codec/decoder.js';
import type { DecoderStock } from '../codec/decoder-stock.js';
import { CloseCode, Opcode } from '../codec/frame.js';
import { Inflater } from '../deflate/inflater.js';
import type { DeflateAgreement } from '../deflate/negotiation.js';
import { type WebSocketError, webSocketError } from '../errors.js';
import type { Patient } from './heartbeat.js';
import type { MessageFace } from './message-face.js';
import { Sender, type SenderOwner } from './sender.js';
import type { ConnectionSettings } from './settings.js';
import type { WebSocketConnection } from './websocket-connection.js';

/** How a connection came to its end. */
export interface CloseFacts {
  /** What the peer said; 1005 when its close frame had no code, 1006 when there was none. */
  readonly code: number;
  readonly reason: string;
}

export type WhenClosed = (facts: CloseFacts, error: Error | null) => void;

export interface LinkSetup {
  readonly role: 'client' | 'server';
  readonly lower: Channel;
  readonly head: readonly Uint8Array[];
  readonly deflate: DeflateAgreement | null;
  readonly settings: ConnectionSettings;
}

// Why nothing is read: it flows when there is no reason left.
export const PAUSED_BY_USER = 1 << 0;
export const PAUSED_BY_FACE = 1 << 1;
const PAUSED_UNTIL_CLAIMED = 1 << 2;
/** Policy `block`: the peer does not read what it was sent. */
const PAUSED_WHILE_FULL = 1 << 3;
const PAUSED_WHILE_INFLATING = 1 << 4;
const PAUSED =
  PAUSED_BY_USER | PAUSED_BY_FACE | PAUSED_UNTIL_CLAIMED | PAUSED_WHILE_FULL | PAUSED_WHILE_INFLATING;
// What has happened.
/** Our close frame was asked for: nothing else is sent behind it. */
const CLOSE_STARTED = 1 << 5;
const CLOSE_SENT = 1 << 6;
const CLOSE_RECEIVED = 1 << 7;
/** The peer has broken the protocol. */
const FAILED = 1 << 8;
const LOWER_ENDED = 1 << 9;
const LOWER_CLOSED = 1 << 10;
const FINISHED = 1 << 11;
const GO_ON_SCHEDULED = 1 << 12;
/** Ended here, without a close. */
const TERMINATED = 1 << 13;
/** The peer's stream has ended, and all of it was seen. */
const INPUT_OVER = 1 << 14;
/** What still comes is of no interest. */
const DEAF = CLOSE_RECEIVED | FAILED | INPUT_OVER | TERMINATED | FINISHED;
const MUTE = CLOSE_STARTED | CLOSE_SENT | FAILED | INPUT_OVER | TERMINATED | LOWER_CLOSED;

/** One connection, without its comforts. */
export class Link implements Receiver, DecoderEvents, SenderOwner, Patient {
  readonly lower: Channel;
  readonly settings: ConnectionSettings;
  readonly sender: Sender;
  silentTicks = 0;
  readonly #connection: WebSocketConnection;
  readonly #role: 'client' | 'server';
  readonly #deflate: DeflateAgreement | null;
  #face: MessageFace | null = null;
  #decoders: DecoderStock | null = null;
  /** In the middle of something. */
  #decoder: FrameDecoder | null = null;
  #inflater: Inflater | null = null;
  #state = PAUSED_UNTIL_CLAIMED;
  /** What came and was not decoded yet. */
  #held: Uint8Array | null = null;
  /** The last ping that could not be answered. */
  #unanswered: Uint8Array | null = null;
  #closeCode: number = CloseCode.ABNORMAL;
  #closeReason = '';
  #error: Error | null = null;
  #closeTimer: NodeJS.Timeout | undefined;
  #whenClosed: WhenClosed[] | null = null;
  #whenDrained: Set<(error: Error | null) => void> | null = null;

  constructor(connection: WebSocketConnection, setup: LinkSetup) {
    const { lower, settings, deflate, role, head } = setup;
    this.#connection = connection;
    this.lower = lower;
    this.settings = settings;
    this.#role = role;
    this.#deflate = deflate;
    this.sender = new Sender(lower, this, settings, role === 'client', deflate);
    if (head.length > 0) this.#held = Buffer.concat(head);
    lower.pause();
    lower.attach(this);
    settings.heartbeat?.add(this);
  }

  get claimed(): boolean {
    return this.#face !== null;
  }

  /** May messages be sent? */
  get open(): boolean {
    return (this.#state & MUTE) === 0;
  }

  get finished(): boolean {
    return (this.#state & FINISHED) !== 0;
  }

  claim(face: MessageFace): void {
    this.#face = face;
    this.#decoders = this.settings.decoderStock({
      role: this.#role,
      parts: face.parts,
      deflate: this.#deflate !== null,
      memory: this.lower.writeMemory ?? null,
    });
    if (this.finished) queueMicrotask(() => this.#tellClosed());
    else this.letFlow(PAUSED_UNTIL_CLAIMED);
  }

  holdBack(reason: number): void {
    if ((this.#state & PAUSED) === 0) {
      this.lower.pause();
      this.#decoder?.stop();
    }
    this.#state |= reason;
  }

  letFlow(reason: number): void {
    const before = this.#state;
    this.#state &= ~reason;
    if ((before & PAUSED) === 0 || (this.#state & PAUSED) !== 0) return;
    if ((this.#state & GO_ON_SCHEDULED) !== 0) return;
    // What was missed comes first, and not inside the call that asked for it.
    this.#state |= GO_ON_SCHEDULED;
    queueMicrotask(() => this.#goOn());
  }

  get listens(): boolean {
    return (this.#state & (PAUSED_BY_USER | PAUSED_BY_FACE | PAUSED_UNTIL_CLAIMED)) === 0;
  }

  // Events of the channel below.

  onData(bytes: Uint8Array): void {
    this.silentTicks = 0;
    if ((this.#state & DEAF) !== 0) return;
    if (this.#held !== null || (this.#state & PAUSED) !== 0) this.#hold(bytes);
    else this.#decode(bytes);
  }

  onEnd(): void {
    this.#state |= LOWER_ENDED;
    if (this.#caughtUp()) this.#inputEnded();
  }

  onDrain(): void {
    this.sender.lowerDrained();
  }

  onClose(error: Error | null): void {
    this.#state |= LOWER_CLOSED;
    if (error !== null && (this.#state & (DEAF | CLOSE_SENT)) === 0) this.#error ??= error;
    // Of what an orderly end has left, nothing is lost.
    if (error === null && !this.#caughtUp() && (this.#state & DEAF) === 0) return;
    this.#finish();
  }

  // Events of the decoder.

  onMessage(payload: Buffer, binary: boolean): void {
    try {
      (this.#face as MessageFace).message(this.#connection, payload, binary);
    } catch (error) {
      (this.#face as MessageFace).threw(this.#connection, error);
    }
  }

  onCompressed(payload: Buffer, binary: boolean): void {
    this.holdBack(PAUSED_WHILE_INFLATING);
    this.#inflater ??= new Inflater(this.#deflate as DeflateAgreement, this.settings.payloadBytesMax);
    this.#inflater.inflate(payload, (error, plain) => this.#inflated(error, plain, binary));
  }

  onPart(part: Buffer, binary: boolean, last: boolean): void {
    try {
      (this.#face as MessageFace).part(this.#connection, part, binary, last);
    } catch (error) {
      (this.#face as MessageFace).threw(this.#connection, error);
    }
  }

  onPing(payload: Buffer): void {
    this.#pong(payload);
    try {
      (this.#face as MessageFace).ping(this.#connection, payload);
    } catch (error) {
      (this.#face as MessageFace).threw(this.#connection, error);
    }
  }

  onPong(payload: Buffer): void {
    try {
      (this.#face as MessageFace).pong(this.#connection, payload);
    } catch (error) {
      (this.#face as MessageFace).threw(this.#connection, error);
    }
  }

  onCloseFrame(code: number, reason: string): void {
    this.#state |= CLOSE_RECEIVED;
    this.#closeCode = code;
    this.#closeReason = reason;
    if ((this.#state & CLOSE_STARTED) === 0) {
      // The same again (RFC 6455 section 5.5.1), behind what is on its way out.
      this.#sendCloseFrame(closePayload(code === CloseCode.NO_STATUS ? undefined : code, reason), true);
    } else if ((this.#state & CLOSE_SENT) !== 0) {
      this.#closeBelow();
    }
  }

  onViolation(error: WebSocketError): void {
    this.#fail(error);
  }

  // Events of the sender.

  senderFull(): void {
    if (this.settings.slowConsumer === 'block') this.holdBack(PAUSED_WHILE_FULL);
  }

  senderDrained(): void {
    const unanswered = this.#unanswered;
    if (unanswered !== null) {
      this.#unanswered = null;
      this.#pong(unanswered);
    }
    this.letFlow(PAUSED_WHILE_FULL);
    const waiting = this.#whenDrained;
    this.#whenDrained = null;
    if (this.#face !== null && this.open) {
      try {
        this.#face.drain(this.#connection);
      } catch (error) {
        this.#face.threw(this.#connection, error);
      }
    }
    if (waiting !== null) for (const each of waiting) each(null);
  }

  consumerTooSlow(waitingBytes: number): void {
    const { bufferedBytesMax } = this.settings;
    const message =
      `The peer reads too slowly: ${waitingBytes} bytes would wait for it, more than bufferedBytesMax (${bufferedBytesMax}). ` +
      "After send() has returned 'full', wait for drain";
    this.terminate(webSocketError('ERR_WS_SLOW_CONSUMER', message, CloseCode.ABNORMAL));
  }

  senderFailed(error: Error): void {
    this.terminate(error);
  }

  // Of the heartbeat.

  ask(): void {
    if (this.open) this.sender.control(Opcode.PING, nothing);
  }

  giveUp(): void {
    const { intervalMs, timeoutMs } = this.settings.heartbeat as NonNullable<ConnectionSettings['heartbeat']>;
    const message = `The peer was silent for ${intervalMs} ms, and did not answer a ping within ${timeoutMs} ms more (heartbeat)`;
    this.terminate(webSocketError('ERR_WS_HEARTBEAT_TIMEOUT', message, CloseCode.ABNORMAL));
  }

  // Ends

  /** Begins the close handshake. What was sent before goes first. */
  close(code: number | undefined, reason: string): void {
    const payload = closePayload(code, reason);
    if ((this.#state & MUTE) !== 0) return;
    this.#sendCloseFrame(payload, false);
    // The peer's answer is behind what it has sent before.
    this.#face?.closing();
    this.letFlow(PAUSED_BY_USER | PAUSED_WHILE_FULL);
  }

  /** Ends now, without a close frame. */
  terminate(reason: Error | null): void {
    if ((this.#state & (TERMINATED | FINISHED)) !== 0) return;
    this.#state |= TERMINATED;
    this.#error ??= reason;
    this.sender.stop(reason ?? closedError());
    if ((this.#state & LOWER_CLOSED) !== 0) this.#finish();
    else this.lower.abort(reason ?? undefined);
  }

  onceClosed(callback: WhenClosed): void {
    if (this.finished) {
      queueMicrotask(() => callback({ code: this.#closeCode, reason: this.#closeReason }, this.#error));
      return;
    }
    this.#whenClosed ??= [];
    this.#whenClosed.push(callback);
  }

  /** @returns forgets the waiter */
  onceDrained(callback: (error: Error | null) => void): () => void {
    if (!this.open) {
      callback(this.#error ?? closedError());
    } else if (!this.sender.full) {
      callback(null);
    } else {
      this.#whenDrained ??= new Set();
      this.#whenDrained.add(callback);
    }
    return () => this.#whenDrained?.delete(callback);
  }

  #decode(bytes: Uint8Array): void {
    this.sender.promiseFlush();
    this.#decoder ??= (this.#decoders as DecoderStock).take(this);
    const decoder = this.#decoder;
    const taken = decoder.decode(bytes);
    if ((this.#state & DEAF) === 0) {
      if (taken < bytes.byteLength) this.#hold(bytes.subarray(taken));
      if (decoder.idle) {
        this.#decoder = null;
        (this.#decoders as DecoderStock).give(decoder);
      }
    }
    this.sender.keepPromise();
  }

  #hold(bytes: Uint8Array): void {
    const own = leaseOwnerOf(bytes) === undefined ? bytes : ownCopy(bytes);
    this.#held = this.#held === null ? own : Buffer.concat([this.#held, own]);
  }

  /** Has everything that came been decoded and delivered? */
  #caughtUp(): boolean {
    return this.#held === null && (this.#state & (PAUSED | GO_ON_SCHEDULED)) === 0;
  }

  #goOn(): void {
    this.#state &= ~GO_ON_SCHEDULED;
    if ((this.#state & (PAUSED | FINISHED)) !== 0) return;
    const held = this.#held;
    this.#held = null;
    if (held !== null && (this.#state & DEAF) === 0) this.#decode(held);
    if (!this.#caughtUp()) return;
    if ((this.#state & LOWER_ENDED) !== 0) this.#inputEnded();
    if ((this.#state & LOWER_CLOSED) !== 0) this.#finish();
    else this.lower.resume();
  }

  #inflated(error: WebSocketError | null, plain: Buffer | null, binary: boolean): void {
    if ((this.#state & (FAILED | TERMINATED | FINISHED)) !== 0) return;
    this.sender.promiseFlush();
    if (error !== null) this.#fail(error);
    else this.#deliverInflated(plain as Buffer, binary);
    this.sender.keepPromise();
    this.letFlow(PAUSED_WHILE_INFLATING);
  }

  #deliverInflated(plain: Buffer, binary: boolean): void {
    if (!binary && !isUtf8(plain)) {
      this.#fail(
        webSocketError('ERR_WS_INVALID_UTF8', 'A text message is not UTF-8', CloseCode.INVALID_PAYLOAD),
      );
    } else if ((this.#face as MessageFace).parts) {
      this.onPart(plain, binary, true);
    } else {
      this.onMessage(plain, binary);
    }
  }

  #pong(payload: Uint8Array): void {
    if (!this.open) return;
    // Only the last of several needs an answer (RFC 6455 section 5.5.3), so that pings cannot fill the queue.
    if (this.sender.full) this.#unanswered = ownCopy(payload);
    else this.sender.control(Opcode.PONG, payload);
  }

  /** The peer's stream is over, and all of it was seen. */
  #inputEnded(): void {
    if ((this.#state & (DEAF | CLOSE_SENT)) === 0 && this.#decoder?.idle === false) {
      this.#error ??= webSocketError(
        'ERR_WS_TRUNCATED',
        'The stream ended in the middle of a message',
        CloseCode.ABNORMAL,
      );
    }
    this.#state |= INPUT_OVER;
    this.sender.passPending();
    this.lower.end();
    this.#limitClose();
  }

  /** _Fail the WebSocket Connection_ (RFC 6455 section 7.1.7). */
  #fail(error: WebSocketError): void {
    this.#state |= FAILED;
    this.#error ??= error;
    if ((this.#state & CLOSE_STARTED) === 0 && error.closeCode !== CloseCode.ABNORMAL) {
      this.#state |= CLOSE_STARTED | CLOSE_SENT;
      this.sender.control(Opcode.CLOSE, closePayload(error.closeCode, ''));
    }
    this.sender.passPending();
    this.#closeBelow();
  }

  #sendCloseFrame(payload: Uint8Array, isAnswer: boolean): void {
    this.#state |= CLOSE_STARTED;
    this.#limitClose();
    this.sender.close(payload, isAnswer, () => {
      this.#state |= CLOSE_SENT;
      if ((this.#state & CLOSE_RECEIVED) !== 0) this.#closeBelow();
    });
  }

  /** Both have said it: the server ends the stream first, and the client waits for that (RFC 6455 section 7.1.1). */
  #closeBelow(): void {
    this.#limitClose();
    this.#held = null;
    if (this.#role === 'server' || (this.#state & (FAILED | LOWER_ENDED)) !== 0) this.lower.end();
    this.#state &= ~PAUSED;
    this.lower.resume();
  }

  #limitClose(): void {
    if (this.#closeTimer !== undefined || (this.#state & FINISHED) !== 0) return;
    this.#closeTimer = setTimeout(() => this.#closeTimedOut(), this.settings.closeTimeoutMs);
    this.#closeTimer.unref();
  }

  #closeTimedOut(): void {
    const { closeTimeoutMs } = this.settings;
    const message = `The peer has not closed within ${closeTimeoutMs} ms (closeTimeoutMs)`;
    const heard = (this.#state & (CLOSE_RECEIVED | FAILED | LOWER_ENDED)) !== 0;
    this.terminate(heard ? null : webSocketError('ERR_WS_CLOSE_TIMEOUT', message, CloseCode.ABNORMAL));
  }

  #finish(): void {
    if ((this.#state & FINISHED) !== 0) return;
    this.#state |= FINISHED;
    clearTimeout(this.#closeTimer);
    this.settings.heartbeat?.delete(this);
    this.#decoder?.destroy();
    this.#inflater?.close();
    this.#inflater = null;
    this.#held = null;
    this.#unanswered = null;
    const error = this.#error ?? closedError();
    this.sender.stop(error);
    this.#connection.leaveTopics();
    if (this.#face !== null) this.#tellClosed();
    const { whenClosed, whenDrained } = { whenClosed: this.#whenClosed, whenDrained: this.#whenDrained };
    this.#whenClosed = null;
    this.#whenDrained = null;
    if (whenDrained !== null) for (const each of whenDrained) each(error);
    const facts = { code: this.#closeCode, reason: this.#closeReason };
    if (whenClosed !== null) for (const each of whenClosed) each(facts, this.#error);
  }

  #tellClosed(): void {
    const face = this.#face as MessageFace;
    try {
      face.close(this.#connection, this.#closeCode, this.#closeReason, this.#error);
    } catch (error) {
      face.threw(this.#connection, error);
    }
  }
}

const nothing = new Uint8Array(0);

export function closedError(): WebSocketError {
  return webSocketError('ERR_WS_CLOSED', 'The connection has closed', CloseCode.ABNORMAL);
}
