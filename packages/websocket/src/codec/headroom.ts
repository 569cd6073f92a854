/**
 * The header of a frame is of no use once it is read, and a server's is shorter than its client's (RFC 6455 section 5.1): where both
 * lie in one piece, the header of an echo takes its place, and the frame goes out in one piece, too.
 */

import { BufferView } from './view.js';

/** The payload that is being told, of a frame that came with a mask as a whole, or null. */
let payloadTold: Uint8Array | null = null;
let bufferTold: ArrayBufferLike = new ArrayBuffer(0);
let offsetTold = 0;

/** For decoders: the header of the frame of `payload` is directly before it, at its byte `byteOffset` of `buffer`. */
export function offerHeadroom(payload: Uint8Array, buffer: ArrayBufferLike, byteOffset: number): void {
  payloadTold = payload;
  bufferTold = buffer;
  offsetTold = byteOffset;
}

/** For decoders: nobody may write there any more. */
export function withdrawHeadroom(): void {
  payloadTold = null;
}

/**
 * The payload with room for a header without a mask, of `headerBytes`, before it; null when there is none. Once for each frame: what
 * was put there is being sent.
 */
export function takeHeadroom(payload: Uint8Array, headerBytes: number): Uint8Array | null {
  if (payload !== payloadTold) return null;
  payloadTold = null;
  return new BufferView(bufferTold, offsetTold - headerBytes, headerBytes + payload.length);
}
