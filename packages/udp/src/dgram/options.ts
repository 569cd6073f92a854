/** What `createSocket` is given, checked. */

import type { SocketOptions as NodeSocketOptions } from 'node:dgram';
import dns from 'node:dns';
import type { BlockList } from 'node:net';
import type { CompletionPort } from '@iocp/core';
import { invalidArgumentType, validateFunction, validateInteger, validateSignal } from '@iocp/core/layer';
import { badType } from './errors.js';

export type SocketType = 'udp4' | 'udp6';

/**
 * Finds one address of a name. As with `node:dgram` the second argument is 4 or 6, the family that is wanted, whatever the
 * type says.
 */
export type LookupFunction = NonNullable<NodeSocketOptions['lookup']>;

/** As `dgram.SocketOptions`. */
export interface SocketOptions {
  readonly type: SocketType;
  /** `SO_REUSEADDR`. Default false. */
  readonly reuseAddr?: boolean | undefined;
  /** `SO_REUSEPORT`, also where this Node.js does not know it; not on Windows. Default false. */
  readonly reusePort?: boolean | undefined;
  /** `IPV6_V6ONLY`. Default false: `'::'` takes IPv4 as well. */
  readonly ipv6Only?: boolean | undefined;
  /** `SO_RCVBUF` in bytes. */
  readonly recvBufferSize?: number | undefined;
  /** `SO_SNDBUF` in bytes. */
  readonly sendBufferSize?: number | undefined;
  /** Default `dns.lookup`, which is not asked for numeric addresses; this one is. */
  readonly lookup?: LookupFunction | undefined;
  /** Closes the socket. */
  readonly signal?: AbortSignal | undefined;
  /** Datagrams from its addresses are dropped. */
  readonly receiveBlockList?: BlockList | undefined;
  /** Its addresses are not sent to: `ERR_IP_BLOCKED`. */
  readonly sendBlockList?: BlockList | undefined;
  /** Not of `node:dgram`: the port whose thread serves the socket. Default `datagramPort()`. */
  readonly completionPort?: CompletionPort | undefined;
}

/** Checked options. */
export interface SocketSettings {
  readonly type: SocketType;
  readonly family: 4 | 6;
  readonly reuseAddress: boolean;
  readonly reusePort: boolean;
  readonly ipv6Only: boolean;
  readonly receiveBuffer: number;
  readonly sendBuffer: number;
  readonly lookup: LookupFunction;
  /** Whether `lookup` is the user's. */
  readonly ownLookup: boolean;
  readonly signal: AbortSignal | undefined;
  readonly receiveBlockList: BlockList | undefined;
  readonly sendBlockList: BlockList | undefined;
  readonly completionPort: CompletionPort | undefined;
}

/** @throws `ERR_SOCKET_BAD_TYPE`, `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE` */
export function socketSettings(given: SocketType | SocketOptions): SocketSettings {
  const options = optionsOf(given);
  const { recvBufferSize = 0, sendBufferSize = 0, signal } = options;
  if (recvBufferSize) validateInteger(recvBufferSize, 'options.recvBufferSize', 0, 0xffffffff);
  if (sendBufferSize) validateInteger(sendBufferSize, 'options.sendBufferSize', 0, 0xffffffff);
  if (options.receiveBlockList) validateBlockList(options.receiveBlockList, 'options.receiveBlockList');
  if (options.sendBlockList) validateBlockList(options.sendBlockList, 'options.sendBlockList');
  if (options.lookup !== undefined) validateFunction(options.lookup, 'lookup');
  const { type } = options;
  if (type !== 'udp4' && type !== 'udp6') throw badType();
  if (signal !== undefined) validateSignal(signal, 'options.signal');
  return {
    type,
    family: type === 'udp4' ? 4 : 6,
    reuseAddress: Boolean(options.reuseAddr),
    reusePort: Boolean(options.reusePort),
    ipv6Only: Boolean(options.ipv6Only),
    receiveBuffer: recvBufferSize || 0,
    sendBuffer: sendBufferSize || 0,
    lookup: options.lookup ?? dns.lookup,
    ownLookup: options.lookup !== undefined,
    signal,
    receiveBlockList: options.receiveBlockList || undefined,
    sendBlockList: options.sendBlockList || undefined,
    completionPort: options.completionPort,
  };
}

function optionsOf(given: SocketType | SocketOptions): SocketOptions {
  return typeof given === 'object' && given !== null ? given : { type: given };
}

/** Not instanceof: `net.BlockList` cannot be imported without the sockets beside it. */
function validateBlockList(value: unknown, name: string): void {
  if (typeof value === 'object' && value !== null && 'check' in value) return;
  throw invalidArgumentType(name, 'an instance of net.BlockList', value);
}
