import type { Channel, ChannelInfo, WriteCallback } from './channel.js';
import * as flag from './channel-flags.js';
import { type ChannelLimits, type ChannelOptions, channelLimits } from './channel-limits.js';
import { ChannelError } from './errors.js';
import { ReceiveHalf } from './receive-half.js';
import { throwLater } from './turn.js';
import { validateBytes } from './validate.js';

/**
 * The bookkeeping of the channel contract, once for every medium: exact pause, undelivered data, watermarks, cork,
 * write callbacks in order, and every event once.
 *
 * A medium implements the verbs (`keepChunk` … `dropKept`, and `startRead`, `stopRead`) and reports with `received`,
 * `ended`, `failed`, `sent`, `shutdownDone` and `closeDone`.
 *
 * A layer is a medium, too: it sends with `lower.write(chunks, (error) => this.sent(error))`, so that callbacks,
 * watermarks and `bufferedAmount` follow the channel below without further ado.
 */
export abstract class BaseChannel extends ReceiveHalf implements Channel<Uint8Array, Uint8Array> {
  abstract readonly info: ChannelInfo;

  protected readonly limits: ChannelLimits;
  private queuedBytes = 0;
  private sendingBytes = 0;
  private sentBytes = 0;
  private corks = 0;
  private queuedCallbacks: WriteCallback[] | null = null;
  private sendingCallbacks: WriteCallback[] | null = null;

  /** @param options limits of the send queue; `channelLimits()` checks them once for many channels */
  constructor(options?: ChannelOptions | ChannelLimits) {
    super();
    this.limits = channelLimits(options);
  }

  /** Takes over one chunk (never empty) of the send queue: copy it, retain the lent slot, or remember the memory. */
  protected abstract keepChunk(chunk: Uint8Array): void;
  /** Has `flush()` called at the end of the current turn; `flushSoon(this)` is the simplest way. */
  protected abstract scheduleFlush(): void;
  /** Sends all that was kept since the last `startSend` as one unit; `sent()` must follow exactly once. */
  protected abstract startSend(): void;
  /** Half-closes; `shutdownDone()` must follow, unless `startClose` comes first. */
  protected abstract startShutdown(): void;
  /**
   * Cancels what is in flight and releases the medium; `closeDone()` must follow exactly once, after every `sent()`.
   * @param abortive the peer should see a reset, not an orderly end
   */
  protected abstract startClose(abortive: boolean): void;
  /** Discards what was kept and not yet sent. */
  protected abstract dropKept(): void;

  /** Bytes that the channels below have queued, for layers that call `sent` before the channel below has sent. */
  protected lowerBufferedAmount(): number {
    return 0;
  }

  write(chunks: Uint8Array | readonly Uint8Array[], done?: WriteCallback): boolean {
    const bytes = byteLengthOf(chunks);
    if ((this.flags & (flag.ENDING | flag.CLOSING)) !== 0) return this.refuseLate(done);
    const waiting = this.queuedBytes + this.sendingBytes + this.lowerBufferedAmount();
    const buffered = waiting + bytes;
    if (buffered > this.limits.bufferedBytesMax && waiting > 0) return this.refuseOverflow(buffered, done);
    this.keep(chunks);
    if (done !== undefined) this.queueCallback(done);
    this.requestFlush();
    if (buffered < this.limits.highWaterMark) return true;
    this.flags |= flag.NEEDS_DRAIN;
    return false;
  }

  cork(): void {
    this.corks += 1;
  }

  uncork(): void {
    if (this.corks === 0) return;
    this.corks -= 1;
    if (this.queuedBytes > 0 || this.queuedCallbacks !== null) this.requestFlush();
  }

  /** Also lifts every cork. */
  end(): void {
    if ((this.flags & (flag.ENDING | flag.CLOSING)) !== 0) return;
    this.flags |= flag.ENDING;
    this.corks = 0;
    this.requestFlush();
  }

  abort(reason?: Error): void {
    this.closeEarly(reason ?? null);
  }

  get bufferedAmount(): number {
    return this.queuedBytes + this.sendingBytes + this.lowerBufferedAmount();
  }

  get closed(): boolean {
    return (this.flags & flag.CLOSING) !== 0;
  }

  /** Bytes the medium has taken. */
  get bytesWritten(): number {
    return this.sentBytes;
  }

  /** For the turn scheduler: sends what is queued, unless corked or a send is in flight. */
  flush(): void {
    this.flags &= ~flag.FLUSH_SCHEDULED;
    if ((this.flags & (flag.SENDING | flag.CLOSING)) !== 0 || this.corks > 0) return;
    if (this.queuedBytes > 0) this.beginSend();
    else this.afterQueueEmptied();
  }

  /** For the medium: the send in flight was taken whole (null), or failed, which is fatal. */
  protected sent(error: Error | null): void {
    const bytes = this.sendingBytes;
    this.sendingBytes = 0;
    this.flags &= ~flag.SENDING;
    if (error === null) this.sentBytes += bytes;
    if ((this.flags & flag.CLOSING) !== 0) {
      // The callbacks wait for closeDone(), so that none of them runs inside abort().
      if (error === null) this.flags |= flag.LAST_SEND_TAKEN;
      return;
    }
    if (error !== null) {
      this.failed(error);
      return;
    }
    if (this.sendingCallbacks !== null) this.settleSending(null);
    if (this.queuedBytes > 0 || this.queuedCallbacks !== null) this.requestFlush();
    else if ((this.flags & (flag.ENDING | flag.CLOSING)) === flag.ENDING) this.beginShutdown();
    if ((this.flags & flag.NEEDS_DRAIN) !== 0) this.drainWhenLow();
  }

  /** For the medium: the half-close has been made; an error is fatal. */
  protected shutdownDone(error: Error | null): void {
    if (error !== null) {
      this.failed(error);
      return;
    }
    this.flags |= flag.SHUTDOWN_DONE;
    this.closeWhenBothEnded();
  }

  /** For the medium: it has failed for good. Closes; pending callbacks and `onClose` get `error`. */
  protected failed(error: Error): void {
    this.closeEarly(error);
  }

  /** For the medium: it is released. Callbacks and `onClose` follow in a microtask, never inside a command. */
  protected closeDone(): void {
    queueMicrotask(() => this.finishClose());
  }

  /** For layers with a `lowerBufferedAmount`: it has fallen. */
  protected lowerDrained(): void {
    if ((this.flags & flag.NEEDS_DRAIN) !== 0) this.drainWhenLow();
  }

  /** Bytes of the send that `startSend` began and `sent` has not ended. */
  protected get inFlightBytes(): number {
    return this.sendingBytes;
  }

  protected drainWhenLow(): void {
    if (this.receiver === null || (this.flags & flag.CLOSING) !== 0) return;
    if (this.bufferedAmount > this.limits.lowWaterMark) return;
    this.flags &= ~flag.NEEDS_DRAIN;
    this.receiver.onDrain();
  }

  protected closeWhenBothEnded(): void {
    const bothEnded = flag.PEER_ENDED | flag.SHUTDOWN_DONE;
    if ((this.flags & (bothEnded | flag.CLOSING)) !== bothEnded) return;
    if ((this.flags & flag.END_DELIVERED) === 0 && this.receiver !== null) return;
    this.flags |= flag.CLOSING;
    this.startClose(false);
  }

  private keep(chunks: Uint8Array | readonly Uint8Array[]): void {
    if (!Array.isArray(chunks)) {
      this.keepOne(chunks as Uint8Array);
      return;
    }
    for (let index = 0; index < chunks.length; index++) this.keepOne(chunks[index] as Uint8Array);
  }

  /** Counts at once: when the next chunk of a write is refused by the medium, those before it stay queued. */
  private keepOne(chunk: Uint8Array): void {
    const bytes = chunk.byteLength;
    if (bytes === 0) return;
    this.keepChunk(chunk);
    this.queuedBytes += bytes;
  }

  private queueCallback(done: WriteCallback): void {
    if (this.queuedCallbacks === null) this.queuedCallbacks = [done];
    else this.queuedCallbacks.push(done);
  }

  private requestFlush(): void {
    if ((this.flags & (flag.FLUSH_SCHEDULED | flag.SENDING | flag.CLOSING)) !== 0 || this.corks > 0) return;
    this.flags |= flag.FLUSH_SCHEDULED;
    this.scheduleFlush();
  }

  private beginSend(): void {
    this.flags |= flag.SENDING;
    this.sendingBytes = this.queuedBytes;
    this.queuedBytes = 0;
    this.sendingCallbacks = this.queuedCallbacks;
    this.queuedCallbacks = null;
    this.startSend();
  }

  /** No byte is queued or in flight: what waited for that, empty and refused writes and the end, has its turn. */
  private afterQueueEmptied(): void {
    if (this.queuedCallbacks !== null) this.settleQueued(null);
    if ((this.flags & (flag.ENDING | flag.CLOSING)) === flag.ENDING && this.queuedBytes === 0) {
      this.beginShutdown();
    }
    if ((this.flags & flag.NEEDS_DRAIN) !== 0) this.drainWhenLow();
  }

  private beginShutdown(): void {
    if ((this.flags & flag.SHUTDOWN_STARTED) !== 0) return;
    this.flags |= flag.SHUTDOWN_STARTED;
    this.startShutdown();
  }

  private refuseLate(done: WriteCallback | undefined): false {
    if (done === undefined) return false;
    const error = this.closed
      ? new ChannelError(
          'ERR_CHANNEL_CLOSED',
          'Cannot write: the channel has closed',
          this.closeReason ?? undefined,
        )
      : new ChannelError('ERR_CHANNEL_ENDED', 'Cannot write after end()');
    this.refuse(done, error);
    return false;
  }

  private refuseOverflow(buffered: number, done: WriteCallback | undefined): false {
    const { bufferedBytesMax, overflow } = this.limits;
    const message =
      `Cannot write: ${buffered} bytes would be queued, more than bufferedBytesMax (${bufferedBytesMax}). ` +
      'After write() has returned false, wait for drain';
    const error = new ChannelError('ERR_CHANNEL_OVERFLOW', message);
    if (done !== undefined) this.refuse(done, error);
    if (overflow === 'abort') {
      this.closeEarly(error);
    } else {
      this.flags |= flag.NEEDS_DRAIN;
      this.requestFlush();
    }
    return false;
  }

  /** The refusal takes its place among the other callbacks, so that they stay in the order of the writes. */
  private refuse(done: WriteCallback, error: Error): void {
    const refusal = (): void => done(error);
    if ((this.flags & flag.CLOSED) !== 0) {
      queueMicrotask(refusal);
    } else {
      this.queueCallback(refusal);
      this.requestFlush();
    }
  }

  private closeEarly(reason: Error | null): void {
    if ((this.flags & flag.CLOSING) !== 0) return;
    this.flags = (this.flags | flag.CLOSING | flag.END_DELIVERED) & ~(flag.READING | flag.NEEDS_DRAIN);
    this.closeReason = reason;
    this.queuedBytes = 0;
    this.dropKept();
    this.dropUndelivered();
    this.startClose(true);
  }

  private finishClose(): void {
    if ((this.flags & flag.CLOSED) !== 0) return;
    if (this.sendingCallbacks !== null) {
      this.settleSending((this.flags & flag.LAST_SEND_TAKEN) !== 0 ? null : this.reasonUnsent());
    }
    // A callback may write again: its refusal, too, comes before onClose.
    while (this.queuedCallbacks !== null) this.settleQueued(this.reasonUnsent());
    this.flags |= flag.CLOSED;
    this.deliver();
  }

  private reasonUnsent(): Error {
    return (
      this.closeReason ?? new ChannelError('ERR_CHANNEL_ABORTED', 'abort() was called before this was sent')
    );
  }

  private settleSending(error: Error | null): void {
    const callbacks = this.sendingCallbacks;
    this.sendingCallbacks = null;
    settle(callbacks, error);
  }

  private settleQueued(error: Error | null): void {
    const callbacks = this.queuedCallbacks;
    this.queuedCallbacks = null;
    settle(callbacks, error);
  }
}

function byteLengthOf(chunks: Uint8Array | readonly Uint8Array[]): number {
  if (chunks instanceof Uint8Array) return chunks.byteLength;
  if (!Array.isArray(chunks)) {
    validateBytes(chunks, 'chunks');
    return chunks.byteLength;
  }
  let bytes = 0;
  for (let index = 0; index < chunks.length; index++) {
    const chunk: unknown = chunks[index];
    if (!(chunk instanceof Uint8Array)) validateBytes(chunk, `chunks[${index}]`);
    bytes += chunk.byteLength;
  }
  return bytes;
}

/** Calls every callback; what one throws keeps neither the others nor the channel from going on. */
function settle(callbacks: readonly WriteCallback[] | null, error: Error | null): void {
  if (callbacks === null) return;
  for (const callback of callbacks) {
    try {
      callback(error);
    } catch (thrown) {
      throwLater(thrown);
    }
  }
}
