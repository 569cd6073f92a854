/** Open handles by index and generation. */

import type { HandleRef } from '../../port/binding.js';
import type { Handle } from './handle.js';

const generationMask = 0x7fffffff;

/** A slab: places are used again with the next generation, so that a stale reference finds nothing. */
export class HandleTable {
  count = 0;
  readonly #handles: (Handle | null)[] = [];
  readonly #generations: number[] = [];
  readonly #free: number[] = [];

  add(handle: Handle): HandleRef {
    const index = this.#free.pop() ?? this.#handles.length;
    const generation = this.#generations[index] ?? 1;
    this.#handles[index] = handle;
    this.#generations[index] = generation;
    handle.index = index;
    handle.generation = generation;
    this.count++;
    return { index, generation };
  }

  /** Null when the reference is stale. */
  find(index: number, generation: number): Handle | null {
    return this.#generations[index] === generation ? (this.#handles[index] ?? null) : null;
  }

  remove({ index, generation }: Handle): void {
    this.#handles[index] = null;
    this.#generations[index] = (generation + 1) & generationMask;
    this.#free.push(index);
    this.count--;
  }

  all(): Handle[] {
    return this.#handles.filter((handle) => handle !== null);
  }
}
