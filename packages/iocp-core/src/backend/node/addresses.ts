/** Addresses as `node:net` writes them, and as drivers give them. */

import type { Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { NativeAddress, NativeOpenOptions } from '../../port/binding.js';
import { nativeError } from './errors.js';

/** Bytes of `sun_path` that a name may have without its final NUL: unix(7); 104 in all on the BSDs and macOS. */
const pathBytesMax = process.platform === 'linux' ? 107 : 103;

/** Both ends of a socket; null for an end that has no address. */
export interface AddressPair {
  readonly local: NativeAddress | null;
  readonly peer: NativeAddress | null;
}

export function unixAddress(path: string): NativeAddress {
  return { family: 'unix', address: path, port: 0 };
}

/** An IP address; the zone of a link-local one becomes its `scopeId`. Null when there is none. */
export function ipAddress(text: string | undefined, port: number | undefined): NativeAddress | null {
  if (text === undefined || port === undefined) return null;
  const [address = '', zone] = text.split('%', 2);
  const family = address.includes(':') ? 'IPv6' : 'IPv4';
  const scopeId = zone === undefined ? 0 : scopeOf(zone);
  return scopeId === 0 ? { family, address, port } : { family, address, port, scopeId };
}

/** What the system says of a connected IP socket. */
export function ipAddresses(socket: Socket): AddressPair {
  return {
    local: ipAddress(socket.localAddress, socket.localPort),
    peer: ipAddress(socket.remoteAddress, socket.remotePort),
  };
}

/** The local address of a socket that has not connected: what it will be bound to, or nothing in particular. */
export function unconnectedAddress({ family, local }: NativeOpenOptions): NativeAddress | null {
  if (local !== undefined) return ipAddress(local.host, local.port);
  if (family === 'unix') return unixAddress('');
  return ipAddress(family === 'ipv6' ? '::' : '0.0.0.0', 0);
}

/** libuv cuts off what is too long, and reaches another socket: throws ENAMETOOLONG instead. */
export function requireUsablePath(path: string): void {
  if (process.platform === 'win32') return;
  const longest = path.startsWith('\0') ? pathBytesMax + 1 : pathBytesMax;
  if (Buffer.byteLength(path) > longest) throw nativeError('ENAMETOOLONG', 'bind');
}

/** Number of the interface that a zone names; 0 when there is no such interface, or its number is not known. */
export function scopeOf(zone: string): number {
  const number = Number(zone);
  if (Number.isInteger(number)) return number;
  for (const each of networkInterfaces()[zone] ?? []) {
    // Only link-local addresses have one.
    if (each.family === 'IPv6' && each.scopeid > 0) return each.scopeid;
  }
  return 0;
}
