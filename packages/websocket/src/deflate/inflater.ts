import { constants, createInflateRaw } from 'node:zlib';
import { type WebSocketError, webSocketError } from '../errors.js';
import type { DeflateAgreement } from './negotiation.js';
import { ZlibCaller } from './zlib-caller.js';
import { ZlibStream } from './zlib-stream.js';

/**
 * Gets a message's payload, its own bytes; or `ERR_WS_INVALID_DEFLATE` (1007), or `ERR_WS_MESSAGE_TOO_LONG` (1009), with which the
 * connection cannot go on.
 */
export type InflateCallback = (error: WebSocketError | null, plain: Buffer | null) => void;

/** What the sender has left out (RFC 7692 section 7.2.2). */
const tail = Buffer.of(0, 0, 0xff, 0xff);

/**
 * Blocks with BFINAL that a message may have before the end. Nobody needs more than a few, and zlib starts anew after each: two bytes of
 * the peer's would buy a lot of work.
 */
const finalBlocksMax = 64;

/** Decompresses what one connection receives, RFC 7692 section 7.2.2. */
export class Inflater extends ZlibCaller {
  readonly #agreement: DeflateAgreement;
  readonly #payloadBytesMax: number;
  #done: InflateCallback | null = null;
  /** What came before a final block, of the message under way. */
  #parts: Buffer[] = [];
  #partsBytes = 0;

  /** @param payloadBytesMax of a message when it is decompressed, inclusive */
  constructor(agreement: DeflateAgreement, payloadBytesMax: number) {
    super(agreement.concurrency, agreement.peerContextTakeover);
    this.#agreement = agreement;
    this.#payloadBytesMax = payloadBytesMax;
  }

  /**
   * One call at a time.
   * @param data the payload of a compressed message; copied before this returns
   * @param done is called once, not before this returns, and not after `close`
   */
  inflate(data: Uint8Array, done: InflateCallback): void {
    this.#done = done;
    // Not what RFC 7692 makes of an empty message, but it cannot mean anything else.
    if (data.byteLength === 0) queueMicrotask(() => this.#call(null, Buffer.alloc(0)));
    else this.begin(Buffer.concat([data, tail], data.byteLength + tail.byteLength));
  }

  protected get outputBytesMax(): number {
    return this.#payloadBytesMax - this.#partsBytes;
  }

  protected makeStream(): ZlibStream {
    const flush = constants.Z_SYNC_FLUSH;
    return new ZlibStream(createInflateRaw({ flush, windowBits: this.#agreement.peerWindowBits }));
  }

  protected onOutput(error: Error | null, output: Buffer | null): void {
    if (error !== null) this.#fail(invalidDeflate(error.message, error));
    else if (output === null) this.#fail(this.#tooLong());
    else if (this.unusedBytes > tail.byteLength) this.#continueAfter(output);
    else this.#succeed(output);
  }

  /**
   * A final block has ended zlib's stream, not the message (RFC 7692 section 7.2.3.4). What follows does not refer to what was before:
   * no compressor does so across the end of a stream.
   */
  #continueAfter(output: Buffer): void {
    this.#parts.push(output);
    this.#partsBytes += output.byteLength;
    if (this.#parts.length > finalBlocksMax)
      this.#fail(invalidDeflate('more final blocks than anybody needs'));
    else this.runRest(this.unusedBytes);
  }

  #succeed(output: Buffer): void {
    const plain = this.#parts.length === 0 ? output : Buffer.concat([...this.#parts, output]);
    this.#finish();
    this.#call(null, plain);
  }

  #fail(error: WebSocketError): void {
    this.#finish();
    this.#call(error, null);
  }

  #finish(): void {
    this.#parts = [];
    this.#partsBytes = 0;
    this.finish();
  }

  #call(error: WebSocketError | null, plain: Buffer | null): void {
    const done = this.#done;
    this.#done = null;
    if (!this.closed) done?.(error, plain);
  }

  #tooLong(): WebSocketError {
    const message =
      `A compressed message is longer than ${this.#payloadBytesMax} bytes when decompressed. ` +
      'Raise payloadBytesMax if such messages are expected';
    return webSocketError('ERR_WS_MESSAGE_TOO_LONG', message, 1009);
  }
}

function invalidDeflate(reason: string, cause?: Error): WebSocketError {
  return webSocketError(
    'ERR_WS_INVALID_DEFLATE',
    `A compressed message cannot be decompressed: ${reason}`,
    1007,
    cause,
  );
}
