import { invalidArgumentType } from '@iocp/core/layer';

/** A text, or its bytes. */
export type Material = string | NodeJS.ArrayBufferView;

/** One, several or none (undefined, null, an empty text) as a list. */
export function readList(given: unknown): readonly unknown[] {
  if (Array.isArray(given)) return given;
  return given ? [given] : [];
}

/**
 * A copy, as the caller's may change before it is used.
 * @throws `ERR_INVALID_ARG_TYPE`
 */
export function readBytes(given: unknown, name: string): Buffer {
  if (typeof given === 'string') return Buffer.from(given);
  if (!ArrayBuffer.isView(given)) {
    throw invalidArgumentType(
      name,
      'of type string or an instance of Buffer, TypedArray, or DataView',
      given,
    );
  }
  return Buffer.from(new Uint8Array(given.buffer, given.byteOffset, given.byteLength));
}

/**
 * PEM; made from DER when it is that.
 * @param label what PEM calls it (RFC 7468), for example `CERTIFICATE`
 * @throws `ERR_INVALID_ARG_TYPE`
 */
export function readPem(given: unknown, name: string, label: string): Buffer {
  const bytes = readBytes(given, name);
  if (!isDer(bytes)) return bytes;
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? [];
  return Buffer.from([`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n'));
}

/** One ASN.1 SEQUENCE (X.690) from the first byte to the last. A text that begins with its tag (`0`) does not end there. */
function isDer(bytes: Buffer): boolean {
  const [tag, length = 0] = bytes;
  if (tag !== 0x30) return false;
  if (length < 0x80) return bytes.length === 2 + length;
  const lengthBytes = length & 0x7f;
  if (lengthBytes < 1 || lengthBytes > 4 || bytes.length < 2 + lengthBytes) return false;
  return bytes.length === 2 + lengthBytes + bytes.readUIntBE(2, lengthBytes);
}
