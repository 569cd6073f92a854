/** One direction of a faulty datagram channel: which datagrams are lost, doubled, overtaken and late. */

import type { Random } from '../prng.js';
import type { Transcript } from '../transcript.js';

/** How often what happens to datagrams. Probabilities are from 0 to 1; all are 0 unless given. */
export interface DatagramFaultOptions {
  readonly loss?: number;
  /** A datagram goes twice; the second one at once. */
  readonly duplicate?: number;
  /** A datagram waits until up to `reorderMax` later ones have overtaken it, or until few come. */
  readonly reorder?: number;
  /** Default 8. */
  readonly reorderMax?: number;
  /** A datagram waits for up to `delayTurnsMax` turns of the event loop. */
  readonly delay?: number;
  /** Default 4. */
  readonly delayTurnsMax?: number;
}

/** What was done to the datagrams of one direction. */
export interface DatagramFaultCounts {
  /** Gone for good. On the way in, also those that were held back when the channel closed. */
  readonly lost: number;
  /** Copies that were made. */
  readonly duplicated: number;
  /** Overtaken by at least one later datagram. */
  readonly reordered: number;
  /** Held back for some turns. */
  readonly delayed: number;
}

export interface Fate {
  readonly lost: boolean;
  readonly duplicated: boolean;
  /** Turns to wait at most; 0 is to go at once. */
  readonly turns: number;
  /** Later datagrams to wait for at most. */
  readonly overtakers: number;
}

interface Held<Item> {
  readonly item: Item;
  readonly overtakers: number;
  turnsLeft: number;
  overtakenBy: number;
}

/** Turns of the event loop after which a datagram to be overtaken no longer waits for others. */
const idleTurns = 8;

export class FaultyPath<Item> {
  readonly counts = { lost: 0, duplicated: 0, reordered: 0, delayed: 0 };
  readonly #name: string;
  readonly #random: Random;
  readonly #options: DatagramFaultOptions;
  readonly #transcript: Transcript;
  readonly #onLeave: (item: Item) => void;
  #held: Held<Item>[] = [];
  #drawn = 0;

  /** @param onLeave called for each datagram that has waited long enough. */
  constructor(
    name: string,
    random: Random,
    options: DatagramFaultOptions,
    transcript: Transcript,
    onLeave: (item: Item) => void,
  ) {
    this.#name = name;
    this.#random = random;
    this.#options = options;
    this.#transcript = transcript;
    this.#onLeave = onLeave;
  }

  /** What is to happen to the next datagram. Always draws as many numbers, so that one fault does not move the others. */
  draw(): Fate {
    const {
      loss = 0,
      duplicate = 0,
      reorder = 0,
      reorderMax = 8,
      delay = 0,
      delayTurnsMax = 4,
    } = this.#options;
    const lost = this.#random.chance(loss);
    const duplicated = this.#random.chance(duplicate) && !lost;
    const overtaken = this.#random.chance(reorder) && !lost;
    const delayed = this.#random.chance(delay) && !lost && !overtaken;
    const overtakers = this.#random.integer(1, reorderMax);
    const turns = this.#random.integer(1, delayTurnsMax);
    this.#record({ lost, duplicated, overtaken, delayed });
    if (overtaken) return { lost, duplicated, turns: idleTurns, overtakers };
    return { lost, duplicated, turns: delayed ? turns : 0, overtakers: Number.POSITIVE_INFINITY };
  }

  #record(faults: Record<string, boolean>): void {
    const number = this.#drawn++;
    const names = Object.keys(faults).filter((name) => faults[name]);
    if (names.length > 0) this.#transcript.add(`${this.#name} ${number}: ${names.join(', ')}`);
  }

  hold(item: Item, { turns, overtakers }: Fate): void {
    if (overtakers === Number.POSITIVE_INFINITY) this.counts.delayed++;
    this.#held.push({ item, overtakers, turnsLeft: turns, overtakenBy: 0 });
  }

  /** A datagram has gone past those that wait. */
  passed(): void {
    if (this.#held.length === 0) return;
    for (const each of this.#held) each.overtakenBy++;
    this.#leave((each) => each.overtakenBy >= each.overtakers);
  }

  /** A turn of the event loop has gone by. */
  turn(): void {
    for (const each of this.#held) each.turnsLeft--;
    this.#leave((each) => each.turnsLeft <= 0);
  }

  /** Nobody waits any longer. */
  flush(): void {
    this.#leave(() => true);
  }

  get isHolding(): boolean {
    return this.#held.length > 0;
  }

  /** Those that wait. */
  get items(): readonly Item[] {
    return this.#held.map(({ item }) => item);
  }

  #leave(isDue: (held: Held<Item>) => boolean): void {
    const due = this.#held.filter(isDue);
    if (due.length === 0) return;
    this.#held = this.#held.filter((each) => !due.includes(each));
    for (const { item, overtakenBy } of due) {
      if (overtakenBy > 0) this.counts.reordered++;
      this.#onLeave(item);
    }
  }

  /** Takes away those that wait. */
  takeHeld(): Item[] {
    return this.#held.splice(0).map(({ item }) => item);
  }
}
