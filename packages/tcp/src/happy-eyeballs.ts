/**
 * Happy Eyeballs (RFC 8305) without input or output: which address to try when. Sockets, clocks and timers belong to
 * the caller, so every order of events can be tested.
 */

import type { HostAddress } from '@iocp/core/layer';

/**
 * Orders addresses for a race: families take turns, beginning with the family of the first address, and within a
 * family the resolver's order is kept (RFC 8305 section 4, with a First Address Family Count of 1).
 */
export function interleave<T extends HostAddress>(addresses: readonly T[]): T[] {
  const first = addresses[0];
  if (first === undefined) return [];
  const preferred = addresses.filter((candidate) => candidate.family === first.family);
  const other = addresses.filter((candidate) => candidate.family !== first.family);
  const ordered: T[] = [];
  for (let index = 0; index < Math.max(preferred.length, other.length); index++) {
    const one = preferred[index];
    const two = other[index];
    if (one !== undefined) ordered.push(one);
    if (two !== undefined) ordered.push(two);
  }
  return ordered;
}

/**
 * The schedule of a race between `count` attempts, numbered from 0. An attempt starts `attemptDelayMs` after the one
 * before it, or at once when the one before it has failed (RFC 8305 section 5). Attempts go on in parallel.
 *
 * The caller asks `next(now)` until it says -1, then waits until `dueAt` or until an attempt reports. Times are in
 * milliseconds of any clock that does not go back.
 */
export class HappyEyeballs {
  readonly #count: number;
  readonly #attemptDelayMs: number;
  #started = 0;
  #failed = 0;
  #dueAt = 0;
  #decided = false;

  constructor(count: number, attemptDelayMs: number) {
    this.#count = count;
    this.#attemptDelayMs = attemptDelayMs;
  }

  /** The attempt to start now, or -1. Starting it is up to the caller, who calls again until there is none. */
  next(nowMs: number): number {
    if (nowMs < this.dueAt) return -1;
    this.#dueAt = nowMs + this.#attemptDelayMs;
    return this.#started++;
  }

  /** When the next attempt is due; Infinity when none will be. */
  get dueAt(): number {
    return this.#decided || this.#started === this.#count ? Number.POSITIVE_INFINITY : this.#dueAt;
  }

  /**
   * A started attempt has failed: when it was the last one started, the next is due at once. An older one says nothing
   * about the one that is under way, whose delay goes on.
   */
  failed(attempt: number, nowMs: number): void {
    this.#failed++;
    if (attempt === this.#started - 1 || this.#failed === this.#started) this.#dueAt = nowMs;
  }

  /** The race is over: nothing more is started. */
  decide(): void {
    this.#decided = true;
  }

  /** True when every attempt was made and has failed. */
  get exhausted(): boolean {
    return this.#failed === this.#count;
  }
}
