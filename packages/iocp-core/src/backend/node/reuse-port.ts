/** The option `reusePort`, which Node.js takes when a socket is made, and not later. */

import type { NativeSocketOptions } from '../../port/binding.js';
import { nativeError } from './errors.js';

/** `reusePort` came with Node.js 22.12 and 23.1; versions before ignore it. @throws ENOPROTOOPT there */
export function requireReusePort(): void {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const known = major > 23 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12);
  if (!known) throw nativeError('ENOPROTOOPT', 'setsockopt');
}

/** An option of sockets for the native drivers, of `listen` and `createSocket` for Node.js. */
export function withoutReusePort({ reusePort: _, ...others }: NativeSocketOptions): NativeSocketOptions {
  return others;
}
