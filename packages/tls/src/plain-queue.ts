import { type Lease, lease, type WriteMemory } from '@iocp/core/layer';

/** Up to this size copying is cheaper than a record of its own, and than asking the caller to leave the chunk alone. */
const copiedBytesMax = 4096;
/** Where small chunks are gathered when the channel below has no memory to lend. */
const ownAreaBytes = copiedBytesMax;

/**
 * What was written and is not encrypted yet, in order. Small chunks lie side by side, so that all that is written in a
 * turn becomes one record; larger ones are leased. Empty, it holds no memory.
 */
export class PlainQueue {
  readonly #memory: WriteMemory | null;
  /** What stands before the chunks that are being gathered. */
  #pieces: Lease[] | null = null;
  #piecesTaken = 0;
  /** How much of the next piece was taken. */
  #pieceOffset = 0;
  /** Where small chunks are gathered; `#block` is its number in `#memory`, or -1 when it is our own. */
  #area: Uint8Array | null = null;
  #block = -1;
  #gatheredFrom = 0;
  #gatheredTo = 0;

  constructor(memory: WriteMemory | null) {
    this.#memory = memory !== null && memory.blockBytes >= copiedBytesMax ? memory : null;
  }

  /** @param chunk never empty; a small one is copied, a large one must not change until it was taken */
  add(chunk: Uint8Array): void {
    if (chunk.byteLength > copiedBytesMax) {
      this.#closeGathered();
      this.#push(lease(chunk));
      return;
    }
    if (this.#area === null || this.#gatheredTo + chunk.byteLength > this.#area.byteLength) this.#openArea();
    (this.#area as Uint8Array).set(chunk, this.#gatheredTo);
    this.#gatheredTo += chunk.byteLength;
  }

  /**
   * The next bytes, at most `bytesMax` of them or what was gathered in one place; null when nothing is left. They stay as they
   * are until the next call.
   */
  take(bytesMax: number): Uint8Array | null {
    const pieces = this.#pieces;
    while (pieces !== null && this.#piecesTaken < pieces.length) {
      const piece = pieces[this.#piecesTaken] as Lease;
      const { bytes } = piece;
      if (this.#pieceOffset < bytes.byteLength) {
        const start = this.#pieceOffset;
        this.#pieceOffset = Math.min(bytes.byteLength, start + bytesMax);
        return start === 0 && this.#pieceOffset === bytes.byteLength
          ? bytes
          : bytes.subarray(start, this.#pieceOffset);
      }
      piece.release();
      this.#piecesTaken++;
      this.#pieceOffset = 0;
    }
    if (this.#gatheredFrom < this.#gatheredTo) return this.#takeGathered();
    this.clear();
    return null;
  }

  /** Gives all memory back. */
  clear(): void {
    const pieces = this.#pieces;
    if (pieces !== null) {
      this.#pieces = null;
      for (let index = this.#piecesTaken; index < pieces.length; index++) (pieces[index] as Lease).release();
      this.#piecesTaken = 0;
      this.#pieceOffset = 0;
    }
    this.#leaveArea();
  }

  #push(piece: Lease): void {
    if (this.#pieces === null) this.#pieces = [piece];
    else this.#pieces.push(piece);
  }

  #takeGathered(): Uint8Array {
    const from = this.#gatheredFrom;
    this.#gatheredFrom = this.#gatheredTo;
    return this.#view(from, this.#gatheredTo);
  }

  /** What was gathered becomes a piece, for something to come behind it. */
  #closeGathered(): void {
    if (this.#gatheredFrom < this.#gatheredTo) this.#push(lease(this.#takeGathered()));
  }

  #view(from: number, to: number): Uint8Array {
    if (this.#block >= 0) return (this.#memory as WriteMemory).lend(this.#block, from, to - from);
    return (this.#area as Uint8Array).subarray(from, to);
  }

  #openArea(): void {
    this.#closeGathered();
    this.#leaveArea();
    const block = this.#memory === null ? -1 : this.#memory.take();
    this.#block = block;
    this.#area = block < 0 ? Buffer.allocUnsafe(ownAreaBytes) : (this.#memory as WriteMemory).bytesOf(block);
  }

  /** Pieces in it keep it alive by their leases. */
  #leaveArea(): void {
    if (this.#area === null) return;
    this.#area = null;
    this.#gatheredFrom = 0;
    this.#gatheredTo = 0;
    if (this.#block >= 0) (this.#memory as WriteMemory).release(this.#block);
    this.#block = -1;
  }
}
