import type { Channel, Receiver, WriteCallback } from './channel.js';
import type { Connection } from './connection.js';
import type { ConnectionSettings } from './connection-settings.js';
import { ChannelError } from './errors.js';
import { discardingFace, type Face } from './face.js';

// Why the channel is paused: it flows when there is no reason left.
export const PAUSED_BY_USER = 1 << 0;
export const PAUSED_BY_FACE = 1 << 1;
const PAUSED_UNTIL_CLAIMED = 1 << 2;
const PAUSED = PAUSED_BY_USER | PAUSED_BY_FACE | PAUSED_UNTIL_CLAIMED;
// What has happened.
const ATTACHED = 1 << 3;
const ENDED = 1 << 4;
/** A write returned false, and `onDrain` has not come yet. */
const FULL = 1 << 5;
const CLOSED = 1 << 6;
const ERROR_REPORTED = 1 << 7;

interface Waiter<T> {
  resolve(value: T): void;
  reject(error: Error): void;
}

/** The receiver behind a `Connection`: passes events to the face that consumes it, and knows who waits for what. */
export class ConnectionCore implements Receiver {
  readonly connection: Connection;
  readonly channel: Channel;
  readonly settings: ConnectionSettings;
  private face: Face | null = null;
  private state = 0;
  private closeError: Error | null = null;
  private closeWaiters: ((error: Error | null) => void)[] | null = null;
  private drainWaiters: Set<Waiter<void>> | null = null;

  constructor(connection: Connection, channel: Channel, settings: ConnectionSettings) {
    this.connection = connection;
    this.channel = channel;
    this.settings = settings;
  }

  get closed(): boolean {
    return (this.state & CLOSED) !== 0;
  }

  /** Our side was told to end. */
  get ended(): boolean {
    return (this.state & ENDED) !== 0;
  }

  /** The error handler has had the error that `close` will get. */
  get errorReported(): boolean {
    return (this.state & ERROR_REPORTED) !== 0;
  }

  reportedError(): void {
    this.state |= ERROR_REPORTED;
  }

  /** Makes `face` the one consumer. Throws `ERR_CHANNEL_CONSUMER` when there is one. */
  claim(face: Face): void {
    if (this.face !== null) throw consumedAlready();
    this.attach();
    this.face = face;
    if (this.closed) queueMicrotask(() => face.close(this, this.closeError));
    else this.letFlow(PAUSED_UNTIL_CLAIMED);
  }

  /** Gives the channel to another receiver. */
  release(): Uint8Array[] {
    const queued = this.face?.release(this) ?? [];
    const undelivered = (this.state & ATTACHED) !== 0 ? this.channel.detach() : [];
    this.face = null;
    this.state &= ~(ATTACHED | PAUSED);
    this.settleWaiters(new ChannelError('ERR_CHANNEL_CONSUMER', 'The connection was detached'));
    return queued.concat(undelivered);
  }

  holdBack(reason: number): void {
    if ((this.state & PAUSED) === 0) this.channel.pause();
    this.state |= reason;
  }

  letFlow(reason: number): void {
    if ((this.state & reason) === 0) return;
    this.state &= ~reason;
    if ((this.state & PAUSED) === 0) this.channel.resume();
  }

  write(data: Uint8Array | readonly Uint8Array[], done?: WriteCallback): boolean {
    if (this.channel.write(data, done)) return true;
    // After the end a write is refused, and no drain follows.
    if ((this.state & ENDED) === 0) this.state |= FULL;
    return false;
  }

  end(): void {
    this.state |= ENDED;
    this.channel.end();
  }

  /** The consumer has seen the peer's end. */
  endUnlessHalfOpen(): void {
    if (!this.settings.allowHalfOpen) this.end();
  }

  /** Begins an orderly close: what nobody will read any more must not hold it up. */
  beginClose(): void {
    this.end();
    if (this.face === null) this.claim(discardingFace);
    else this.face.closing(this);
  }

  /** Calls back, in a microtask or later, when the channel has closed. */
  onceClosed(callback: (error: Error | null) => void): void {
    if (this.closed) {
      queueMicrotask(() => callback(this.closeError));
      return;
    }
    this.watch();
    if (this.closeWaiters === null) this.closeWaiters = [callback];
    else this.closeWaiters.push(callback);
  }

  /** @returns forgets the waiter */
  onceDrained(waiter: Waiter<void>): () => void {
    if (this.closed || this.channel.closed) {
      waiter.reject(closedBeforeDrain(this.closeError));
    } else if ((this.state & FULL) === 0) {
      waiter.resolve();
    } else {
      this.watch();
      this.drainWaiters ??= new Set();
      this.drainWaiters.add(waiter);
    }
    return () => this.drainWaiters?.delete(waiter);
  }

  onData(bytes: Uint8Array): void {
    this.face?.data(this, bytes);
  }

  onEnd(): void {
    this.face?.end(this);
  }

  onDrain(): void {
    this.state &= ~FULL;
    try {
      this.face?.drain(this);
    } finally {
      const waiters = this.drainWaiters;
      this.drainWaiters = null;
      if (waiters !== null) for (const waiter of waiters) waiter.resolve();
    }
  }

  onClose(error: Error | null): void {
    this.state |= CLOSED;
    this.closeError = error;
    try {
      this.face?.close(this, error);
    } finally {
      this.settleWaiters(error);
    }
  }

  private settleWaiters(error: Error | null): void {
    const { drainWaiters, closeWaiters } = this;
    this.drainWaiters = null;
    this.closeWaiters = null;
    if (drainWaiters !== null) for (const waiter of drainWaiters) waiter.reject(closedBeforeDrain(error));
    if (closeWaiters !== null) for (const callback of closeWaiters) callback(error);
  }

  private attach(): void {
    if ((this.state & ATTACHED) !== 0) return;
    this.channel.attach(this);
    this.state |= ATTACHED;
  }

  /** Listens for drain and close without consuming anything. */
  private watch(): void {
    if ((this.state & ATTACHED) !== 0) return;
    this.holdBack(PAUSED_UNTIL_CLAIMED);
    this.attach();
  }
}

function consumedAlready(): ChannelError {
  return new ChannelError(
    'ERR_CHANNEL_CONSUMER',
    'This connection has a consumer already: handlers, read() and iteration, toDuplex() and toWeb() exclude each other',
  );
}

function closedBeforeDrain(error: Error | null): Error {
  return (
    error ?? new ChannelError('ERR_CHANNEL_CLOSED', 'The channel closed before what was queued had been sent')
  );
}
