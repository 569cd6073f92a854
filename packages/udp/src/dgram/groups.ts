/** Interfaces as `node:dgram` names them: by an address, of IPv6 by its zone alone. */

import { isIP, isIPv4 } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { MembershipChange } from '@iocp/core';
import { ioError } from '@iocp/core';
import { invalid } from './errors.js';

const noSuchOption = -92;

/**
 * The interface that multicasts are to leave through, as the option `multicastInterface` takes it.
 * @param given an IPv4 address, or for IPv6 `'::%eth1'`; any address without a zone lets the system choose.
 * @throws EINVAL, and ENOPROTOOPT for the other family
 */
export function outgoingInterface(given: string, family: 4 | 6, syscall: string): string {
  const kind = isIP(given);
  if (kind === 0) throw invalid(syscall);
  if (kind !== family) throw ioError(noSuchOption, syscall);
  if (family === 4) return given === '0.0.0.0' ? '' : given;
  return zoneOf(given) ?? '';
}

/**
 * @param through as in `outgoingInterface`; undefined lets the system choose
 * @throws EINVAL for what is no address
 */
export function membershipChange(
  action: MembershipChange['action'],
  group: string,
  source: string | undefined,
  through: string | undefined,
  syscall: string,
): MembershipChange {
  const family = isIP(group);
  const wrongSource = source !== undefined && isIP(source) !== family;
  const wrongInterface = through !== undefined && isIP(through) !== family;
  if (family === 0 || wrongSource || wrongInterface) throw invalid(syscall);
  const chosen = through === undefined || isIPv4(through) ? through : zoneOf(through);
  return { action, group, source, interface: chosen === '0.0.0.0' ? undefined : chosen };
}

/** `fe80::1` of the interface with index 2 as `fe80::1%eth0`, or `fe80::1%2` on Windows. */
export function withZone(address: string, scopeId: number): string {
  return scopeId === 0 ? address : `${address}%${zoneName(scopeId)}`;
}

function zoneOf(address: string): string | undefined {
  const zone = address.split('%', 2)[1];
  return zone === '0' ? undefined : zone;
}

const zoneNames = new Map<number, string>();

function zoneName(scopeId: number): string {
  const known = zoneNames.get(scopeId);
  if (known !== undefined) return known;
  const name = process.platform === 'win32' ? String(scopeId) : interfaceName(scopeId);
  zoneNames.set(scopeId, name);
  return name;
}

function interfaceName(scopeId: number): string {
  for (const [name, addresses] of Object.entries(networkInterfaces())) {
    if (addresses?.some((each) => each.family === 'IPv6' && each.scopeid === scopeId)) return name;
  }
  return String(scopeId);
}
