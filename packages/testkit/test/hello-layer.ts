import {
  BaseChannel,
  type Channel,
  type ChannelInfo,
  flushSoon,
  IoError,
  type Layer,
  type Lease,
  type Receiver,
} from '@iocp/core/layer';
import { keepBytes } from '../src/kept-bytes.js';

const greeting = Buffer.from('HELLO\n');

/** The smallest layer with a handshake: both sides greet each other, then bytes pass as they are. */
export const helloLayer: Layer = {
  name: 'hello',
  wrap: (lower, _role, { signal } = {}) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) {
        lower.abort();
        reject(signal.reason);
        return;
      }
      const giveUp = () => channel.giveUp(signal?.reason);
      const channel = new HelloChannel(lower, (error) => {
        signal?.removeEventListener('abort', giveUp);
        if (error === null) resolve(channel);
        else reject(error);
      });
      signal?.addEventListener('abort', giveUp);
    }),
};

function helloError(code: string, message: string): IoError {
  return new IoError(message, { code });
}

class HelloChannel extends BaseChannel implements Receiver {
  readonly info: ChannelInfo;
  readonly #lower: Channel;
  #greeted: ((error: Error | null) => void) | null;
  #greetingBytes = 0;
  #kept: Lease[] = [];
  #endSent = false;
  #endReceived = false;
  #closing = false;
  #lowerClosed = false;

  constructor(lower: Channel, greeted: (error: Error | null) => void) {
    super();
    this.info = { ...lower.info, protocols: [...lower.info.protocols, 'hello'] };
    this.#lower = lower;
    this.#greeted = greeted;
    lower.attach(this);
    lower.write(greeting);
  }

  giveUp(error: Error): void {
    const greeted = this.#greeted;
    if (greeted === null) return;
    this.#greeted = null;
    this.failed(error);
    greeted(error);
  }

  onData(data: Uint8Array): void {
    if (this.#greeted === null) {
      this.received(data);
      return;
    }
    const rest = this.#greet(data, this.#greeted);
    if (rest.byteLength > 0) this.received(rest);
  }

  /** Compares with the greeting, and gives what comes after it. */
  #greet(data: Uint8Array, greeted: (error: Error | null) => void): Uint8Array {
    for (const [index, byte] of data.entries()) {
      if (byte !== greeting[this.#greetingBytes++]) {
        this.giveUp(helloError('ERR_HELLO_MISMATCH', 'The peer did not greet'));
        return new Uint8Array();
      }
      if (this.#greetingBytes < greeting.byteLength) continue;
      this.#greeted = null;
      this.#lower.pause();
      greeted(null);
      return data.subarray(index + 1);
    }
    return new Uint8Array();
  }

  onEnd(): void {
    this.giveUp(helloError('ERR_HELLO_TRUNCATED', 'The stream ended before the greeting'));
    this.#endReceived = true;
    this.ended();
  }

  onDrain(): void {
    this.lowerDrained();
  }

  onClose(error: Error | null): void {
    const reason = error ?? helloError('ERR_CHANNEL_CLOSED', 'The channel below was closed');
    this.#lowerClosed = true;
    this.giveUp(reason);
    if (this.#closing) this.closeDone();
    else if (error !== null || !this.#endSent || !this.#endReceived) this.failed(reason);
  }

  protected override startRead(): void {
    this.#lower.resume();
  }

  protected override stopRead(): void {
    this.#lower.pause();
  }

  protected override keepChunk(chunk: Uint8Array): void {
    this.#kept.push(keepBytes(chunk));
  }

  protected override dropKept(): void {
    for (const each of this.#kept.splice(0)) each.release();
  }

  protected override scheduleFlush(): void {
    flushSoon(this);
  }

  protected override startSend(): void {
    const kept = this.#kept.splice(0);
    this.#lower.write(
      kept.map(({ bytes }) => bytes),
      (error) => this.sent(error),
    );
    for (const each of kept) each.release();
  }

  protected override lowerBufferedAmount(): number {
    return Math.max(0, this.#lower.bufferedAmount - this.inFlightBytes);
  }

  protected override startShutdown(): void {
    this.#endSent = true;
    this.#lower.end();
    this.shutdownDone(null);
  }

  protected override startClose(abortive: boolean): void {
    this.#closing = true;
    if (this.#lowerClosed) this.closeDone();
    else if (abortive) this.#lower.abort();
  }
}
