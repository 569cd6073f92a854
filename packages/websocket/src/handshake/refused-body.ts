/** The body of a response that opens no WebSocket: what a person wants to read, and no more (RFC 9112 section 6). */

import type { ResponseHead } from './response-head.js';

/** More of it is not looked at. */
export const bodyBytesMax = 64 * 1024;
/** Of a line between chunks. */
const lineBytesMax = 1024;

/** Collects a body from bytes cut anywhere. */
export class RefusedBody {
  /** Nothing more is to be read. */
  done: boolean;
  readonly #parts: Buffer[] = [];
  #byteCount = 0;
  readonly #chunked: boolean;
  /** Bytes to come of the body, or of a chunk; Infinity: until the end of the stream. */
  #left: number;
  /** A line between chunks, as far as it has come. */
  #line = '';

  constructor({ statusCode, headers }: ResponseHead) {
    const length = headers['content-length'];
    this.#chunked = headers['transfer-encoding']?.toLowerCase() === 'chunked';
    this.#left = this.#chunked ? 0 : length === undefined ? Number.POSITIVE_INFINITY : Number(length);
    const none = statusCode === 204 || statusCode === 304;
    // A length that is no number is 0, and there is nothing to be read.
    this.done = none || (!this.#chunked && !(this.#left > 0));
  }

  /** @param bytes lent */
  read(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.byteLength && !this.done) {
      at = this.#left > 0 ? this.#take(bytes, at) : this.#readLine(bytes, at);
    }
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }

  #take(bytes: Uint8Array, at: number): number {
    const room = Math.min(this.#left, bodyBytesMax - this.#byteCount);
    const end = Math.min(bytes.byteLength, at + room);
    this.#parts.push(Buffer.from(bytes.subarray(at, end)));
    this.#byteCount += end - at;
    this.#left -= end - at;
    this.done = this.#byteCount === bodyBytesMax || (this.#left === 0 && !this.#chunked);
    return end;
  }

  /** The line with the length of a chunk, or the empty one behind it. */
  #readLine(bytes: Uint8Array, at: number): number {
    const end = bytes.indexOf(0x0a, at);
    const next = end < 0 ? bytes.byteLength : end + 1;
    const room = Math.min(next, at + lineBytesMax + 1);
    this.#line += Buffer.from(bytes.subarray(at, room)).toString('latin1');
    if (this.#line.length > lineBytesMax) this.done = true;
    else if (end >= 0) this.#endLine();
    return next;
  }

  #endLine(): void {
    const line = this.#line.trimEnd();
    this.#line = '';
    if (line === '') return;
    this.#left = Number.parseInt(line, 16);
    // The last chunk, or no chunk at all.
    if (!(this.#left > 0)) this.done = true;
  }
}
