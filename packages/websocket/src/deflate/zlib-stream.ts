import { constants as bufferConstants } from 'node:buffer';
import type { DeflateRaw, InflateRaw } from 'node:zlib';

/** Gets the outcome of `run`. */
export interface ZlibListener {
  /**
   * @param error of zlib; or null
   * @param output everything; null after an error, and when there was more than asked for
   */
  onZlib(error: Error | null, output: Buffer | null): void;
}

let openCount = 0;

/** Streams of this thread that hold memory of zlib's. */
export function openZlibStreams(): number {
  return openCount;
}

/** A stream of `node:zlib` that is given one piece of input at a time, and whose output is gathered. */
export class ZlibStream {
  readonly #stream: DeflateRaw | InflateRaw;
  readonly #written = () => this.#onWritten();
  #listener: ZlibListener | null = null;
  #chunks: Buffer[] = [];
  #outputBytes = 0;
  #outputBytesMax = 0;
  #inputEnd = 0;
  #open = true;
  #usable = true;

  /** @param stream flushes what it is given: its option `flush` is `Z_SYNC_FLUSH` */
  constructor(stream: DeflateRaw | InflateRaw) {
    openCount += 1;
    this.#stream = stream;
    stream.on('data', (chunk: Buffer) => this.#onData(chunk));
    stream.on('error', (error: Error) => this.#settle(error, null));
  }

  /** False after an error, a final block, and more output than asked for: only `destroy` is left. */
  get usable(): boolean {
    return this.#usable;
  }

  /** Bytes of the last input that were not used, because a final block came before them. */
  get unusedBytes(): number {
    return this.#inputEnd - this.#stream.bytesWritten;
  }

  /**
   * @param input must stay as it is until the outcome is there
   * @param outputBytesMax inclusive; no more than one piece of 16 KiB is made beyond it
   * @param listener is called once, not before this returns
   */
  run(input: Uint8Array, outputBytesMax: number, listener: ZlibListener): void {
    this.#listener = listener;
    this.#outputBytesMax = Math.min(outputBytesMax, bufferConstants.MAX_LENGTH);
    this.#inputEnd = this.#stream.bytesWritten + input.byteLength;
    this.#stream.write(input, this.#written);
  }

  /** The outcome does not matter any more: it comes soon, with no output. */
  abandon(): void {
    this.#outputBytesMax = -1;
  }

  /** Frees it. Not while `run` is under way: see `abandon`. */
  destroy(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#usable = false;
    openCount -= 1;
    this.#stream.destroy();
  }

  #onData(chunk: Buffer): void {
    this.#outputBytes += chunk.byteLength;
    if (this.#outputBytes <= this.#outputBytesMax) this.#chunks.push(chunk);
    else if (this.#listener !== null) this.#settle(null, null);
  }

  #onWritten(): void {
    if (this.#listener === null) return;
    if (this.unusedBytes > 0) this.#usable = false;
    const chunks = this.#chunks;
    this.#settle(
      null,
      chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, this.#outputBytes),
    );
  }

  #settle(error: Error | null, output: Buffer | null): void {
    const listener = this.#listener;
    this.#listener = null;
    this.#chunks = [];
    this.#outputBytes = 0;
    // zlib is between two pieces of output: nothing runs on.
    if (output === null) this.destroy();
    listener?.onZlib(error, output);
  }
}
