import { leaseOwnerOf } from './lease.js';

/** Small messages share one block of this size; the block is freed when the last message in it is. */
const arenaBytes = 64 * 1024;
/** Larger messages get memory of their own, so that one of them does not waste most of a block. */
const sharedBytesMax = arenaBytes / 2;

let arena = Buffer.allocUnsafeSlow(arenaBytes);
let arenaUsedBytes = 0;

/** A copy that the garbage collector owns. Costs one view, and one allocation per 64 KiB of small messages. */
export function copyToArena(bytes: Uint8Array): Uint8Array {
  const length = bytes.byteLength;
  if (length > sharedBytesMax) {
    const copy = Buffer.allocUnsafeSlow(length);
    copy.set(bytes);
    return copy;
  }
  if (arenaUsedBytes + length > arenaBytes) {
    arena = Buffer.allocUnsafeSlow(arenaBytes);
    arenaUsedBytes = 0;
  }
  const start = arenaUsedBytes;
  // Multiples of eight, so that typed arrays of any kind can be laid over a message.
  arenaUsedBytes = (start + length + 7) & ~7;
  arena.set(bytes, start);
  return arena.subarray(start, start + length);
}

/**
 * Lent bytes, made the application's own: copied when a pool owns them, the same object when only the garbage
 * collector does.
 */
export function ownBytes(bytes: Uint8Array): Uint8Array {
  return leaseOwnerOf(bytes) === undefined ? bytes : copyToArena(bytes);
}
