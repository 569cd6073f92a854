/** A receiver that records what a datagram channel does and holds it to the contract while a test drives it. */

import assert from 'node:assert/strict';
import {
  type Datagram,
  DatagramAddress,
  type DatagramBatch,
  type DatagramChannel,
  type DatagramReceiver,
  type DatagramSendOptions,
} from '@iocp/core/layer';
import { ContractProbe, type ContractProbeOptions } from '../contract-probe.js';
import { describeError } from '../transcript.js';
import { byteLengthOf, type DatagramData } from './send-arguments.js';

/** A datagram as it arrived, its bytes copied. */
export interface ReceivedDatagram {
  readonly data: Uint8Array;
  readonly peer: DatagramAddress;
  readonly address: string;
  readonly port: number;
  readonly family: 'IPv4' | 'IPv6';
  readonly truncated: boolean;
  readonly tos: number | undefined;
  readonly ttl: number | undefined;
  readonly localAddress: string | undefined;
  readonly interfaceIndex: number | undefined;
}

/** One `send` made through a probe. */
export interface ProbeDatagram {
  readonly byteCount: number;
  /** What `send` returned. */
  readonly taken: boolean;
  /** True once `done` was called. */
  readonly settled: boolean;
  /** What `done` was given; undefined until then. */
  readonly error: Error | null | undefined;
}

export interface DatagramProbeOptions extends ContractProbeOptions {
  /** Called inside `onDatagrams` for each datagram, with its lent bytes, after it was recorded. */
  readonly onDatagram?: (datagram: Datagram, probe: DatagramProbe) => void;
  /** Called inside `onDatagrams` when the loop over the batch has ended. */
  readonly onBatchEnd?: (probe: DatagramProbe) => void;
  /** Called inside `onDrain`. */
  readonly onDrain?: (probe: DatagramProbe) => void;
  /** Called inside `onError`. */
  readonly onError?: (error: Error, probe: DatagramProbe) => void;
  /** The policy of the channel: what `'block'` refuses was never in the queue. Default `'drop-new'`. */
  readonly overflow?: 'drop-new' | 'drop-old' | 'block' | undefined;
}

/**
 * Records every event of a channel, and notes each breach of the contract. Commands given through the probe (`send`,
 * `pause`, …) let it check more than it could as a mere receiver. Call `verify()` at the end: it throws when the contract
 * was broken.
 */
export class DatagramProbe extends ContractProbe implements DatagramReceiver {
  readonly channel: DatagramChannel;
  readonly received: ReceivedDatagram[] = [];
  /** Datagrams in each batch, in order. */
  readonly batches: number[] = [];
  readonly errors: Error[] = [];
  receivedBytes = 0;
  drainCount = 0;
  closeCount = 0;
  /** What `onClose` was given; undefined until then. */
  closeError: Error | null | undefined;

  readonly #options: DatagramProbeOptions;
  #attached = false;
  #paused = false;
  #drainOwed = false;
  /** Datagrams that must be in the counts of sending. */
  #given = 0;
  #unsettled = 0;
  #sends = 0;
  #closing = false;
  #truncated = 0;

  /** @param attach whether to attach at once. Default true. */
  constructor(channel: DatagramChannel, options: DatagramProbeOptions = {}, attach = true) {
    super(options);
    this.channel = channel;
    this.#options = options;
    if (attach) this.attach();
  }

  // Commands

  attach(): void {
    this.run('attach', () => this.channel.attach(this));
    this.#attached = true;
  }

  pause(): void {
    this.#paused = true;
    this.run('pause', () => this.channel.pause());
  }

  resume(): void {
    this.#paused = false;
    this.run('resume', () => this.channel.resume());
  }

  /** Sends and watches the callback. */
  send(data: DatagramData, to?: DatagramAddress, options?: DatagramSendOptions): ProbeDatagram {
    return this.#watch(byteLengthOf(data), (done) =>
      this.channel.send(data, to, {
        ...options,
        done: (error) => {
          done(error);
          options?.done?.(error);
        },
      }),
    );
  }

  /** Sends without a callback, so that an error is told to `onError`. */
  sendUnwatched(data: DatagramData, to?: DatagramAddress, options?: DatagramSendOptions): boolean {
    const byteCount = byteLengthOf(data);
    const taken = this.run(`send ${byteCount} bytes`, () => this.channel.send(data, to, options));
    this.#countGiven(taken);
    return taken;
  }

  /** Answers a datagram from inside `onDatagram`. */
  reply(datagram: Datagram, data: Uint8Array = datagram.data): ProbeDatagram {
    return this.#watch(data.byteLength, (done) => datagram.reply(data, { done }));
  }

  #watch(byteCount: number, send: (done: (error: Error | null) => void) => boolean): ProbeDatagram {
    const index = this.#sends++;
    const datagram = {
      byteCount,
      taken: false,
      settled: false,
      error: undefined as Error | null | undefined,
    };
    let isLate = false;
    let isBlocked = false;
    this.#unsettled++;
    datagram.taken = this.run(`send ${byteCount} bytes`, () =>
      send((error) => {
        this.#note(`done of ${index}: ${describeError(error)}`);
        if (datagram.settled) return this.breach(`done of ${index} was called twice`);
        if (isBlocked) return this.breach(`done of ${index} was called though it was not taken`);
        datagram.settled = true;
        datagram.error = error;
        if (!isLate) this.#unsettled--;
        this.wake();
      }),
    );
    isLate = !datagram.taken && (this.#closing || this.channel.closed);
    isBlocked = !datagram.taken && !isLate && this.#options.overflow === 'block';
    if (isLate || isBlocked) this.#unsettled--;
    this.#countGiven(datagram.taken);
    return datagram;
  }

  #countGiven(taken: boolean): void {
    const refusedForRoom = !taken && !this.#closing && !this.channel.closed;
    if (refusedForRoom) this.#drainOwed = true;
    if (taken || (refusedForRoom && this.#options.overflow !== 'block')) this.#given++;
  }

  close(): void {
    this.#closing = true;
    this.run('close', () => this.channel.close());
  }

  abort(reason?: Error): void {
    this.#closing = true;
    this.run('abort', () => this.channel.abort(reason));
  }

  // Events

  onDatagrams(batch: DatagramBatch): void {
    const { length } = batch;
    this.#note(`${length} datagrams`);
    if (this.#paused) this.breach('onDatagrams while paused');
    if (length === 0) this.breach('onDatagrams without a datagram');
    this.batches.push(length);
    try {
      let first: Datagram | undefined;
      let count = 0;
      for (const datagram of batch) {
        count++;
        first ??= datagram;
        if (datagram !== first) this.breach('a batch made more than one object');
        this.#keep(datagram);
        this.#options.onDatagram?.(datagram, this);
      }
      if (count !== length) this.breach(`a batch of ${length} gave ${count} datagrams`);
      this.#options.onBatchEnd?.(this);
    } finally {
      this.wake();
    }
  }

  #keep(datagram: Datagram): void {
    const { peer, address, port, family, truncated, tos, ttl, localAddress, interfaceIndex } = datagram;
    const data = new Uint8Array(datagram.data);
    if (address !== peer.address || port !== peer.port || family !== peer.family) {
      this.breach(`the datagram of ${address} port ${port} (${family}) has the peer ${peer}`);
    }
    const received = { data, peer, address, port, family, truncated, tos, ttl, localAddress, interfaceIndex };
    this.received.push(received);
    this.receivedBytes += data.byteLength;
    if (truncated) this.#truncated++;
  }

  onDrain(): void {
    this.#note('drain');
    this.drainCount++;
    if (!this.#drainOwed) this.breach('onDrain without a send that was refused');
    this.#drainOwed = false;
    try {
      this.#options.onDrain?.(this);
    } finally {
      this.wake();
    }
  }

  onError(error: Error): void {
    this.#note(`error: ${describeError(error)}`);
    this.errors.push(error);
    try {
      this.#options.onError?.(error, this);
    } finally {
      this.wake();
    }
  }

  onClose(error: Error | null): void {
    this.#note(`close: ${describeError(error)}`);
    if (this.closeCount++ > 0) this.breach('onClose twice');
    if (this.#unsettled > 0) this.breach(`onClose before ${this.#unsettled} callbacks`);
    if (!this.channel.closed) this.breach('onClose while closed is false');
    if (this.channel.stats.queued !== 0) this.breach(`onClose with ${this.channel.stats.queued} queued`);
    this.closeError = error;
    this.wake();
  }

  // Findings

  get attached(): boolean {
    return this.#attached;
  }

  get closed(): boolean {
    return this.closeCount > 0;
  }

  /** Where to send to reach this channel. */
  get address(): DatagramAddress {
    const { localAddress, localPort } = this.channel.info;
    assert.ok(localAddress !== undefined && localPort !== undefined, 'info does not tell the local address');
    return DatagramAddress.of(localAddress, localPort);
  }

  /** Throws when the contract was broken or the counts do not add up, with all that happened. */
  override verify(): void {
    this.#checkStats();
    super.verify();
  }

  #checkStats(): void {
    const { stats } = this.channel;
    const { sent, droppedQueueFull, droppedClosed, sendErrors, queued } = stats;
    const sum = sent + droppedQueueFull + droppedClosed + sendErrors + queued;
    if (sum !== this.#given) {
      this.breach(
        `${this.#given} datagrams were given, and ${sum} counted: ${sent} sent, ${droppedQueueFull} dropped full, ` +
          `${droppedClosed} dropped closed, ${sendErrors} errors, ${queued} queued`,
      );
    }
    const [counted, recorded] = [stats.received, this.received.length];
    if (counted !== recorded) this.breach(`${recorded} datagrams arrived, and ${counted} were counted`);
    if (stats.receivedBytes !== this.receivedBytes) {
      this.breach(`${this.receivedBytes} bytes arrived, and ${stats.receivedBytes} were counted`);
    }
    if (stats.truncated !== this.#truncated) {
      this.breach(`${this.#truncated} arrived cut, and ${stats.truncated} were counted`);
    }
  }

  /** Resolves when at least that many datagrams have arrived in all. */
  async untilReceived(count: number): Promise<void> {
    await this.until(`${count} datagrams (had ${this.received.length})`, () => this.received.length >= count);
  }

  /** Resolves when these were answered. */
  async untilSettled(datagrams: readonly ProbeDatagram[]): Promise<void> {
    await this.until('callbacks', () => datagrams.every(({ settled }) => settled));
  }

  /** Resolves with what `onClose` was given. */
  async untilClosed(): Promise<Error | null> {
    await this.until('the close', () => this.closed);
    return this.closeError ?? null;
  }

  #note(event: string): void {
    this.record(event);
    if (this.command !== null) this.breach(`${event} came from inside ${this.command}()`);
    // A send made after the close is refused through its callback; that is the only thing that may come late.
    if (this.closed && !event.startsWith('done')) this.breach(`${event} after onClose`);
    if (!this.#attached && !event.startsWith('done')) this.breach(`${event} before attach had returned`);
  }
}
