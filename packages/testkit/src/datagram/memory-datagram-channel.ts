/** One socket of an in-memory network of datagrams. */

import {
  ChannelError,
  type DatagramAddress,
  type DatagramChannel,
  type DatagramInfo,
  type DatagramQueueOptions,
  type DatagramReceiver,
  type DatagramSendOptions,
  type DatagramStats,
  flushSoon,
  type IoError,
} from '@iocp/core/layer';
import type { LentMemory } from '../lent-memory.js';
import { type Arrival, DatagramCursor, LentBatch } from './lent-batch.js';
import { MemoryDatagramQueue, type Outgoing, overflowError } from './memory-datagram-queue.js';
import {
  abortedError,
  byteLengthOf,
  checkSend,
  closedError,
  type DatagramData,
  keepDatagram,
} from './send-arguments.js';
import { surface } from './surface.js';

/** A datagram between two sockets. */
export interface Carried {
  readonly bytes: Uint8Array;
  readonly from: DatagramAddress;
  readonly to: DatagramAddress;
  readonly tos: number;
  readonly ttl: number;
}

/** What a socket needs of the network it belongs to. */
export interface MemoryDatagramOwner {
  readonly receivedDatagramsMax: number;
  readonly receivedBytesMax: number;
  /** Sends, or says why not. Null when it was sent, which says nothing of its arrival. */
  carry(from: MemoryDatagramChannel, datagram: Outgoing): IoError | null;
  closed(channel: MemoryDatagramChannel): void;
}

export interface MemoryDatagramAddresses {
  readonly local: DatagramAddress;
  /** Of a connected socket. */
  readonly remote: DatagramAddress | null;
  /** Whether an IPv6 socket carries IPv4 as well. */
  readonly dualStack: boolean;
}

export interface MemoryDatagramChannelOptions extends DatagramQueueOptions {
  /** Tells `tos`, `ttl`, `localAddress` and `interfaceIndex` of each datagram received. Default false. */
  readonly receiveInfo?: boolean;
}

/** Datagrams received in one turn of the event loop at most, and how many of them are delivered at once. */
const receivedPerTurnMax = 32;
const batchMax = 8;

/** Made by `memoryDatagramNetwork()`. */
export class MemoryDatagramChannel implements DatagramChannel {
  readonly info: DatagramInfo;
  readonly payloadBytesMax: number;
  readonly addresses: MemoryDatagramAddresses;
  readonly #owner: MemoryDatagramOwner;
  readonly #memory: LentMemory;
  readonly #queue: MemoryDatagramQueue;
  readonly #cursor: DatagramCursor;
  readonly #receiveInfo: boolean;
  readonly #dropped: (() => void)[] = [];
  readonly #answers: Error[] = [];
  readonly #carried: Carried[] = [];
  #carriedBytes = 0;
  #arrived: Arrival[] = [];
  #receiver: DatagramReceiver | null = null;
  #paused = false;
  #state: 'open' | 'closing' | 'aborted' | 'released' | 'closed' = 'open';
  #closeReason: Error | null = null;
  #turn: NodeJS.Immediate | null = null;
  readonly #counts = {
    sent: 0,
    sentBytes: 0,
    received: 0,
    receivedBytes: 0,
    truncated: 0,
    droppedClosed: 0,
    sendErrors: 0,
    droppedBySystem: 0,
  };

  constructor(
    owner: MemoryDatagramOwner,
    memory: LentMemory,
    addresses: MemoryDatagramAddresses,
    options: MemoryDatagramChannelOptions,
  ) {
    const { local, remote } = addresses;
    this.#owner = owner;
    this.#memory = memory;
    this.#queue = new MemoryDatagramQueue(options, (dropped, reason) => this.#drop(dropped, reason));
    this.#cursor = new DatagramCursor(this, remote !== null);
    this.#receiveInfo = options.receiveInfo ?? false;
    this.addresses = addresses;
    // The length of UDP has 16 bits, and that of IPv4 counts its header too.
    this.payloadBytesMax = local.family === 'IPv4' ? 65_507 : 65_527;
    this.info = {
      protocols: ['memory'],
      localAddress: local.address,
      localPort: local.port,
      remoteAddress: remote?.address,
      remotePort: remote?.port,
      family: local.family,
    };
  }

  get stats(): DatagramStats {
    return {
      ...this.#counts,
      droppedQueueFull: this.#queue.droppedFull,
      queued: this.#queue.length,
      queuedBytes: this.#queue.byteLength,
    };
  }

  get closed(): boolean {
    return this.#state === 'released' || this.#state === 'closed';
  }

  /** For leak checks: a send that the network has not answered. */
  get isSending(): boolean {
    return this.#queue.isInFlight;
  }

  attach(receiver: DatagramReceiver): void {
    if (this.#receiver !== null) {
      throw new ChannelError('ERR_CHANNEL_CONSUMER', 'The channel has a receiver already');
    }
    this.#receiver = receiver;
    this.#schedule();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#schedule();
  }

  close(): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    this.#schedule();
  }

  abort(reason?: Error): void {
    if (this.#state !== 'open' && this.#state !== 'closing') return;
    this.#state = 'aborted';
    this.#closeReason = reason ?? null;
    for (const datagram of this.#queue.clear()) {
      this.#counts.droppedClosed++;
      this.#drop(datagram, reason ?? abortedError());
    }
    this.#schedule();
  }

  // Sending

  send(data: DatagramData, to?: DatagramAddress, options?: DatagramSendOptions): boolean {
    checkSend(data, to, options, this.addresses.remote !== null);
    if (this.#state !== 'open') return this.#refuse(options, closedError());
    const room = this.#queue.makeRoom(byteLengthOf(data));
    if (room === 'block') return false;
    if (room === 'drop') return this.#refuse(options, overflowError());
    const destination = to ?? (this.addresses.remote as DatagramAddress);
    this.#queue.add({ kept: keepDatagram(data), to: destination, options });
    flushSoon(this);
    return true;
  }

  #refuse(options: DatagramSendOptions | undefined, reason: Error): false {
    const done = options?.done;
    if (done !== undefined) {
      this.#dropped.push(() => done(reason));
      this.#schedule();
    }
    return false;
  }

  #drop({ kept, options }: Outgoing, reason: Error): void {
    kept.release();
    this.#refuse(options, reason);
  }

  /** The end of the turn: hands over what is queued. */
  flush(): void {
    if (this.#state === 'aborted') return;
    this.#queue.begin();
    this.#schedule();
  }

  #transmit(): void {
    for (const datagram of this.#queue.settle()) {
      const error = this.#owner.carry(this, datagram);
      if (error === null) {
        this.#counts.sent++;
        this.#counts.sentBytes += datagram.kept.bytes.byteLength;
      } else {
        this.#counts.sendErrors++;
      }
      datagram.kept.release();
      this.#tellOutcome(datagram, error);
    }
    if (this.#state !== 'aborted') this.#queue.begin();
    if (this.#queue.length > 0) this.#schedule();
  }

  #tellOutcome({ options }: Outgoing, error: Error | null): void {
    if (options?.done !== undefined) surface(() => options.done?.(error));
    else if (error !== null) this.#answers.push(error);
  }

  // Receiving

  /**
   * For the network: a datagram for this socket. Like a kernel it keeps a few, and drops what is too much.
   * @returns false when it is not for this socket, which is connected to another.
   */
  arrive(carried: Carried): boolean {
    const { remote } = this.addresses;
    if (remote !== null && !remote.equals(carried.from)) return false;
    const { receivedDatagramsMax, receivedBytesMax } = this.#owner;
    const byteLength = this.#carriedBytes + carried.bytes.byteLength;
    if (this.#carried.length >= receivedDatagramsMax || byteLength > receivedBytesMax) {
      this.#counts.droppedBySystem++;
      return true;
    }
    this.#carried.push(carried);
    this.#carriedBytes = byteLength;
    this.#schedule();
    return true;
  }

  /** For the network: what became of an earlier datagram. */
  answer(error: Error): void {
    this.#answers.push(error);
    this.#schedule();
  }

  /** For the pool: a slot has come back. */
  slotFreed(): void {
    if (this.#carried.length > 0) this.#schedule();
  }

  get #receiving(): boolean {
    return this.#receiver !== null && !this.#paused && (this.#state === 'open' || this.#state === 'closing');
  }

  #receive(receiver: DatagramReceiver): void {
    const parked = this.#receiving && !this.#takeArrivals();
    while (this.#receiving && this.#arrived.length > 0) this.#deliver(receiver);
    if (this.#receiving && this.#carried.length > 0 && !parked) this.#schedule();
  }

  /**
   * Receives ahead of the delivery, as a completion port does: what a handler pauses in the middle of has arrived already.
   * @returns false when there was no slot
   */
  #takeArrivals(): boolean {
    while (this.#arrived.length < receivedPerTurnMax && this.#carried.length > 0) {
      const slot = this.#memory.take();
      if (slot === null) return false;
      const carried = this.#carried.shift() as Carried;
      this.#carriedBytes -= carried.bytes.byteLength;
      this.#arrived.push(this.#arrivalOf(carried, slot));
    }
    return true;
  }

  #arrivalOf({ bytes, from, to, tos, ttl }: Carried, slot: Buffer): Arrival {
    const known = bytes.subarray(0, slot.byteLength);
    slot.set(known);
    return {
      data: slot.subarray(0, known.byteLength),
      peer: from,
      truncated: known.byteLength < bytes.byteLength,
      tos: this.#receiveInfo ? tos : undefined,
      ttl: this.#receiveInfo ? ttl : undefined,
      localAddress: this.#receiveInfo ? to.address : undefined,
      interfaceIndex: this.#receiveInfo ? 1 : undefined,
      release: () => this.#memory.release(slot.byteOffset),
    };
  }

  #deliver(receiver: DatagramReceiver): void {
    const arrivals = this.#arrived.splice(0, batchMax);
    for (const { data, truncated } of arrivals) {
      this.#counts.received++;
      this.#counts.receivedBytes += data.byteLength;
      if (truncated) this.#counts.truncated++;
    }
    const batch = new LentBatch(arrivals, this.#cursor);
    surface(() => receiver.onDatagrams(batch));
    batch.releaseRest();
  }

  // The turn

  /** Looks for work in the next turn of the event loop: like a kernel, this medium never answers from inside a call. */
  #schedule(): void {
    this.#turn ??= setImmediate(() => {
      this.#turn = null;
      this.#work();
    });
  }

  #work(): void {
    this.#transmit();
    for (const tell of this.#dropped.splice(0)) surface(tell);
    if (this.#receiver !== null) this.#tellReceiver(this.#receiver);
    const isDone = this.#state === 'closing' && this.#queue.length === 0;
    if (isDone || this.#state === 'aborted') this.#release();
    if (this.#state === 'released' && this.#receiver !== null) this.#tellClose(this.#receiver);
  }

  #tellReceiver(receiver: DatagramReceiver): void {
    for (const error of this.#answers.splice(0)) surface(() => receiver.onError(error));
    this.#receive(receiver);
    if (!this.#queue.drainOwed || !this.#queue.halfFree || this.#state !== 'open') return;
    this.#queue.drainOwed = false;
    surface(() => receiver.onDrain());
  }

  #release(): void {
    for (const tell of this.#dropped.splice(0)) surface(tell);
    for (const arrival of this.#arrived.splice(0)) arrival.release();
    this.#carried.length = 0;
    this.#state = 'released';
    this.#owner.closed(this);
  }

  #tellClose(receiver: DatagramReceiver): void {
    this.#state = 'closed';
    surface(() => receiver.onClose(this.#closeReason));
  }
}
