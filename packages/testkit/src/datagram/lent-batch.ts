/** Datagrams on their way to a receiver: one object for all of them, bytes that are valid for one step of a loop. */

import type {
  Datagram,
  DatagramAddress,
  DatagramBatch,
  DatagramChannel,
  DatagramSendOptions,
} from '@iocp/core/layer';

/** A datagram that has arrived and was not delivered yet. */
export interface Arrival extends Omit<Datagram, 'address' | 'port' | 'family' | 'reply'> {
  /** Gives the bytes back. Called once. */
  release(): void;
}

/** Shows one arrival after the other. A channel needs one. */
export class DatagramCursor implements Datagram {
  readonly #channel: DatagramChannel;
  readonly #connected: boolean;
  #arrival: Arrival | null = null;

  constructor(channel: DatagramChannel, connected: boolean) {
    this.#channel = channel;
    this.#connected = connected;
  }

  show(arrival: Arrival): void {
    this.#arrival = arrival;
  }

  get #shown(): Arrival {
    if (this.#arrival === null) throw new Error('There is no datagram before the loop over the batch begins');
    return this.#arrival;
  }

  get data(): Uint8Array {
    return this.#shown.data;
  }
  get peer(): DatagramAddress {
    return this.#shown.peer;
  }
  get address(): string {
    return this.#shown.peer.address;
  }
  get port(): number {
    return this.#shown.peer.port;
  }
  get family(): 'IPv4' | 'IPv6' {
    return this.#shown.peer.family;
  }
  get truncated(): boolean {
    return this.#shown.truncated;
  }
  get tos(): number | undefined {
    return this.#shown.tos;
  }
  get ttl(): number | undefined {
    return this.#shown.ttl;
  }
  get localAddress(): string | undefined {
    return this.#shown.localAddress;
  }
  get interfaceIndex(): number | undefined {
    return this.#shown.interfaceIndex;
  }

  reply(data: Uint8Array, options?: DatagramSendOptions): boolean {
    return this.#channel.send(data, this.#connected ? undefined : this.peer, options);
  }
}

/** A batch whose bytes go back one by one, as the loop goes on. */
export class LentBatch implements DatagramBatch {
  readonly #arrivals: readonly Arrival[];
  readonly #cursor: DatagramCursor;
  #next = 0;

  constructor(arrivals: readonly Arrival[], cursor: DatagramCursor) {
    this.#arrivals = arrivals;
    this.#cursor = cursor;
  }

  get length(): number {
    return this.#arrivals.length;
  }

  *[Symbol.iterator](): Generator<Datagram, void, undefined> {
    for (let arrival = this.#take(); arrival !== undefined; arrival = this.#take()) {
      this.#cursor.show(arrival);
      try {
        yield this.#cursor;
      } finally {
        arrival.release();
      }
    }
  }

  /** Gives back what the receiver did not look at, once it has returned. */
  releaseRest(): void {
    for (let arrival = this.#take(); arrival !== undefined; arrival = this.#take()) arrival.release();
  }

  #take(): Arrival | undefined {
    return this.#arrivals[this.#next++];
  }
}
