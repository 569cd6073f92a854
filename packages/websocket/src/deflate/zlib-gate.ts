/** Who waits to call zlib, linked to who comes after it. */
export interface Turn {
  /** It starts only while fewer calls than this are under way. */
  readonly concurrency: number;
  /** @returns false when there is nothing to do any more; otherwise `leave` must follow, later */
  start(): boolean;
  next: Turn | null;
}

/**
 * Lets in a limited number of calls of zlib at once, first come, first served. Each call takes a thread of libuv's pool, and memory:
 * thousands at once starve the rest of the process and scatter its heap.
 */
export class ZlibGate {
  #underWay = 0;
  #first: Turn | null = null;
  #last: Turn | null = null;

  /** Calls that have started and not left. */
  get underWay(): number {
    return this.#underWay;
  }

  /** Starts `turn` now, or when those before it have left. */
  enter(turn: Turn): void {
    if (this.#last === null) this.#first = turn;
    else this.#last.next = turn;
    this.#last = turn;
    this.#startWaiting();
  }

  leave(): void {
    this.#underWay -= 1;
    this.#startWaiting();
  }

  #startWaiting(): void {
    for (let turn = this.#first; turn !== null; turn = this.#first) {
      if (this.#underWay >= turn.concurrency) return;
      this.#first = turn.next;
      if (turn.next === null) this.#last = null;
      turn.next = null;
      if (turn.start()) this.#underWay += 1;
    }
  }
}

/** One for all connections of this thread. */
export const zlibGate = new ZlibGate();
