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
  // Multiples of eight, so that typed arrays of any kind can be laid over a message.
  let start = (arenaUsedBytes + 7) & ~7;
  if (start + length > arenaBytes) {
    arena = Buffer.allocUnsafeSlow(arenaBytes);
    start = 0;
  }
  arenaUsedBytes = start + length;
  arena.set(bytes, start);
  return arena.subarray(start, arenaUsedBytes);
}

/**
 * Copies `bytes` right behind `before`, when that is the newest copy in the block and there is room: both as one view,
 * else null. `before` stays as it is.
 */
export function appendInArena(before: Uint8Array, bytes: Uint8Array): Uint8Array | null {
  const start = before.byteOffset + before.byteLength;
  const end = start + bytes.byteLength;
  const isNewest = before.buffer === arena.buffer && start === arenaUsedBytes;
  if (!isNewest || end > arenaBytes) return null;
  arenaUsedBytes = end;
  arena.set(bytes, start);
  return arena.subarray(before.byteOffset, end);
}

/**
 * Lent bytes, made the application's own: copied when a pool owns them, the same object when only the garbage
 * collector does.
 */
export function ownBytes(bytes: Uint8Array): Uint8Array {
  return leaseOwnerOf(bytes) === undefined ? bytes : copyToArena(bytes);
}
