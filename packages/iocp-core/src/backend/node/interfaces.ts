/** Network interfaces as people name them, and as `node:dgram` wants them. */

import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';
import { nativeError } from './errors.js';

/** An interface that somebody named. */
export interface ChosenInterface {
  readonly name: string;
  /** 0 when it is not known: Node.js tells it of those that have link-local IPv6 addresses. */
  readonly index: number;
  /** The address that named it, else its first one; undefined when it has none. */
  readonly ipv4: string | undefined;
}

/** An interface by its name, its number or one of its addresses. @throws ENODEV when there is none */
export function findInterface(text: string): ChosenInterface {
  const address = text.split('%', 1)[0];
  for (const [name, addresses = []] of Object.entries(networkInterfaces())) {
    const index = indexOf(name, addresses);
    const named = name === text || (index !== 0 && String(index) === text);
    if (!named && !addresses.some((each) => isIP(text) !== 0 && each.address === address)) continue;
    const first = addresses.find(({ family }) => family === 'IPv4')?.address;
    return { name, index, ipv4: isIP(text) === 4 ? text : first };
  }
  throw nativeError('ENODEV', 'if_nametoindex');
}

/** An interface as the zone of an address, which libuv reads as a number on Windows and as a name elsewhere. */
export function zoneOf({ name, index }: ChosenInterface): string {
  return process.platform === 'win32' ? String(index) : name;
}

/** The zone for the number of an interface. */
export function zoneOfScope(scopeId: number): string {
  try {
    return zoneOf(findInterface(String(scopeId)));
  } catch {
    // The system says what is wrong with it.
    return String(scopeId);
  }
}

function indexOf(name: string, addresses: readonly NetworkInterfaceInfo[]): number {
  for (const each of addresses) if (each.family === 'IPv6' && each.scopeid > 0) return each.scopeid;
  return process.platform === 'linux' ? linuxIndexOf(name) : 0;
}

/** Also of those without link-local addresses, as the loopback. */
function linuxIndexOf(name: string): number {
  try {
    return Number(readFileSync(`/sys/class/net/${name}/ifindex`, 'utf8'));
  } catch {
    return 0;
  }
}
