/** What a medium does with a chunk that it cannot send at once. */

import { type Lease, lease, leaseOwnerOf, ownCopy } from '@iocp/core/layer';

/** Longest chunk that `write` copies before it returns. */
const copiedBytesMax = 4096;

/**
 * Keeps a chunk of a write until it is sent, as the contract asks: lent bytes are leased, small ones copied, and longer
 * ones stay the caller's, who must not change them before the callback.
 */
export function keepBytes(chunk: Uint8Array): Lease {
  const mayChange = leaseOwnerOf(chunk) === undefined && chunk.byteLength <= copiedBytesMax;
  return lease(mayChange ? ownCopy(chunk) : chunk);
}
