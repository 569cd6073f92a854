/** Interfaces as `node:dgram` names them: by an address, of IPv6 by its zone alone. */

import { isIP, isIPv4 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { ioError, type MembershipChange, type Socket } from '@iocp/core';
import type { IoError } from '@iocp/core/layer';
import { invalid } from './errors.js';

const noSuchDevice = -19;
const noSuchOption = -92;
const noSuchAddress = -99;

/**
 * Chooses the interface that multicasts leave through.
 * @param given an IPv4 address of the interface, or for IPv6 `'::%eth1'`; `'0.0.0.0'` and IPv6 without a zone let the system
 * choose
 * @throws EINVAL for what is no address, EADDRNOTAVAIL for an interface that is not there, ENOPROTOOPT for IPv6 on an IPv4
 * socket
 */
export function chooseInterface(socket: Socket, given: string, family: 4 | 6, syscall: string): void {
  const kind = isIP(given);
  if (kind === 0) throw invalid(syscall);
  if (kind === 6 && family === 4) throw ioError(noSuchOption, syscall);
  const chosen = kind === 6 ? zoneOf(given) : given;
  try {
    socket.setOption('multicastInterface', chosen === '0.0.0.0' ? '' : (chosen ?? ''));
  } catch (error) {
    throw (error as IoError).errno === noSuchDevice ? ioError(noSuchAddress, syscall) : error;
  }
}

/**
 * What the port is asked for.
 * @param through as in `chooseInterface`; undefined lets the system choose
 * @param socketFamily of the socket
 * @throws EINVAL for what is no address, ENOPROTOOPT for IPv6 on an IPv4 socket
 */
export function membershipChange(
  action: MembershipChange['action'],
  group: string,
  source: string | undefined,
  through: string | undefined,
  socketFamily: 4 | 6,
  syscall: string,
): MembershipChange {
  const family = isIP(group);
  const wrongSource = source !== undefined && isIP(source) !== family;
  const wrongInterface = through !== undefined && isIP(through) !== family;
  if (family === 0 || wrongSource || wrongInterface) throw invalid(syscall);
  if (family === 6 && socketFamily === 4) throw ioError(noSuchOption, syscall);
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
