import {
  type Datagram,
  type DatagramAddress,
  type DatagramBatch,
  type DatagramSendOptions,
  ownBytes,
} from '@iocp/core/layer';

/** Stands for the datagram that another cursor stands for; its bytes are the application's own, copied when asked for. */
class OwnedDatagram implements Datagram {
  #lent: Datagram | null = null;
  #data: Uint8Array | null = null;

  enter(lent: Datagram): void {
    this.#lent = lent;
    this.#data = null;
  }

  get data(): Uint8Array {
    this.#data ??= ownBytes(this.#current.data);
    return this.#data;
  }

  get peer(): DatagramAddress {
    return this.#current.peer;
  }

  get address(): string {
    return this.#current.address;
  }

  get port(): number {
    return this.#current.port;
  }

  get family(): 'IPv4' | 'IPv6' {
    return this.#current.family;
  }

  get truncated(): boolean {
    return this.#current.truncated;
  }

  get tos(): number | undefined {
    return this.#current.tos;
  }

  get ttl(): number | undefined {
    return this.#current.ttl;
  }

  get localAddress(): string | undefined {
    return this.#current.localAddress;
  }

  get interfaceIndex(): number | undefined {
    return this.#current.interfaceIndex;
  }

  reply(data: Uint8Array, options?: DatagramSendOptions): boolean {
    return this.#current.reply(data, options);
  }

  get #current(): Datagram {
    if (this.#lent === null) throw new Error('There is no datagram before the loop over the batch begins');
    return this.#lent;
  }
}

/** A batch whose bytes may be kept. One object serves all batches of a socket. */
export class OwnedBatch implements DatagramBatch, Iterator<Datagram> {
  readonly #cursor = new OwnedDatagram();
  readonly #more: { readonly done: false; readonly value: Datagram } = { done: false, value: this.#cursor };
  readonly #end = { done: true, value: undefined } as const;
  #batch: DatagramBatch | null = null;
  #inner: Iterator<Datagram> | null = null;

  /** Stands for another batch from now on. */
  of(batch: DatagramBatch): this {
    this.#batch = batch;
    this.#inner = null;
    return this;
  }

  get length(): number {
    return this.#batch === null ? 0 : this.#batch.length;
  }

  [Symbol.iterator](): Iterator<Datagram> {
    this.#inner = this.#batch === null ? null : this.#batch[Symbol.iterator]();
    return this;
  }

  next(): IteratorResult<Datagram> {
    const step = this.#inner?.next();
    if (step === undefined || step.done === true) return this.#end;
    this.#cursor.enter(step.value);
    return this.#more;
  }

  /** The loop was left early. */
  return(): IteratorResult<Datagram> {
    this.#inner?.return?.();
    this.#inner = null;
    return this.#end;
  }
}
