import type { BufferPool } from '@iocp/core';
import type { DatagramAddress } from '@iocp/core/layer';
import { isSender, senderHash, senderOf } from './incoming.js';

const generationPeers = 4096;

/**
 * Senders that were asked for lately, so that each has one object. Two generations of 4096: the older is forgotten when
 * the younger is full, so that any number of spoofed senders takes no more memory. Nothing is allocated for a known one.
 */
export class PeerCache {
  #young = new Map<number, DatagramAddress>();
  #old = new Map<number, DatagramAddress>();
  /** Nobody outside can choose addresses that collide. */
  readonly #seed = (Math.random() * 0x7fffffff) | 0;

  /** Senders that are remembered. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /** The sender of the datagram in `slot`. */
  senderOf(pool: BufferPool, slot: number): DatagramAddress {
    const hash = senderHash(pool, slot, this.#seed);
    const young = this.#young.get(hash);
    if (young !== undefined && isSender(pool, slot, young)) return young;
    const old = this.#old.get(hash);
    const peer = old !== undefined && isSender(pool, slot, old) ? old : senderOf(pool, slot);
    this.#remember(hash, peer);
    return peer;
  }

  #remember(hash: number, peer: DatagramAddress): void {
    if (this.#young.size === generationPeers) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(hash, peer);
  }
}
