import { constants, createDeflateRaw, deflateRawSync } from 'node:zlib';
import type { DeflateAgreement } from './negotiation.js';
import { windowBitsMin } from './settings.js';
import { ZlibCaller } from './zlib-caller.js';
import { ZlibStream } from './zlib-stream.js';

/** Gets a message's payload, compressed; or the error of zlib that prevented it, with which the connection cannot go on. */
export type DeflateCallback = (error: Error | null, compressed: Buffer | null) => void;

/** `00 00 ff ff`: how each flush of zlib ends; not sent (RFC 7692 section 7.2.1). */
const tailBytes = 4;

/** What is sent for an empty message: the beginning of an empty block (RFC 7692 section 7.2.3.6). */
const emptyMessage = Buffer.of(0);

/**
 * Compresses what one connection sends, RFC 7692 section 7.2.1. A compressor never goes from one connection to another: what zlib makes
 * after `reset()` can depend on bytes that it was given before, so that it tells one peer of another's messages.
 */
export class Deflater extends ZlibCaller {
  readonly #agreement: DeflateAgreement;
  #done: DeflateCallback | null = null;

  constructor(agreement: DeflateAgreement) {
    super(agreement.concurrency, agreement.contextTakeover);
    this.#agreement = agreement;
  }

  /**
   * One call at a time, whatever the length: the caller minds the threshold.
   * @param data must stay as it is until it is done
   * @param done is called once, not before this returns, and not after `close`
   */
  compress(data: Uint8Array, done: DeflateCallback): void {
    this.#done = done;
    if (data.byteLength > 0) this.begin(data);
    else queueMicrotask(() => this.#call(null, emptyMessage));
  }

  protected readonly outputBytesMax = Number.POSITIVE_INFINITY;

  protected makeStream(): ZlibStream {
    return new ZlibStream(
      createDeflateRaw({ ...zlibOptions(this.#agreement), flush: constants.Z_SYNC_FLUSH }),
    );
  }

  protected onOutput(error: Error | null, output: Buffer | null): void {
    this.finish();
    this.#call(error, output === null ? null : withoutTail(output));
  }

  #call(error: Error | null, compressed: Buffer | null): void {
    const done = this.#done;
    this.#done = null;
    if (!this.closed) done?.(error, compressed);
  }
}

/**
 * Compresses a message on its own and at once, to be sent on any number of connections. They must be without context takeover on this
 * side: what one sends besides its compressor makes the peer's window another than the compressor thinks.
 * @param agreement of one of them: its window must be at most that of the others
 */
export function compressOnce(data: Uint8Array, agreement: DeflateAgreement): Buffer {
  if (data.byteLength === 0) return emptyMessage;
  const finishFlush = constants.Z_SYNC_FLUSH;
  return withoutTail(deflateRawSync(data, { ...zlibOptions(agreement), finishFlush }));
}

/**
 * zlib does not compress with a window of 256 bytes; with the next one, of 512, it never refers back further than 250 (its `MAX_DIST`
 * leaves out 262 bytes), so that keeps to 256 as well.
 */
function zlibOptions({ windowBits, level, memLevel }: DeflateAgreement) {
  return { windowBits: Math.max(windowBits, windowBitsMin), level, memLevel };
}

function withoutTail(flushed: Buffer): Buffer {
  return flushed.subarray(0, flushed.byteLength - tailBytes);
}
