import { ChannelError, type DatagramBatch, onAbort } from '@iocp/core/layer';
import type { Face } from './face.js';
import { UdpMessage } from './message.js';
import { PAUSED_BY_FACE, type SocketCore } from './socket-core.js';

interface Waiter {
  /** How many messages it takes at most. */
  readonly max: number;
  resolve(messages: UdpMessage[] | null): void;
  reject(reason: unknown): void;
  stopListening(): void;
}

/** Promises over a socket: messages wait here, up to a mark, until they are taken. */
export class Inbox implements Face {
  readonly #core: SocketCore;
  readonly #queueMax: number;
  readonly #messages: UdpMessage[] = [];
  readonly #waiters: Waiter[] = [];
  /** For whoever takes next: what the network has answered. */
  #answer: Error | null = null;
  #closed = false;
  #closeError: Error | null = null;
  #iterating = false;

  constructor(core: SocketCore, queueMax: number) {
    this.#core = core;
    this.#queueMax = queueMax;
  }

  /**
   * @param max how many messages at most.
   * @returns at least one message, or null when the socket has closed
   */
  take(max: number, signal: AbortSignal | undefined): Promise<UdpMessage[] | null> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#messages.length > 0) return Promise.resolve(this.#remove(max));
    const error = this.#answer ?? this.#closeError;
    this.#answer = null;
    if (error !== null) return Promise.reject(error);
    if (this.#closed) return Promise.resolve(null);
    return this.#wait(max, signal);
  }

  /** All that is there, again and again. Two loops over one socket would tear its messages apart. */
  async *batches(signal: AbortSignal | undefined): AsyncGenerator<UdpMessage[], void, undefined> {
    if (this.#iterating) {
      throw new ChannelError('ERR_CHANNEL_CONSUMER', 'Another iteration over this socket is under way');
    }
    this.#iterating = true;
    try {
      for (;;) {
        const messages = await this.take(Number.POSITIVE_INFINITY, signal);
        if (messages === null) return;
        yield messages;
      }
    } finally {
      this.#iterating = false;
    }
  }

  datagrams(core: SocketCore, batch: DatagramBatch): void {
    for (const datagram of batch) this.#messages.push(new UdpMessage(datagram));
    while (this.#messages.length > 0) {
      const waiter = this.#waiters.shift();
      if (waiter === undefined) break;
      waiter.stopListening();
      waiter.resolve(this.#remove(waiter.max));
    }
    if (this.#messages.length > this.#queueMax) core.holdBack(PAUSED_BY_FACE);
  }

  drain(): void {}

  /** Only a connected socket knows that it was about the one peer: a server must not stumble over one of many. */
  error(core: SocketCore, error: Error): void {
    if (core.channel.info.remotePort === undefined || this.#iterating) return;
    const waiter = this.#waiters.shift();
    if (waiter === undefined) {
      this.#answer = error;
      return;
    }
    waiter.stopListening();
    waiter.reject(error);
  }

  close(_core: SocketCore, error: Error | null): void {
    this.#closed = true;
    this.#closeError = error;
    for (const waiter of this.#waiters.splice(0)) {
      waiter.stopListening();
      if (error === null) waiter.resolve(null);
      else waiter.reject(error);
    }
  }

  #remove(max: number): UdpMessage[] {
    const messages = this.#messages.splice(0, max);
    if (this.#messages.length <= this.#queueMax >> 1) this.#core.letFlow(PAUSED_BY_FACE);
    return messages;
  }

  #wait(max: number, signal: AbortSignal | undefined): Promise<UdpMessage[] | null> {
    return new Promise((resolve, reject) => {
      const stopListening = onAbort(signal, () => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        reject(signal?.reason);
      });
      const waiter: Waiter = { max, resolve, reject, stopListening };
      this.#waiters.push(waiter);
    });
  }
}
