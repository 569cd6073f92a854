/** Where the frames of one turn are put one behind the other, so that they go down as one chunk. */

/** What has frames in the area. */
export interface AreaOwner {
  /** Passes `frames` down. They must have been copied when this returns. */
  passDown(frames: Uint8Array): void;
}

/** Every channel copies a chunk of this size before `write` returns: so one area serves all connections of a thread. */
export const areaBytes = 4096;

/** Bytes in the making. They belong to one connection at a time; when another comes, what is there goes down first. */
export class FrameArea {
  readonly bytes = Buffer.allocUnsafeSlow(areaBytes);
  #owner: AreaOwner | null = null;
  #used = 0;
  // Not of `bytes`: in the CommonJS build private fields are set before public ones.
  #lastView: Uint8Array = Buffer.alloc(0);

  /** Bytes of `owner` that wait here. */
  pendingOf(owner: AreaOwner): number {
    return this.#owner === owner ? this.#used : 0;
  }

  /**
   * Room for `length` bytes, at most `areaBytes`, behind what `owner` has here.
   * @returns where in `bytes`; `advance` says how much of it was used
   */
  reserve(owner: AreaOwner, length: number): number {
    if (this.#owner !== owner) {
      if (this.#used > 0) this.flush();
      this.#owner = owner;
    } else if (this.#used + length > areaBytes) {
      this.flush();
    }
    return this.#used;
  }

  advance(end: number): void {
    this.#used = end;
  }

  /** Passes down what `owner` has here. */
  flushOf(owner: AreaOwner): void {
    if (this.#owner === owner && this.#used > 0) this.flush();
  }

  /** Takes what `owner` has here, to go down together with something else. Valid until the next call of anything. */
  takeOf(owner: AreaOwner): Uint8Array | null {
    if (this.#owner !== owner || this.#used === 0) return null;
    return this.#take();
  }

  /** Forgets what `owner` has here. */
  dropOf(owner: AreaOwner): void {
    if (this.#owner !== owner) return;
    this.#used = 0;
    this.#owner = null;
  }

  flush(): void {
    const owner = this.#owner as AreaOwner;
    owner.passDown(this.#take());
  }

  /** Servers that answer alike write the same lengths again and again. */
  #take(): Uint8Array {
    const used = this.#used;
    this.#used = 0;
    if (this.#lastView.byteLength !== used) this.#lastView = this.bytes.subarray(0, used);
    return this.#lastView;
  }
}

/** Of this thread. */
export const frameArea = new FrameArea();
