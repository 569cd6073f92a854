import { AsyncResource } from 'node:async_hooks';
import { type Turn, zlibGate } from './zlib-gate.js';
import type { ZlibListener, ZlibStream } from './zlib-stream.js';

/** One direction of one connection: its calls of zlib, one at a time and in turn with those of all others. */
export abstract class ZlibCaller implements Turn, ZlibListener {
  next: Turn | null = null;
  readonly concurrency: number;
  readonly #keepsStream: boolean;
  /** Whose `AsyncLocalStorage` holds in callbacks: not that of whoever had the turn before. */
  readonly #context = new AsyncResource('IOCP_ZLIB');
  #stream: ZlibStream | null = null;
  #input: Uint8Array | null = null;
  #running = false;
  #closed = false;

  /** @param keepsStream context takeover: the stream knows of earlier messages. Without, it lives as long as a call */
  protected constructor(concurrency: number, keepsStream: boolean) {
    this.concurrency = concurrency;
    this.#keepsStream = keepsStream;
  }

  /** May throw. */
  protected abstract makeStream(): ZlibStream;
  /** Of what is still to come in this call. */
  protected abstract readonly outputBytesMax: number;
  /** As `ZlibListener.onZlib`; finishes, or continues. Not called after `close`. */
  protected abstract onOutput(error: Error | null, output: Buffer | null): void;

  /**
   * Frees everything; no callback comes any more. zlib may go on for a moment with what it is in the middle of, and reads the input
   * it was given.
   */
  close(): void {
    this.#closed = true;
    this.#input = null;
    if (this.#running) this.#stream?.abandon();
    else this.#dropStream();
  }

  protected get closed(): boolean {
    return this.#closed;
  }

  protected begin(input: Uint8Array): void {
    if (this.#closed) return;
    this.#input = input;
    zlibGate.enter(this);
  }

  start(): boolean {
    if (this.#closed) return false;
    this.#running = true;
    this.#run();
    return true;
  }

  #run(): void {
    try {
      this.#stream ??= this.makeStream();
      this.#stream.run(this.#input as Uint8Array, this.outputBytesMax, this);
    } catch (error) {
      // No memory for a new stream.
      queueMicrotask(() => this.onZlib(error as Error, null));
    }
  }

  onZlib(error: Error | null, output: Buffer | null): void {
    if (this.#closed) this.finish();
    else this.#context.runInAsyncScope(this.onOutput, this, error, output);
  }

  /** Bytes of the input that came behind a final block. */
  protected get unusedBytes(): number {
    return this.#stream?.unusedBytes ?? 0;
  }

  /** After a final block: goes on with the last `byteCount` bytes of the input, in a stream that knows of nothing before. */
  protected runRest(byteCount: number): void {
    const input = this.#input as Uint8Array;
    this.#input = input.subarray(input.byteLength - byteCount);
    this.#dropStream();
    this.#run();
  }

  /** The call is over: lets others have their turn. */
  protected finish(): void {
    this.#running = false;
    this.#input = null;
    if (this.#closed || !this.#keepsStream || this.#stream?.usable === false) this.#dropStream();
    zlibGate.leave();
  }

  #dropStream(): void {
    this.#stream?.destroy();
    this.#stream = null;
  }
}
