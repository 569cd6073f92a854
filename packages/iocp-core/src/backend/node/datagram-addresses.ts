/** Between the addresses of datagrams and what `node:dgram` reads. */

import { DatagramAddress } from '../../layer/datagram-address.js';
import type { NativeDatagramOptions, NativeMembership } from '../../port/binding.js';
import { nativeError } from './errors.js';
import { findInterface, zoneOf, zoneOfScope } from './interfaces.js';

/** What a datagram socket carries. An IPv6 one may carry IPv4 too, with mapped addresses. */
export type DatagramFamily = NativeDatagramOptions['family'];

/** What `node:dgram` wants to know of a membership. */
export interface Membership {
  readonly group: string;
  readonly source: string | undefined;
  readonly interface: string | undefined;
}

const mappedAddress = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/;

/** The host of an address for a socket of this family, mapped or unmapped; null when it has none like it. */
export function hostFor(address: DatagramAddress, family: DatagramFamily): string | null {
  const text = address.address;
  if (address.family === 'IPv4') return family === 'ipv6' ? `::ffff:${text}` : text;
  if (family === 'ipv4') return mappedAddress.exec(text)?.[1] ?? null;
  return address.scopeId === 0 ? text : `${text}%${zoneOfScope(address.scopeId)}`;
}

/** As `hostFor`. @throws EAFNOSUPPORT of this call when there is none */
export function requireHost(
  { host, port }: { readonly host: string; readonly port: number },
  family: DatagramFamily,
  syscall: string,
): string {
  const text = hostFor(DatagramAddress.of(host, port), family);
  if (text === null) throw nativeError('EAFNOSUPPORT', syscall);
  return text;
}

/** @throws ENODEV for unknown interfaces, EAFNOSUPPORT when the socket or the source is not of the family of the group */
export function membershipFor(membership: NativeMembership, family: DatagramFamily): Membership {
  const [group = '', zone] = unmapped(membership.group).split('%', 2);
  const source = membership.source === undefined ? undefined : unmapped(membership.source);
  const isIpv6 = group.includes(':');
  if ((isIpv6 && family === 'ipv4') || (source !== undefined && source.includes(':') !== isIpv6)) {
    throw nativeError('EAFNOSUPPORT', 'setsockopt');
  }
  const wanted = membership.interface ?? zone;
  return { group, source, interface: wanted && interfaceAddress(wanted, isIpv6 ? 'ipv6' : 'ipv4') };
}

/** The address that stands for an interface. @throws ENODEV when there is none, or it does not have this family */
export function interfaceAddress(text: string, family: DatagramFamily): string {
  const found = findInterface(text);
  if (family === 'ipv6') return `::%${zoneOf(found)}`;
  if (found.ipv4 === undefined) throw nativeError('ENODEV', 'if_nametoindex');
  return found.ipv4;
}

function unmapped(address: string): string {
  return mappedAddress.exec(address.toLowerCase())?.[1] ?? address;
}
