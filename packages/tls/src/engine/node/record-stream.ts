import { Duplex } from 'node:stream';

/**
 * What `node:tls` believes to be its connection: records that it writes are handed over at once, and records of the peer are
 * pushed into it. It never ends by itself, in either direction.
 */
export class RecordStream extends Duplex {
  /**
   * While true, input waits until the output before it is through. Node writes nothing to a stream in JavaScript until it has
   * heard, two ticks and an immediate later, that its last write is done, and a TLSSocket that fails meanwhile takes its
   * alert with it.
   */
  handshaking = true;
  readonly #output: (records: Buffer) => void;
  #arrived: Buffer[] = [];
  #holds = 0;
  #delivering = false;
  #ended = false;
  #whenDelivered: (() => void) | undefined;

  constructor(output: (records: Buffer) => void) {
    super({ allowHalfOpen: true, autoDestroy: false });
    this.#output = output;
  }

  /** TLS is taking in something right now. */
  get delivering(): boolean {
    return this.#delivering;
  }

  /** Hands records of the peer to TLS, now or as soon as it may have them. They must stay as they are. */
  deliver(records: Buffer): void {
    this.#arrived.push(records);
    this.#deliverMore();
  }

  /** @param whenDelivered called when TLS has had what came until now, and the time to say what it thinks of it */
  deliverEnd(whenDelivered: () => void): void {
    this.#whenDelivered = whenDelivered;
    this.#deliverMore();
  }

  /** Input waits until as many calls of `release`. */
  hold(): void {
    this.#holds++;
  }

  release(): void {
    this.#holds--;
    this.#deliverMore();
  }

  #deliverMore(): void {
    if (this.#delivering) return;
    this.#delivering = true;
    try {
      while (this.#holds === 0 && !this.destroyed) {
        const records = this.#arrived.shift();
        if (records === undefined) break;
        this.push(records);
      }
    } finally {
      this.#delivering = false;
    }
    if (this.#whenDelivered !== undefined && this.#holds === 0 && this.#arrived.length === 0) {
      setImmediate(this.#whenDelivered);
      this.#whenDelivered = undefined;
    }
  }

  override _read(): void {}

  override _write(records: Buffer, _encoding: BufferEncoding, done: () => void): void {
    // Whoever answers from inside must not find TLS in the middle of its write.
    this.#holds++;
    if (!this.#ended) this.#output(records);
    done();
    if (this.handshaking) process.nextTick(releaseAfterWrite, this);
    else if (this.#arrived.length > 0 || this.#whenDelivered !== undefined) process.nextTick(release, this);
    else this.#holds--;
  }

  /** TLS has said all that it will say. What is behind has to say so is not its affair. */
  override end(...args: readonly unknown[]): this {
    this.#ended = true;
    const done = args.at(-1);
    if (typeof done === 'function') done();
    return this;
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#ended = true;
    this.#arrived = [];
    this.#whenDelivered = undefined;
    done(error);
  }
}

function release(stream: RecordStream): void {
  stream.release();
}

function releaseAfterWrite(stream: RecordStream): void {
  setImmediate(release, stream);
}
