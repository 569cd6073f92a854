/** Where datagrams go, as people give it. */

import { DatagramAddress, portOption, validateObject } from '@iocp/core/layer';
import { isAddress } from './send-arguments.js';

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
    const parsed = DatagramAddress.of(address, portOption(port, `${name}.port`, 0));
    if (this.#known.size === rememberedMax) this.#known.clear();
    this.#known.set(key, parsed);
    return parsed;
  }
}
