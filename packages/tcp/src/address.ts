/** Paths as people give them, and addresses as people read them. */

import { invalidArgumentValue, validateString } from '@iocp/core/layer';

/** `sun_path` of unix(7) holds 108 bytes; the name in the file system needs one for the NUL at its end. */
const pathBytesMax = 107;

/** Throws `ERR_INVALID_ARG_TYPE` or `ERR_INVALID_ARG_VALUE` unless `path` can name a Unix socket. */
export function validatePath(path: unknown, name: string): asserts path is string {
  validateString(path, name);
  if (path === '' || path === '\0') throw invalidArgumentValue(name, path, 'must not be empty');
  if (path.includes('\0', 1))
    throw invalidArgumentValue(name, path, 'may have a NUL only as its first character');
  if (Buffer.byteLength(path) > pathBytesMax) {
    throw invalidArgumentValue(
      name,
      path,
      `must be at most ${pathBytesMax} bytes long, the system's limit for Unix sockets`,
    );
  }
}

/** How addresses are written for people: `127.0.0.1:80`, `[::1]:80`, a path as it is, `@name` for the abstract space. */
export function formatAddress(address: string, port: number | undefined): string {
  if (port === undefined) return address.startsWith('\0') ? `@${address.slice(1)}` : address;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
