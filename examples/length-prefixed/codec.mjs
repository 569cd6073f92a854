/**
 * The protocol, without input and output: bytes in, messages out, and back. Four bytes of length, most significant
 * first, then that many bytes.
 */

import { IoError, ownCopy } from '@iocp/core/layer';

const headerBytes = 4;

/**
 * The header of a message of that many bytes.
 * @param {number} byteLength
 */
export function encodeHeader(byteLength) {
  const header = new Uint8Array(headerBytes);
  new DataView(header.buffer).setUint32(0, byteLength);
  return header;
}

/** Finds messages in a stream that may be cut anywhere: `push` a chunk, then take messages until `next` gives null. */
export class MessageDecoder {
  #messageBytesMax;
  /** @type {Uint8Array} */
  #chunk = new Uint8Array(0);
  #offset = 0;
  #header = new DataView(new ArrayBuffer(headerBytes));
  #headerFilled = 0;
  /**
   * Beginning of a message that did not arrive whole.
   * @type {Uint8Array[]}
   */
  #parts = [];
  #partBytes = 0;

  /** @param {number} messageBytesMax longer messages are refused */
  constructor(messageBytesMax) {
    this.#messageBytesMax = messageBytesMax;
  }

  /** True when the stream must not end here. */
  get insideMessage() {
    return this.#headerFilled > 0;
  }

  /** @param {Uint8Array} chunk used until `next` gives null, not longer */
  push(chunk) {
    this.#chunk = chunk;
    this.#offset = 0;
  }

  /**
   * The next message, or null when more input is needed. A message that lies in one chunk is a view of it; a message
   * that came in pieces is put together in memory of its own.
   * @returns {Uint8Array | null}
   */
  next() {
    while (this.#headerFilled < headerBytes) {
      if (this.#offset === this.#chunk.byteLength) return null;
      this.#header.setUint8(this.#headerFilled++, /** @type {number} */ (this.#chunk[this.#offset++]));
    }
    const byteLength = this.#messageLength();
    const piece = this.#chunk.subarray(this.#offset, this.#offset + byteLength - this.#partBytes);
    this.#offset += piece.byteLength;
    if (this.#partBytes + piece.byteLength < byteLength) {
      if (piece.byteLength > 0) this.#parts.push(ownCopy(piece));
      this.#partBytes += piece.byteLength;
      return null;
    }
    const message = this.#parts.length === 0 ? piece : Buffer.concat([...this.#parts, piece]);
    this.#headerFilled = 0;
    this.#parts = [];
    this.#partBytes = 0;
    return message;
  }

  #messageLength() {
    const byteLength = this.#header.getUint32(0);
    if (byteLength === 0) {
      throw new IoError('The peer announced an empty message, which this protocol does not have', {
        code: 'ERR_LENGTH_PREFIX_EMPTY',
      });
    }
    if (byteLength > this.#messageBytesMax) {
      throw new IoError(
        `The peer announced a message of ${byteLength} bytes, more than messageBytesMax (${this.#messageBytesMax})`,
        { code: 'ERR_LENGTH_PREFIX_TOO_LONG' },
      );
    }
    return byteLength;
  }
}
