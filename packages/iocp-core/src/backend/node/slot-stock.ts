/** The pool slots that belong to the driver, and the receives that wait for one or for their next turn. */

/** Slots that one socket fills before it is the turn of the others, and of whoever may want no more. */
const fillsPerTurn = 8;
const nothing = new Uint8Array();

/** Whoever fills slots. */
export interface SlotFiller {
  /** Slots filled in this turn. Kept by the stock. */
  fills: number;
  /** Which turn that was. Kept by the stock. */
  turn: number;
  /** It may go on. */
  slotsAvailable(): void;
}

export class SlotStock {
  readonly slotBytes: number;
  /** Receives that were parked since the beginning. */
  parkings = 0;
  readonly #pool: Uint8Array;
  readonly #free: Int32Array;
  readonly #held: Uint8Array;
  readonly #parked = new Set<SlotFiller>();
  readonly #resting = new Set<SlotFiller>();
  readonly #onStarved: () => void;
  #count = 0;
  #turn = 0;
  #starved = false;

  /**
   * @param pool all slots, from the first byte of slot 0
   * @param onStarved called when a receive is parked
   */
  constructor(pool: Uint8Array, slots: number, slotBytes: number, onStarved: () => void) {
    this.slotBytes = slotBytes;
    this.#pool = pool;
    this.#onStarved = onStarved;
    this.#free = new Int32Array(slots);
    this.#held = new Uint8Array(slots);
  }

  /** Slots provided and not filled. */
  get count(): number {
    return this.#count;
  }

  get parked(): number {
    return this.#parked.size;
  }

  /** True when the slot exists and is JavaScript's. */
  isLent(slot: number): boolean {
    return this.#held[slot] === 0;
  }

  provide(slot: number): void {
    this.#held[slot] = 1;
    this.#free[this.#count++] = slot;
  }

  /**
   * Copies `header`, and as much of `bytes` as fits behind it, into a slot and gives it away. Returns the slot, or -1: then
   * `filler` is called when there is one again, or in the next turn when it has filled enough in this one.
   */
  fill(bytes: Uint8Array, filler: SlotFiller, header: Uint8Array = nothing): number {
    if (this.#isThrough(filler)) {
      this.#resting.add(filler);
      return -1;
    }
    if (this.#count === 0) {
      this.#park(filler);
      return -1;
    }
    filler.fills++;
    const slot = this.#free[--this.#count] as number;
    this.#held[slot] = 0;
    const start = slot * this.slotBytes;
    const room = this.slotBytes - header.length;
    this.#pool.set(header, start);
    this.#pool.set(bytes.length > room ? bytes.subarray(0, room) : bytes, start + header.length);
    return slot;
  }

  /** It waits no more. */
  forget(filler: SlotFiller): void {
    this.#parked.delete(filler);
    this.#resting.delete(filler);
  }

  /** Completions were delivered: everybody may fill slots again. */
  nextTurn(): void {
    this.#turn++;
    const rested = [...this.#resting];
    this.#resting.clear();
    for (const filler of rested) filler.slotsAvailable();
  }

  /** Lets those that wait go on while there are slots; each has one turn. */
  restartParked(): void {
    for (let turns = this.#parked.size; turns > 0 && this.#count > 0; turns--) {
      const [filler] = this.#parked;
      if (filler === undefined) return;
      this.#parked.delete(filler);
      filler.slotsAvailable();
    }
  }

  /** True once after receives were parked, while some still are. */
  takeStarved(): boolean {
    const starved = this.#starved && this.#parked.size > 0;
    this.#starved = false;
    return starved;
  }

  #isThrough(filler: SlotFiller): boolean {
    if (filler.turn !== this.#turn) {
      filler.turn = this.#turn;
      filler.fills = 0;
    }
    return filler.fills === fillsPerTurn;
  }

  /** Its turn comes when those that wait already have had theirs. */
  #park(filler: SlotFiller): void {
    if (this.#parked.has(filler)) return;
    this.#parked.add(filler);
    this.parkings++;
    this.#starved = true;
    this.#onStarved();
  }
}
