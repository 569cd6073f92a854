/** One direction between two memory channels: a bounded buffer, as a kernel keeps one for a socket. */

export class Pipe {
  readonly #buffer: Uint8Array;
  #start = 0;
  #length = 0;
  /** The writing side will write no more. */
  ended = false;
  /** The writing side has gone without an end: what is still in here is lost. */
  reset = false;
  /** The reading side has gone: what is written will never be read. */
  abandoned = false;
  /** Called after bytes, the end or a reset came in: the reading side has something to do. */
  onReadable: () => void = () => {};
  /** Called after bytes were taken out: the writing side has room. */
  onWritable: () => void = () => {};

  constructor(capacityBytes: number) {
    this.#buffer = new Uint8Array(capacityBytes);
  }

  get byteLength(): number {
    return this.#length;
  }

  /** Takes as many bytes as there is room for, and says how many. */
  push(bytes: Uint8Array): number {
    let pushed = 0;
    while (pushed < bytes.byteLength && this.#length < this.#buffer.byteLength) {
      const from = (this.#start + this.#length) % this.#buffer.byteLength;
      const to = from < this.#start ? this.#start : this.#buffer.byteLength;
      const part = bytes.subarray(pushed, pushed + to - from);
      this.#buffer.set(part, from);
      this.#length += part.byteLength;
      pushed += part.byteLength;
    }
    if (pushed > 0) this.onReadable();
    return pushed;
  }

  /** Moves as many bytes as there are, and fit, into `target`, and says how many. */
  pull(target: Uint8Array): number {
    const byteCount = Math.min(this.#length, target.byteLength);
    const first = this.#buffer.subarray(this.#start, this.#start + byteCount);
    target.set(first);
    target.set(this.#buffer.subarray(0, byteCount - first.byteLength), first.byteLength);
    this.#start = (this.#start + byteCount) % this.#buffer.byteLength;
    this.#length -= byteCount;
    if (byteCount > 0) this.onWritable();
    return byteCount;
  }

  end(): void {
    this.ended = true;
    this.onReadable();
  }

  /** The writing side goes without an end. */
  breakOff(): void {
    this.reset = true;
    this.#length = 0;
    this.onReadable();
  }

  /** The reading side goes. */
  abandon(): void {
    this.abandoned = true;
    this.onWritable();
  }
}
