/** Hosts and ports as people give them. */

import {
  validatePort as checkPort,
  DatagramAddress,
  invalidArgumentType,
  invalidArgumentValue,
  validateObject,
  validateString,
} from '@iocp/core/layer';
import { isAddress } from './send-arguments.js';

/** Throws `ERR_INVALID_ARG_TYPE` or `ERR_INVALID_ARG_VALUE` unless `host` can be a name or address. */
export function validateHost(host: unknown, name: string): asserts host is string {
  validateString(host, name);
  if (host === '' || /[\s\0/]/.test(host))
    throw invalidArgumentValue(name, host, 'must be a host name or IP address');
}

/** Throws `ERR_INVALID_ARG_TYPE` or `ERR_SOCKET_BAD_PORT` unless `port` is a whole number, or a string of one. */
export function validatePort(port: unknown, name: string, min: 0 | 1): number {
  if (typeof port !== 'number' && typeof port !== 'string')
    throw invalidArgumentType(name, 'of type number', port);
  return checkPort(port, name, min);
}

/** Where a datagram goes: parsed already, or as text. */
export type UdpTarget = DatagramAddress | { readonly address: string; readonly port: number };

const rememberedMax = 1024;

/** Numeric addresses that were parsed lately. */
export class TargetCache {
  readonly #known = new Map<string, DatagramAddress>();

  /** @throws as `DatagramAddress.of`; `ERR_INVALID_ARG_TYPE` for what is no target. */
  addressOf(target: UdpTarget, name: string): DatagramAddress {
    validateObject(target, name);
    if (isAddress(target)) return target;
    const { address, port } = target;
    const key = `${address} ${port}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const parsed = DatagramAddress.of(address, validatePort(port, `${name}.port`, 0));
    if (this.#known.size === rememberedMax) this.#known.clear();
    this.#known.set(key, parsed);
    return parsed;
  }
}
