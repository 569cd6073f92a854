/** Views of received bytes, which are made once per message. */

type BufferClass = new (buffer: ArrayBufferLike, byteOffset: number, length: number) => Buffer;

/**
 * A Buffer over `buffer[byteOffset, byteOffset + length)`. In Node.js this class is what `Buffer.from` ends in, after checks that
 * take as long as it; elsewhere it is `Buffer` itself.
 */
export const BufferView = (Buffer as unknown as { readonly [Symbol.species]: BufferClass })[Symbol.species];

/** The same bytes as a Buffer. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : new BufferView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
