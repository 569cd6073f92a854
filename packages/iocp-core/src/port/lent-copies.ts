/** Debug mode: lends copies instead of slots, and takes their memory away when the slot goes back. */

import { type LeaseOwner, registerLeaseOwner } from '../layer/lease.js';

/** Counts the holders of slots. */
interface SlotHolders {
  retain(slot: number): void;
  release(slot: number): void;
}

/**
 * A copy behaves like the slot it was made from, leases included, except that after the release it has length 0: use
 * after release shows at once instead of showing another connection's data.
 */
export class LentCopies {
  readonly #copies = new Map<number, ArrayBuffer[]>();

  /** A copy of `view` in memory of its own, tied to the holders of `slot`. */
  lend(pool: SlotHolders, slot: number, view: Uint8Array): Buffer {
    const memory = new ArrayBuffer(view.byteLength);
    const copy = Buffer.from(memory);
    copy.set(view);
    registerLeaseOwner(memory, new CopyOwner(pool, slot));
    const others = this.#copies.get(slot);
    if (others === undefined) this.#copies.set(slot, [memory]);
    else others.push(memory);
    return copy;
  }

  /** Detaches every copy of `slot`. */
  revoke(slot: number): void {
    for (const memory of this.#copies.get(slot) ?? []) structuredClone(memory, { transfer: [memory] });
    this.#copies.delete(slot);
  }
}

class CopyOwner implements LeaseOwner {
  readonly #pool: SlotHolders;
  readonly #slot: number;

  constructor(pool: SlotHolders, slot: number) {
    this.#pool = pool;
    this.#slot = slot;
  }

  retain(): void {
    this.#pool.retain(this.#slot);
  }

  release(): void {
    this.#pool.release(this.#slot);
  }
}
