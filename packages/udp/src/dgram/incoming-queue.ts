/** As `dgram.RemoteInfo`. */
export interface RemoteInfo {
  /** IPv6 link-local ones with `%zone`. */
  address: string;
  family: 'IPv4' | 'IPv6';
  port: number;
  /** Bytes of the datagram. */
  size: number;
}

interface Incoming {
  readonly data: Buffer<ArrayBuffer>;
  readonly sender: RemoteInfo;
}

/**
 * Received datagrams on their way to listeners, one by one: between two of them all ticks and microtasks run, so that who
 * awaits one `message` event after the other misses none, and what a listener throws ends nothing but its own call.
 */
export class IncomingQueue {
  readonly #emit: (data: Buffer<ArrayBuffer>, sender: RemoteInfo) => void;
  #waiting: Incoming[] = [];
  #first = 0;
  #scheduled = false;
  readonly #next = (): void => this.#emitNext();
  readonly #afterMicrotasks = (): void => process.nextTick(this.#next);

  constructor(emit: (data: Buffer<ArrayBuffer>, sender: RemoteInfo) => void) {
    this.#emit = emit;
  }

  push(data: Buffer<ArrayBuffer>, sender: RemoteInfo): void {
    this.#waiting.push({ data, sender });
    if (this.#scheduled) return;
    this.#scheduled = true;
    process.nextTick(this.#next);
  }

  clear(): void {
    this.#waiting = [];
    this.#first = 0;
  }

  #emitNext(): void {
    const next = this.#waiting[this.#first++];
    this.#scheduled = this.#first < this.#waiting.length;
    if (!this.#scheduled) this.clear();
    // Queued before the microtasks of the listeners, run after all that they lead to: ticks wait for microtasks.
    else queueMicrotask(this.#afterMicrotasks);
    if (next !== undefined) this.#emit(next.data, next.sender);
  }
}
