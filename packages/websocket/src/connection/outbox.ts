/** Gets the floor: `next` gives it back. With `canceled`, it is only told that it never will. */
export type Turn = (next: () => void, canceled: Error | null) => void;

export interface OutboxOwner {
  bytesChanged(bytes: number): void;
  /** Nothing waits any more: the outbox is over. */
  emptied(): void;
}

/** What takes its time on the way out, and what has to wait behind it: one at a time has the floor. */
export class Outbox {
  readonly #owner: OutboxOwner;
  readonly #waiting: { readonly bytes: number; readonly turn: Turn }[] = [];
  #bytes = 0;
  #speaking = false;
  #canceled = false;

  constructor(owner: OutboxOwner) {
    this.#owner = owner;
  }

  /** Bytes of what has the floor and what waits for it. */
  get bytes(): number {
    return this.#bytes;
  }

  add(bytes: number, turn: Turn): void {
    this.#waiting.push({ bytes, turn });
    this.count(bytes);
    this.#go();
  }

  /** More bytes wait, or, if negative, fewer. */
  count(bytes: number): void {
    this.#bytes += bytes;
    if (!this.#canceled) this.#owner.bytesChanged(this.#bytes);
  }

  cancel(reason: Error): void {
    this.#canceled = true;
    for (const { turn } of this.#waiting.splice(0)) turn(() => {}, reason);
  }

  #go(): void {
    while (!this.#speaking && !this.#canceled) {
      const next = this.#waiting.shift();
      if (next === undefined) {
        this.#owner.emptied();
        return;
      }
      this.#speaking = true;
      let inside = true;
      next.turn(() => {
        this.#speaking = false;
        this.count(-next.bytes);
        if (!inside) this.#go();
      }, null);
      inside = false;
    }
  }
}
