import {
  ChannelError,
  type DatagramBatch,
  type DatagramChannel,
  type DatagramReceiver,
} from '@iocp/core/layer';
import { debug, errorEvents } from './diagnostics.js';
import type { Face } from './face.js';
import type { UdpSocket } from './udp-socket.js';

// Why the channel is paused: it flows when there is no reason left.
export const PAUSED_BY_USER = 1 << 0;
export const PAUSED_BY_FACE = 1 << 1;
const PAUSED_UNTIL_CLAIMED = 1 << 2;

interface DrainWaiter {
  resolve(): void;
  reject(error: Error): void;
}

/** The receiver behind a `UdpSocket`: passes events to the face that consumes it, and knows who waits for what. */
export class SocketCore implements DatagramReceiver {
  readonly socket: UdpSocket;
  readonly channel: DatagramChannel;
  #face: Face | null = null;
  #pauses = PAUSED_UNTIL_CLAIMED;
  /** A send was refused, and `onDrain` has not come yet. */
  #full = false;
  #closed = false;
  #closeError: Error | null = null;
  readonly #closeWaiters: ((error: Error | null) => void)[] = [];
  readonly #drainWaiters = new Set<DrainWaiter>();

  /** Takes the events of the channel; its datagrams wait in the system until a face wants them. */
  constructor(socket: UdpSocket, channel: DatagramChannel) {
    this.socket = socket;
    this.channel = channel;
    channel.pause();
    channel.attach(this);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Makes `face` the one consumer. Throws `ERR_CHANNEL_CONSUMER` when there is one. */
  claim(face: Face): void {
    if (this.#face !== null) {
      throw new ChannelError(
        'ERR_CHANNEL_CONSUMER',
        'This socket has a consumer already: handlers, and receive() and iteration, exclude each other',
      );
    }
    this.#face = face;
    if (this.#closed) queueMicrotask(() => face.close(this, this.#closeError));
    else this.letFlow(PAUSED_UNTIL_CLAIMED);
  }

  holdBack(reason: number): void {
    if (this.#pauses === 0) this.channel.pause();
    this.#pauses |= reason;
  }

  letFlow(reason: number): void {
    if ((this.#pauses & reason) === 0) return;
    this.#pauses &= ~reason;
    if (this.#pauses === 0) this.channel.resume();
  }

  /** A send was refused. */
  refused(): void {
    if (!this.channel.closed) this.#full = true;
  }

  /** @returns forgets the waiter */
  onceDrained(waiter: DrainWaiter): () => void {
    if (this.#closed || this.channel.closed) waiter.reject(closedBeforeDrain(this.#closeError));
    else if (this.#full) this.#drainWaiters.add(waiter);
    else waiter.resolve();
    return () => this.#drainWaiters.delete(waiter);
  }

  /** Calls back, in a microtask or later, when the channel has closed. */
  onceClosed(callback: (error: Error | null) => void): void {
    if (this.#closed) queueMicrotask(() => callback(this.#closeError));
    else this.#closeWaiters.push(callback);
  }

  onDatagrams(batch: DatagramBatch): void {
    if (this.#face !== null) this.#face.datagrams(this, batch);
  }

  onDrain(): void {
    this.#full = false;
    const waiters = [...this.#drainWaiters];
    this.#drainWaiters.clear();
    try {
      this.#face?.drain(this);
    } finally {
      for (const waiter of waiters) waiter.resolve();
    }
  }

  onError(error: Error): void {
    const { socket } = this;
    debug('%o %s', this.channel.info, error.message);
    if (errorEvents.hasSubscribers) errorEvents.publish({ socket, error });
    this.#face?.error(this, error);
  }

  onClose(error: Error | null): void {
    this.#closed = true;
    this.#closeError = error;
    try {
      this.#face?.close(this, error);
    } finally {
      for (const waiter of this.#drainWaiters) waiter.reject(closedBeforeDrain(error));
      this.#drainWaiters.clear();
      for (const callback of this.#closeWaiters.splice(0)) callback(error);
    }
  }
}

function closedBeforeDrain(error: Error | null): Error {
  return error ?? new ChannelError('ERR_CHANNEL_CLOSED', 'The socket closed before there was room to send');
}
