/** A receiver that records what a channel does and holds it to the contract while a test drives it. */

import type { Channel, Receiver } from '@iocp/core/layer';
import { concatenate } from './chunkings.js';
import { ContractProbe, type ContractProbeOptions } from './contract-probe.js';
import { codeOf, describeError } from './transcript.js';

/** Codes of writes that were never queued. */
const refusals = new Set(['ERR_CHANNEL_ENDED', 'ERR_CHANNEL_CLOSED', 'ERR_CHANNEL_OVERFLOW']);

/** One `write` made through a probe. */
export interface ProbeWrite {
  readonly byteCount: number;
  /** What `write` returned: false means stop until the drain. */
  readonly belowHighWaterMark: boolean;
  /** Resolves when the write callback reports success, rejects with its error. Rejections need not be handled. */
  readonly done: Promise<void>;
  /** True once the write callback was called. */
  readonly settled: boolean;
  /** What the write callback was given; undefined until then. */
  readonly error: Error | null | undefined;
}

export interface ProbeOptions extends ContractProbeOptions {
  /** Called inside `onData`, with the lent bytes, after they were recorded. */
  readonly onData?: (bytes: Uint8Array, probe: ChannelProbe) => void;
}

/**
 * Attaches to a channel, records every event, and notes each breach of the contract between layers. Commands given
 * through the probe (`write`, `pause`, …) let it check more than it could as a mere receiver.
 * Call `verify()` at the end: it throws when the contract was broken.
 */
export class ChannelProbe extends ContractProbe implements Receiver<Uint8Array> {
  readonly channel: Channel;
  /** The chunks that arrived, each a copy. */
  readonly chunks: Uint8Array[] = [];
  /** Numbers of the writes (the first is 0) in the order of their callbacks; refused writes are left out. */
  readonly settledOrder: number[] = [];
  bytesReceived = 0;
  bytesSettled = 0;
  endCount = 0;
  drainCount = 0;
  closeCount = 0;
  /** What `onClose` was given; undefined until then. */
  closeError: Error | null | undefined;

  readonly #options: ProbeOptions;
  #attached = false;
  #paused = false;
  #drainOwed = false;
  #endedByUs = false;
  #writes = 0;
  #unsettled = 0;

  constructor(channel: Channel, options: ProbeOptions = {}) {
    super(options);
    this.channel = channel;
    this.#options = options;
    this.attach();
  }

  // Commands

  /** Attaches again after `detach`. The constructor has attached already. */
  attach(): void {
    this.#attached = true;
    this.run('attach', () => this.channel.attach(this));
  }

  detach(): Uint8Array[] {
    this.#attached = false;
    return this.run('detach', () => this.channel.detach());
  }

  pause(): void {
    this.#paused = true;
    this.run('pause', () => this.channel.pause());
  }

  resume(): void {
    this.#paused = false;
    this.run('resume', () => this.channel.resume());
  }

  write(chunks: Uint8Array | readonly Uint8Array[]): ProbeWrite {
    const index = this.#writes++;
    const parts = chunks instanceof Uint8Array ? [chunks] : chunks;
    const byteCount = parts.reduce((sum, part) => sum + part.byteLength, 0);
    let settle: (error: Error | null) => void = () => {};
    const done = new Promise<void>((resolve, reject) => {
      settle = (error) => (error === null ? resolve() : reject(error));
    });
    done.catch(() => {});
    const write = {
      byteCount,
      belowHighWaterMark: false,
      done,
      settled: false,
      error: undefined as Error | null | undefined,
    };
    this.#unsettled++;
    write.belowHighWaterMark = this.run(`write ${byteCount} bytes`, () =>
      this.channel.write(chunks, (error) => {
        this.#note(`done of write ${index}: ${describeError(error)}`, true);
        if (write.settled) return this.breach(`the callback of write ${index} was called twice`);
        write.settled = true;
        write.error = error;
        this.#unsettled--;
        this.#recordSettled(index, byteCount, error);
        settle(error);
        this.wake();
      }),
    );
    if (!write.belowHighWaterMark && !this.#endedByUs && !this.channel.closed) this.#drainOwed = true;
    return write;
  }

  /**
   * Writes all the bytes in chunks and stops at the high-water mark until the drain, as a well-behaved writer does.
   * Resolves with the number of bytes written: less than all when the channel closes meanwhile.
   */
  async writeAll(bytes: Uint8Array, chunkBytes = 64 * 1024): Promise<number> {
    let offset = 0;
    while (offset < bytes.byteLength && !this.channel.closed) {
      const drains = this.drainCount;
      const chunk = bytes.subarray(offset, offset + chunkBytes);
      offset += chunk.byteLength;
      if (this.write(chunk).belowHighWaterMark) continue;
      await this.until('the drain', () => this.drainCount > drains || this.closed);
    }
    return offset;
  }

  cork(): void {
    this.run('cork', () => this.channel.cork());
  }

  uncork(): void {
    this.run('uncork', () => this.channel.uncork());
  }

  end(): void {
    this.#endedByUs = true;
    this.run('end', () => this.channel.end());
  }

  abort(reason?: Error): void {
    this.run('abort', () => this.channel.abort(reason));
  }

  // Events

  onData(data: Uint8Array): void {
    this.#note(`data, ${data.byteLength} bytes`, this.command === 'attach' || this.command === 'resume');
    if (this.#paused) this.breach('onData while paused');
    if (this.endCount > 0) this.breach('onData after onEnd');
    if (data.byteLength === 0) this.breach('onData without data');
    this.chunks.push(new Uint8Array(data));
    this.bytesReceived += data.byteLength;
    try {
      this.#options.onData?.(data, this);
    } finally {
      this.wake();
    }
  }

  onEnd(): void {
    this.#note('end', this.command !== null);
    if (this.endCount++ > 0) this.breach('onEnd twice');
    this.wake();
  }

  onDrain(): void {
    this.#note('drain', true);
    this.drainCount++;
    if (!this.#drainOwed) this.breach('onDrain without a write that returned false');
    this.#drainOwed = false;
    this.wake();
  }

  onClose(error: Error | null): void {
    this.#note(`close: ${describeError(error)}`, true);
    if (this.closeCount++ > 0) this.breach('onClose twice');
    if (this.#unsettled > 0) this.breach(`onClose before ${this.#unsettled} write callbacks`);
    if (!this.channel.closed) this.breach('onClose while closed is false');
    this.closeError = error;
    this.wake();
  }

  // Findings

  /** Whether this probe is the receiver of its channel. */
  get attached(): boolean {
    return this.#attached;
  }

  get ended(): boolean {
    return this.endCount > 0;
  }

  get closed(): boolean {
    return this.closeCount > 0;
  }

  /** All that has arrived, as one copy. */
  received(): Uint8Array<ArrayBuffer> {
    return concatenate(this.chunks);
  }

  /** Resolves when at least that many bytes have arrived in all. */
  async untilReceived(byteCount: number): Promise<void> {
    await this.until(`${byteCount} bytes (has ${this.bytesReceived})`, () => this.bytesReceived >= byteCount);
  }

  async untilClosedOrEnded(): Promise<void> {
    await this.until('the end or the close', () => this.ended || this.closed);
  }

  async untilEnded(): Promise<void> {
    await this.until('the end', () => this.ended);
  }

  /** Resolves with what `onClose` was given. */
  async untilClosed(): Promise<Error | null> {
    await this.until('the close', () => this.closed);
    return this.closeError ?? null;
  }

  /** @param deferred this event must not come from inside the command that is running. */
  #note(event: string, deferred: boolean): void {
    this.record(event);
    if (deferred && this.command !== null) this.breach(`${event} came from inside ${this.command}()`);
    if (this.closed) this.#lateEvent(event);
    if (!this.#attached && !event.startsWith('done')) this.breach(`${event} after detach`);
  }

  #lateEvent(event: string): void {
    // A write made after the close is refused through its callback; that is the only thing that may come late.
    if (!event.startsWith('done')) this.breach(`${event} after onClose`);
  }

  #recordSettled(index: number, byteCount: number, error: Error | null): void {
    // A write that was refused never stood in the queue, so its callback stands in no order.
    if (refusals.has(codeOf(error) ?? '')) return;
    if (error === null) this.bytesSettled += byteCount;
    const last = this.settledOrder.at(-1);
    if (last !== undefined && index < last) this.breach(`done of write ${index} after done of write ${last}`);
    this.settledOrder.push(index);
  }
}
