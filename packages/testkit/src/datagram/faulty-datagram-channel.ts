/** A datagram channel over another that loses, doubles, reorders and delays, the same way again for the same seed. */

import {
  type Datagram,
  type DatagramAddress,
  type DatagramBatch,
  type DatagramChannel,
  type DatagramInfo,
  type DatagramReceiver,
  type DatagramSendOptions,
  type DatagramStats,
  type Lease,
  lease,
} from '@iocp/core/layer';
import { chooseSeed, Random } from '../prng.js';
import { Transcript } from '../transcript.js';
import { type DatagramFaultCounts, type DatagramFaultOptions, FaultyPath } from './faulty-path.js';
import { type Arrival, DatagramCursor, LentBatch } from './lent-batch.js';
import {
  abortedError,
  byteLengthOf,
  checkSend,
  closedError,
  type DatagramData,
  keepDatagram,
} from './send-arguments.js';
import { surface } from './surface.js';

export interface FaultyDatagramOptions extends DatagramFaultOptions {
  /** Default: `chooseSeed()`. Read it back from `seed` of the channel. */
  readonly seed?: number;
  /** Which way the faults are. Default `'both'`. */
  readonly direction?: 'send' | 'receive' | 'both';
}

/**
 * Wraps a channel that nobody is attached to, and owns it from then on. Without faults it does as the channel below.
 *
 * Every datagram is delivered, or counted: `faults` has what was done to them, `stats` what became of them. There, one
 * that is lost on the way out counts as sent, as it does with a network, and a copy counts as one more. Waiting ends by
 * itself, and with `close`.
 */
export function faultyDatagramChannel(
  channel: DatagramChannel,
  options: FaultyDatagramOptions = {},
): FaultyDatagramChannel {
  return new FaultyDatagramChannel(channel, options);
}

interface HeldSend {
  readonly kept: Lease;
  readonly to: DatagramAddress | undefined;
  readonly options: DatagramSendOptions | undefined;
}

export class FaultyDatagramChannel implements DatagramChannel {
  readonly info: DatagramInfo;
  readonly seed: number;
  /** Which datagrams had which fault, by their number in each direction. */
  readonly transcript = new Transcript(1000);
  readonly #lower: DatagramChannel;
  readonly #outgoing: FaultyPath<HeldSend>;
  readonly #incoming: FaultyPath<Arrival>;
  readonly #cursor: DatagramCursor;
  readonly #connected: boolean;
  /** Has waited long enough; the channel below had no room. */
  readonly #toSend: HeldSend[] = [];
  readonly #toDeliver: Arrival[] = [];
  /** Callbacks of datagrams that the channel below never sees. */
  readonly #settled: (() => void)[] = [];
  #receiver: DatagramReceiver | null = null;
  #paused = false;
  #drainOwed = false;
  #state: 'open' | 'closing' | 'aborted' = 'open';
  #turn: NodeJS.Immediate | null = null;
  readonly #own = {
    lostSent: 0,
    lostBytes: 0,
    received: 0,
    receivedBytes: 0,
    truncated: 0,
    droppedClosed: 0,
  };

  constructor(lower: DatagramChannel, options: FaultyDatagramOptions) {
    const { seed = chooseSeed(), direction = 'both' } = options;
    this.seed = seed >>> 0;
    const random = new Random(this.seed);
    const faultsOf = (way: 'send' | 'receive') => (direction === way || direction === 'both' ? options : {});
    this.info = { ...lower.info, protocols: [...lower.info.protocols, 'faulty'] };
    this.#lower = lower;
    this.#connected = lower.info.remotePort !== undefined;
    this.#cursor = new DatagramCursor(this, this.#connected);
    this.#outgoing = new FaultyPath('sent', random.fork(), faultsOf('send'), this.transcript, (each) =>
      this.#toSend.push(each),
    );
    this.#incoming = new FaultyPath('arrived', random.fork(), faultsOf('receive'), this.transcript, (each) =>
      this.#toDeliver.push(each),
    );
  }

  /** What was done to the datagrams, by direction. */
  get faults(): { readonly send: DatagramFaultCounts; readonly receive: DatagramFaultCounts } {
    return { send: { ...this.#outgoing.counts }, receive: { ...this.#incoming.counts } };
  }

  get stats(): DatagramStats {
    const below = this.#lower.stats;
    const { lostSent, lostBytes, droppedClosed, received, receivedBytes, truncated } = this.#own;
    const waiting = [...this.#outgoing.items, ...this.#toSend];
    return {
      ...below,
      sent: below.sent + lostSent,
      sentBytes: below.sentBytes + lostBytes,
      received,
      receivedBytes,
      truncated,
      droppedClosed: below.droppedClosed + droppedClosed,
      queued: below.queued + waiting.length,
      queuedBytes: waiting.reduce((sum, { kept }) => sum + kept.bytes.byteLength, below.queuedBytes),
    };
  }

  get payloadBytesMax(): number {
    return this.#lower.payloadBytesMax;
  }

  get closed(): boolean {
    return this.#lower.closed;
  }

  attach(receiver: DatagramReceiver): void {
    this.#lower.attach(this.#below);
    this.#receiver = receiver;
    this.#schedule();
  }

  pause(): void {
    this.#paused = true;
    this.#lower.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#lower.resume();
    this.#schedule();
  }

  close(): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    this.#outgoing.flush();
    this.#sendWaiting();
    this.#schedule();
  }

  abort(reason?: Error): void {
    if (this.#state === 'aborted' || this.closed) return;
    this.#state = 'aborted';
    this.#dropSends(reason ?? abortedError());
    this.#dropArrivals();
    this.#lower.abort(reason);
  }

  // Sending

  send(data: DatagramData, to?: DatagramAddress, options?: DatagramSendOptions): boolean {
    checkSend(data, to, options, this.#connected);
    if (this.#state !== 'open' || this.closed) {
      this.#settle(options, closedError());
      return false;
    }
    // What was taken before goes first; until then there is no room.
    if (this.#toSend.length > 0) {
      this.#drainOwed = true;
      return false;
    }
    const fate = this.#outgoing.draw();
    if (fate.lost) return this.#lose(data, options);
    if (fate.turns > 0) this.#outgoing.hold({ kept: keepDatagram(data), to, options }, fate);
    else if (!this.#give(data, to, options)) return this.#refused();
    else this.#outgoing.passed();
    if (fate.duplicated) this.#duplicate(data, to, options);
    this.#sendWaiting();
    this.#schedule();
    return true;
  }

  #refused(): false {
    this.#drainOwed = true;
    return false;
  }

  #lose(data: DatagramData, options: DatagramSendOptions | undefined): true {
    this.#outgoing.counts.lost++;
    this.#own.lostSent++;
    this.#own.lostBytes += byteLengthOf(data);
    this.#settle(options, null);
    return true;
  }

  #duplicate(data: DatagramData, to: DatagramAddress | undefined, options: DatagramSendOptions | undefined) {
    const before = this.#lower.stats.droppedQueueFull;
    const isTaken = this.#give(data, to, { ...options, done: () => {} });
    if (!isTaken && this.#lower.stats.droppedQueueFull === before) return;
    this.#outgoing.counts.duplicated++;
    this.#outgoing.passed();
  }

  #give(data: DatagramData, to: DatagramAddress | undefined, options: DatagramSendOptions | undefined) {
    return this.#lower.send(data, to, options);
  }

  /** Sends what has waited long enough, as far as there is room; then closes, when that was asked for. */
  #sendWaiting(): void {
    for (let next = this.#toSend[0]; next !== undefined; next = this.#toSend[0]) {
      const { droppedQueueFull } = this.#lower.stats;
      const isTaken = this.#give(next.kept.bytes, next.to, next.options);
      const isBlocked = !isTaken && this.#lower.stats.droppedQueueFull === droppedQueueFull;
      if (isBlocked && !this.closed) return;
      next.kept.release();
      this.#toSend.shift();
    }
    if (this.#state === 'closing') this.#lower.close();
  }

  #settle(options: DatagramSendOptions | undefined, error: Error | null): void {
    const done = options?.done;
    if (done === undefined) return;
    if (this.#settled.length === 0) queueMicrotask(() => this.#tellSettled());
    this.#settled.push(() => done(error));
  }

  #tellSettled(): void {
    for (const tell of this.#settled.splice(0)) surface(tell);
  }

  #dropSends(reason: Error): void {
    for (const { kept, options } of [...this.#toSend.splice(0), ...this.#outgoing.takeHeld()]) {
      this.#own.droppedClosed++;
      kept.release();
      this.#settle(options, reason);
    }
  }

  // Receiving

  readonly #below: DatagramReceiver = {
    onDatagrams: (batch) => this.#arrive(batch),
    onDrain: () => this.#drained(),
    onError: (error) => this.#receiver?.onError(error),
    onClose: (error) => this.#lowerHasClosed(error),
  };

  #arrive(batch: DatagramBatch): void {
    for (const datagram of batch) {
      const fate = this.#incoming.draw();
      if (fate.lost) {
        this.#incoming.counts.lost++;
        continue;
      }
      if (fate.turns > 0) this.#incoming.hold(arrivalOf(datagram), fate);
      else this.#pass(arrivalOf(datagram));
      if (!fate.duplicated) continue;
      this.#incoming.counts.duplicated++;
      this.#pass(arrivalOf(datagram));
    }
    this.#deliver();
    this.#schedule();
  }

  #pass(arrival: Arrival): void {
    this.#toDeliver.push(arrival);
    this.#incoming.passed();
  }

  #deliver(): void {
    if (this.#paused || this.#toDeliver.length === 0 || this.#receiver === null) return;
    const arrivals = this.#toDeliver.splice(0);
    for (const { data, truncated } of arrivals) {
      this.#own.received++;
      this.#own.receivedBytes += data.byteLength;
      if (truncated) this.#own.truncated++;
    }
    const batch = new LentBatch(arrivals, this.#cursor);
    surface(() => this.#receiver?.onDatagrams(batch));
    batch.releaseRest();
  }

  #dropArrivals(): void {
    for (const arrival of [...this.#toDeliver.splice(0), ...this.#incoming.takeHeld()]) {
      this.#incoming.counts.lost++;
      arrival.release();
    }
  }

  #drained(): void {
    this.#sendWaiting();
    if (this.#toSend.length > 0 || !this.#drainOwed || this.#state !== 'open') return;
    this.#drainOwed = false;
    this.#receiver?.onDrain();
  }

  #lowerHasClosed(error: Error | null): void {
    if (this.#turn !== null) clearImmediate(this.#turn);
    this.#turn = null;
    this.#dropSends(error ?? closedError());
    this.#tellSettled();
    this.#incoming.flush();
    this.#deliver();
    this.#dropArrivals();
    this.#receiver?.onClose(error);
  }

  // Turns

  /** As long as something waits, time goes by for it. */
  #schedule(): void {
    const isDeliverable = this.#toDeliver.length > 0 && !this.#paused && this.#receiver !== null;
    const isWaiting = this.#outgoing.isHolding || this.#incoming.isHolding || this.#toSend.length > 0;
    if (this.#turn !== null || !(isDeliverable || isWaiting) || this.closed) return;
    this.#turn = setImmediate(() => {
      this.#turn = null;
      this.#outgoing.turn();
      this.#incoming.turn();
      this.#sendWaiting();
      this.#deliver();
      this.#schedule();
    });
  }
}

/** Keeps a datagram that is lent for now. */
function arrivalOf({ data, peer, truncated, tos, ttl, localAddress, interfaceIndex }: Datagram): Arrival {
  const held = lease(data);
  return {
    data: held.bytes,
    peer,
    truncated,
    tos,
    ttl,
    localAddress,
    interfaceIndex,
    release: () => held.release(),
  };
}
