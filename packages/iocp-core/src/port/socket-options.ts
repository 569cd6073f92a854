/** Options of sockets: names, types and ranges in one table. */

import {
  invalidArgumentValue,
  validateBoolean,
  validateInteger,
  validateObject,
  validateString,
} from '../layer/validate.js';
import type { NativeSocketOptions } from './binding.js';

/**
 * Options of a socket. What the system does not have fails with `ENOPROTOOPT`; those marked Linux do so on Windows.
 * Defaults are the system's. See tcp(7), udp(7), socket(7), ip(7) and ipv6(7), and for Windows the socket options of Winsock.
 * The backend `node` has only `noDelay`, `keepAlive` and `keepAliveIdle`; of datagram sockets `broadcast`, `multicastTtl`,
 * `multicastLoop`, `multicastInterface`, `ttl`, `receiveBuffer` and `sendBuffer`; and `reusePort` of listening and datagram
 * sockets from Node.js 22.12 and 23.1 on.
 */
export interface SocketOptions {
  /** `TCP_NODELAY`: small writes leave at once. */
  readonly noDelay?: boolean;
  /** `SO_KEEPALIVE`: idle connections are probed. */
  readonly keepAlive?: boolean;
  /** `TCP_KEEPIDLE` in seconds: idle time before the first probe. 1 to 32767. Windows: 10 1709 or newer. */
  readonly keepAliveIdle?: number;
  /** `TCP_KEEPINTVL` in seconds: time between probes. 1 to 32767. Windows: 10 1709 or newer. */
  readonly keepAliveInterval?: number;
  /** `TCP_KEEPCNT`: probes without an answer before the connection is given up. 1 to 127. Windows: 10 1703 or newer. */
  readonly keepAliveCount?: number;
  /** `TCP_USER_TIMEOUT` in milliseconds: how long sent data may stay unacknowledged. 0 for the system's default. Linux. */
  readonly userTimeout?: number;
  /** `SO_RCVBUF` in bytes. Linux doubles the value and reports it doubled, Windows does not. */
  readonly receiveBuffer?: number;
  /** `SO_SNDBUF` in bytes. Linux doubles the value and reports it doubled, Windows does not. */
  readonly sendBuffer?: number;
  /** `SO_LINGER` in seconds; -1 turns it off. */
  readonly linger?: number;
  /** `TCP_QUICKACK`: acknowledges at once, for now. Linux. */
  readonly quickAck?: boolean;
  /** `TCP_CORK`: sends full segments only. Linux. */
  readonly cork?: boolean;
  /** `TCP_DEFER_ACCEPT` in seconds: accepts only when data has come. Linux, listening sockets. */
  readonly deferAccept?: number;
  /** `TCP_FASTOPEN`: queue length on listening sockets, 1 or 0 elsewhere. On Windows (10 1607 or newer) always 1 or 0. */
  readonly fastOpen?: number;
  /** `TCP_CONGESTION`: name of the congestion control, for example `'bbr'`. Linux. */
  readonly congestion?: string;
  /** `SO_BINDTODEVICE`: name of an interface. Linux. */
  readonly bindToDevice?: string;
  /** `SO_MARK`: mark of packets for routing. Linux, needs `CAP_NET_ADMIN`. */
  readonly mark?: number;
  /** `SO_PRIORITY`: 0 to 6 without privileges. Linux. */
  readonly priority?: number;
  /** `IP_TOS` or `IPV6_TCLASS`: 0 to 255. Linux: Windows takes the value and does not follow it. */
  readonly tos?: number;
  /** `IP_TTL` or `IPV6_UNICAST_HOPS`: 1 to 255. */
  readonly ttl?: number;
  /** `SO_REUSEPORT`: several sockets share one port and what comes to it. Linux; to be set before `bind`. */
  readonly reusePort?: boolean;
  /** `SO_BUSY_POLL` in microseconds: how long a receive asks the network card by itself; 0 turns it off. Linux. */
  readonly busyPoll?: number;
  /** `SO_BROADCAST`: datagrams may go to broadcast addresses. */
  readonly broadcast?: boolean;
  /** `IP_MULTICAST_TTL` or `IPV6_MULTICAST_HOPS`: 0 to 255. */
  readonly multicastTtl?: number;
  /**
   * `IP_MULTICAST_LOOP` or `IPV6_MULTICAST_LOOP`: members on this machine get what is sent to a group. On Windows the
   * option of the receiving socket counts, elsewhere that of the sending one.
   */
  readonly multicastLoop?: boolean;
  /**
   * `IP_MULTICAST_IF` or `IPV6_MULTICAST_IF`: name, index or one of the addresses of the interface that multicasts leave
   * through; `''` lets the system choose. Read back as a name.
   */
  readonly multicastInterface?: string;
  /** `IP_PKTINFO` or `IPV6_RECVPKTINFO`: datagrams tell where they were sent to and the interface they came in through. */
  readonly receiveDestination?: boolean;
  /** `IP_RECVTOS` or `IPV6_RECVTCLASS`: datagrams tell their type of service, ECN included. */
  readonly receiveTos?: boolean;
  /** `IP_RECVTTL` or `IPV6_RECVHOPLIMIT`: datagrams tell their time to live. */
  readonly receiveTtl?: boolean;
  /**
   * What the network answers to datagrams ends RECV_FROM also without a peer. Linux: `IP_RECVERR` or `IPV6_RECVERR`, and it
   * is kept for `Socket.takeDatagramError`. Windows: `SIO_UDP_CONNRESET` and `SIO_UDP_NETRESET`, which cannot be read.
   */
  readonly receiveErrors?: boolean;
  /** `UDP_GRO`: datagrams of one sender and one size may arrive joined in a slot; `SEGMENT_BYTES` tells. Linux. */
  readonly receiveSegments?: boolean;
}

export type SocketOptionName = keyof SocketOptions;

type Range = readonly [min: number, max: number];
const int32: Range = [0, 0x7fffffff];

const table: { readonly [Name in SocketOptionName]-?: 'boolean' | 'string' | Range } = {
  noDelay: 'boolean',
  keepAlive: 'boolean',
  keepAliveIdle: [1, 32767],
  keepAliveInterval: [1, 32767],
  keepAliveCount: [1, 127],
  userTimeout: int32,
  receiveBuffer: [1, 0x7fffffff],
  sendBuffer: [1, 0x7fffffff],
  linger: [-1, 65535],
  quickAck: 'boolean',
  cork: 'boolean',
  deferAccept: int32,
  fastOpen: int32,
  congestion: 'string',
  bindToDevice: 'string',
  mark: int32,
  priority: int32,
  tos: [0, 255],
  ttl: [1, 255],
  reusePort: 'boolean',
  busyPoll: int32,
  broadcast: 'boolean',
  multicastTtl: [0, 255],
  multicastLoop: 'boolean',
  multicastInterface: 'string',
  receiveDestination: 'boolean',
  receiveTos: 'boolean',
  receiveTtl: 'boolean',
  receiveErrors: 'boolean',
  receiveSegments: 'boolean',
};

/** Checks the name of an option: `ERR_INVALID_ARG_VALUE`. */
export function validateOptionName(name: unknown): asserts name is SocketOptionName {
  validateString(name, 'name');
  if (!Object.hasOwn(table, name)) {
    throw invalidArgumentValue('name', name, `must be one of: ${Object.keys(table).join(', ')}`);
  }
}

/**
 * Checks the value of an option.
 * @param label how the caller knows it, for messages.
 * @returns the value as native code takes it.
 */
export function nativeOptionValue(name: SocketOptionName, value: unknown, label: string): number | string {
  const rule = table[name];
  if (rule === 'boolean') {
    validateBoolean(value, label);
    return value ? 1 : 0;
  }
  if (rule === 'string') {
    validateString(value, label);
    return value;
  }
  validateInteger(value, label, rule[0], rule[1]);
  return value;
}

/** The value of an option as JavaScript knows it. */
export function optionValue(name: SocketOptionName, value: number | string): number | string | boolean {
  return table[name] === 'boolean' ? value !== 0 : value;
}

/** Checks options before there is a socket. `label` is how the caller knows them. */
export function validateSocketOptions(options: unknown, label: string): asserts options is SocketOptions {
  validateObject(options, label);
  nativeSocketOptions(options, label);
}

/** Checks options given when a socket is made; those that are undefined are left out. */
export function nativeSocketOptions(options: SocketOptions | undefined, label: string): NativeSocketOptions {
  const native: Record<string, number | string> = {};
  if (options === undefined) return native;
  validateObject(options, label);
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(table, name)) {
      throw invalidArgumentValue(`${label}.${name}`, value, 'is not an option of sockets');
    }
    if (value !== undefined) {
      native[name] = nativeOptionValue(name as SocketOptionName, value, `${label}.${name}`);
    }
  }
  return native;
}
