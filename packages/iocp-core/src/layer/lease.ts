/**
 * Leases: how lent bytes live longer than the call that lent them.
 *
 * A buffer pool registers its memory here; the registry lives on `globalThis`, so that the ESM and the CommonJS copy
 * of this package know each other's pools.
 */

/** Owner of pooled memory: counts who still needs a slot. */
export interface LeaseOwner {
  /** One more holder of the slot that holds the byte at `byteOffset` of the pool's buffer. */
  retain(byteOffset: number): void;
  /** One holder less; at zero the slot goes back to the pool. */
  release(byteOffset: number): void;
}

/** Bytes that stay valid until `release()`. */
export interface Lease {
  readonly bytes: Uint8Array;
  /** Gives the bytes back. Idempotent. Do not touch `bytes` afterwards. */
  release(): void;
}

const registryKey = Symbol.for('@iocp/core.leaseOwners');
type Registry = WeakMap<ArrayBufferLike, LeaseOwner>;
const globals = globalThis as { [registryKey]?: Registry };
globals[registryKey] ??= new WeakMap();
const owners: Registry = globals[registryKey];

/** For pools: announces that views of `buffer` are lent and counted by `owner`. */
export function registerLeaseOwner(buffer: ArrayBufferLike, owner: LeaseOwner): void {
  owners.set(buffer, owner);
}

/** The owner of the memory behind `bytes`, or undefined for ordinary garbage-collected memory. */
export function leaseOwnerOf(bytes: Uint8Array): LeaseOwner | undefined {
  return owners.get(bytes.buffer);
}

class PoolLease implements Lease {
  readonly bytes: Uint8Array;
  #owner: LeaseOwner | undefined;

  constructor(bytes: Uint8Array, owner: LeaseOwner | undefined) {
    this.bytes = bytes;
    this.#owner = owner;
    owner?.retain(bytes.byteOffset);
  }

  release(): void {
    const owner = this.#owner;
    if (owner === undefined) return;
    this.#owner = undefined;
    owner.release(this.bytes.byteOffset);
  }
}

/**
 * Keeps lent bytes valid past the call that lent them, without a copy. Ordinary memory needs no owner: its lease costs
 * nothing. Every lease must be released: a leased slot counts against the channel's quota.
 */
export function lease(bytes: Uint8Array): Lease {
  // An empty view at the end of a slot would name the next one. A detached one has no buffer left, and is an error.
  const empty = bytes.byteLength === 0 && bytes.buffer.byteLength > 0;
  return new PoolLease(bytes, empty ? undefined : leaseOwnerOf(bytes));
}

/** A copy of `bytes` in memory of its own. */
export function ownCopy(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.prototype.slice.call(bytes) as Uint8Array<ArrayBuffer>;
}
