/**
 * Memory of the medium that a layer may fill itself: what is then written from it goes out without a copy, and what is
 * handed up from it can be leased and passed on like anything the medium has received.
 *
 * A block is held from `take()` to `release()`; whoever leases or writes a lent part of it holds it too, and it is used
 * again when nobody does.
 */
export interface WriteMemory {
  /** Bytes in each block. */
  readonly blockBytes: number;
  /** The number of a block, held by the caller, or -1 when there is none to spare: use memory of your own then. */
  take(): number;
  /** A block, whole, to be filled. The same object each time. */
  bytesOf(block: number): Uint8Array;
  /**
   * A part of a block, lent: to be written to a channel or handed up before `release`. The same part gives the same object
   * again while no other was asked for.
   */
  lend(block: number, offset: number, length: number): Uint8Array;
  /** The caller needs the block no longer. */
  release(block: number): void;
}
