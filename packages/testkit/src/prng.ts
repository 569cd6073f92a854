/** Seeded randomness: a test that fails prints its seed, and the seed replays it. */

/** Name of the environment variable that fixes the seed of every `withSeed` run. */
export const SEED_VARIABLE = 'IOCP_TEST_SEED';

/** A small seeded generator (sfc32). The same seed gives the same numbers on every platform. Not for secrets. */
export class Random {
  readonly seed: number;
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** @param seed any integer; its low 32 bits count. */
  constructor(seed: number) {
    if (!Number.isInteger(seed)) throw new RangeError(`The seed must be an integer, got ${seed}`);
    this.seed = seed >>> 0;
    this.#a = this.seed;
    this.#b = 0x9e3779b9;
    this.#c = 0x243f6a88;
    for (let round = 0; round < 12; round++) this.#word();
  }

  #word(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    return sum >>> 0;
  }

  /** A number from 0 up to, but not including, 1. */
  next(): number {
    return this.#word() / 0x1_0000_0000;
  }

  /** A whole number from `least` to `most`, both included. */
  integer(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  /** True with the given probability (0 to 1). Draws one number whatever the probability is. */
  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** One of the items. */
  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new RangeError('There is nothing to pick from');
    return items[this.integer(0, items.length - 1)] as T;
  }

  /** That many random bytes. */
  bytes(byteCount: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(byteCount);
    for (let index = 0; index < byteCount; index++) bytes[index] = this.#word() >>> 24;
    return bytes;
  }

  /** A generator of its own, so that one part of a test can draw more without changing the others. */
  fork(): Random {
    return new Random(this.#word());
  }
}

/** The seed of the environment variable `IOCP_TEST_SEED`, or a new one. */
export function chooseSeed(): number {
  const fixed = process.env[SEED_VARIABLE];
  if (fixed === undefined || fixed === '') return Math.floor(Math.random() * 0x1_0000_0000);
  const seed = Number(fixed);
  if (!Number.isInteger(seed)) throw new RangeError(`${SEED_VARIABLE} must be an integer, got '${fixed}'`);
  return seed >>> 0;
}

/**
 * Runs `body` with a seeded generator. When it fails, the message of the error tells the seed and how to replay it.
 * @param seed fixed seed; default: `chooseSeed()`.
 */
export async function withSeed<T>(
  body: (random: Random) => T | Promise<T>,
  seed: number = chooseSeed(),
): Promise<T> {
  try {
    return await body(new Random(seed));
  } catch (error) {
    if (error instanceof Error)
      addNote(error, `seed ${seed >>> 0}; replay with ${SEED_VARIABLE}=${seed >>> 0}`);
    throw error;
  }
}

/** Adds a line to the message of an error, and to the copy of the message in its stack. */
export function addNote(error: Error, note: string): void {
  const before = error.message;
  error.message = `${before}\n${note}`;
  if (error.stack !== undefined) error.stack = error.stack.replace(before, () => error.message);
}
