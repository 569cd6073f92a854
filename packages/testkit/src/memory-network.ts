/** Connections inside one process: real backpressure, half-close, reset and lent bytes, and no system underneath. */

import {
  type Channel,
  ChannelError,
  type ChannelListener,
  type ChannelOptions,
  IoError,
  type Transport,
} from '@iocp/core/layer';
import type { LeakSource, LeakStats } from './leak-check.js';
import { LentBlocks } from './lent-blocks.js';
import { LentMemory } from './lent-memory.js';
import { MemoryChannel, type MemoryChannelOwner } from './memory-channel.js';
import { Pipe } from './pipe.js';
import { nextTurn } from './turns.js';

export interface MemoryNetworkOptions extends ChannelOptions {
  /** Bytes on the way in one direction at most, as a kernel's socket buffers hold them. Default 64 KiB. */
  readonly pipeBytesMax?: number;
  /** Size of one slot: the most bytes one `onData` delivers. Default 4 KiB. */
  readonly slotBytes?: number;
  /** Slots of one channel: its quota. When all are held, its receive is parked. Default 16. */
  readonly slotsPerChannel?: number;
  /** Connections that wait for `accept` at most; further `connect`s wait. Default 128. */
  readonly backlog?: number;
}

/** What layers may fill: blocks of the size of the smallest that ports have, and few enough to run out of them. */
const blockBytes = 4096;
const blocksMax = 64;

/** Connections and listeners of one in-memory world. Addresses are any strings. */
export class MemoryNetwork implements Transport<string>, LeakSource {
  readonly #options: MemoryNetworkOptions;
  readonly #listeners = new Map<string, MemoryListener>();
  readonly #open = new Map<MemoryChannel, LentMemory>();
  #sends = 0;
  #blocks: LentBlocks | null = null;
  readonly #owner: MemoryChannelOwner;

  constructor(options: MemoryNetworkOptions = {}) {
    this.#options = options;
    this.#owner = {
      writeMemory: () => {
        this.#blocks ??= new LentBlocks(blockBytes, blocksMax);
        return this.#blocks;
      },
      sendBegan: () => void this.#sends++,
      sendSettled: () => void this.#sends--,
      closed: (channel) => this.#forget(channel),
    };
  }

  /** Open channels and listeners, sends under way, and slots that are held: also those of closed channels. */
  get stats(): LeakStats {
    let javascript = this.#blocks?.blocksHeld ?? 0;
    for (const memory of this.#open.values()) javascript += memory.slotsHeld;
    for (const memory of this.#lingering) javascript += memory.slotsHeld;
    return {
      operationsInFlight: this.#sends,
      handlesOpen: this.#open.size + this.#listeners.size,
      slots: { javascript },
    };
  }

  /** Memory of closed channels of which slots are still leased. */
  readonly #lingering = new Set<LentMemory>();

  #forget(channel: MemoryChannel): void {
    const memory = this.#open.get(channel);
    this.#open.delete(channel);
    if (memory !== undefined && memory.slotsHeld > 0) this.#lingering.add(memory);
  }

  /** Two connected channels. */
  pair(address = 'memory'): MemoryPair {
    const pipeBytesMax = this.#options.pipeBytesMax ?? 64 * 1024;
    const there = new Pipe(pipeBytesMax);
    const back = new Pipe(pipeBytesMax);
    return {
      near: this.#channel(
        { localAddress: 'client', remoteAddress: address },
        { incoming: back, outgoing: there },
      ),
      far: this.#channel(
        { localAddress: address, remoteAddress: 'client' },
        { incoming: there, outgoing: back },
      ),
    };
  }

  #channel(
    addresses: { localAddress: string; remoteAddress: string },
    pipes: { incoming: Pipe; outgoing: Pipe },
  ) {
    const memory = new LentMemory(
      this.#options.slotBytes ?? 4096,
      this.#options.slotsPerChannel ?? 16,
      () => {
        channel.slotFreed();
        if (memory.slotsHeld === 0) this.#lingering.delete(memory);
      },
    );
    const info = { protocols: ['memory'], family: 'memory', ...addresses };
    const channel = new MemoryChannel(info, this.#owner, memory, pipes, this.#options);
    this.#open.set(channel, memory);
    return channel;
  }

  /**
   * Connects to a listener of this network.
   * Rejects with `ECONNREFUSED` when there is none, and with `signal.reason` when the signal fires before there is
   * room in the listener's backlog.
   */
  async connect(
    address: string,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<Channel> {
    options.signal?.throwIfAborted();
    await nextTurn();
    for (;;) {
      options.signal?.throwIfAborted();
      const listener = this.#listeners.get(address);
      if (listener === undefined) throw refused(address);
      if (!listener.full) {
        const pair = this.pair(address);
        listener.arrived(pair.far);
        return pair.near;
      }
      await listener.room(options.signal);
    }
  }

  /** Listens. Rejects with `EADDRINUSE` when somebody does already. */
  async listen(address: string): Promise<ChannelListener<string>> {
    if (this.#listeners.has(address)) {
      throw new IoError(`listen EADDRINUSE: somebody listens at '${address}' already`, {
        code: 'EADDRINUSE',
        errno: -98,
        syscall: 'listen',
        address,
      });
    }
    const listener = new MemoryListener(address, this.#options.backlog ?? 128, () =>
      this.#listeners.delete(address),
    );
    this.#listeners.set(address, listener);
    return listener;
  }
}

export interface MemoryPair {
  readonly near: MemoryChannel;
  readonly far: MemoryChannel;
}

/** Two connected channels in memory, for tests of what stands on a channel. */
export function memoryPair(options: MemoryNetworkOptions = {}): MemoryPair {
  return new MemoryNetwork(options).pair();
}

function refused(address: string): IoError {
  return new IoError(`connect ECONNREFUSED ${address}: nobody listens there`, {
    code: 'ECONNREFUSED',
    errno: -111,
    syscall: 'connect',
    address,
  });
}

/** Accepts connections of a `MemoryNetwork`. */
class MemoryListener implements ChannelListener<string> {
  readonly #address: string;
  readonly #backlogMax: number;
  readonly #onClose: () => void;
  readonly #backlog: Channel[] = [];
  readonly #accepts: ((channel: Channel | null) => void)[] = [];
  #roomWaiters: (() => void)[] = [];
  #closed = false;

  constructor(address: string, backlogMax: number, onClose: () => void) {
    this.#address = address;
    this.#backlogMax = backlogMax;
    this.#onClose = onClose;
  }

  address(): string {
    return this.#address;
  }

  get full(): boolean {
    return this.#backlog.length >= this.#backlogMax;
  }

  arrived(channel: Channel): void {
    const accept = this.#accepts.shift();
    if (accept === undefined) this.#backlog.push(channel);
    else accept(channel);
  }

  /** Resolves when there may be room again, rejects with the reason of the signal. */
  async room(signal: AbortSignal | undefined): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const stop = () => reject(signal?.reason);
      this.#roomWaiters.push(() => {
        signal?.removeEventListener('abort', stop);
        resolve();
      });
      signal?.addEventListener('abort', stop, { once: true });
    });
  }

  #wakeRoomWaiters(): void {
    const waiters = this.#roomWaiters;
    this.#roomWaiters = [];
    for (const wake of waiters) wake();
  }

  async accept(options: { readonly signal?: AbortSignal | undefined } = {}): Promise<Channel | null> {
    const { signal } = options;
    signal?.throwIfAborted();
    const channel = this.#backlog.shift();
    if (channel !== undefined) {
      this.#wakeRoomWaiters();
      return channel;
    }
    if (this.#closed) return null;
    return new Promise((resolve, reject) => {
      const accept = (accepted: Channel | null) => {
        signal?.removeEventListener('abort', stop);
        resolve(accepted);
      };
      const stop = () => {
        this.#accepts.splice(this.#accepts.indexOf(accept), 1);
        reject(signal?.reason);
      };
      signal?.addEventListener('abort', stop, { once: true });
      this.#accepts.push(accept);
    });
  }

  /** Stops listening. Connections nobody has accepted are aborted, waiting `accept`s get null. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#onClose();
    for (const accept of this.#accepts.splice(0)) accept(null);
    const reason = new ChannelError(
      'ERR_CHANNEL_ABORTED',
      'The listener closed before the connection was accepted',
    );
    for (const channel of this.#backlog.splice(0)) channel.abort(reason);
    this.#wakeRoomWaiters();
  }
}
