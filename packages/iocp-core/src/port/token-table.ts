/** Tokens: which handler an operation in flight belongs to. */

import { IoError } from '../layer/errors.js';
import type { Operation } from '../protocol.gen.js';
import type { CompletionHandler } from './completion-handler.js';

declare const tokenBrand: unique symbol;

/** Names an operation in flight. Opaque; never used again once the operation has settled. */
export type Token = number & { readonly [tokenBrand]: true };

const indexLimit = 2 ** 20;
const generationLimit = 0x7fffffff;
const firstCapacity = 256;

/**
 * A slab of tokens. An index is used again after its operation has settled, with the next generation, so that a stale
 * completion never reaches a new owner. Nothing is allocated per operation once the table has its size.
 */
export class TokenTable {
  #handlers: (CompletionHandler | null)[] = [];
  #generations = new Int32Array(0);
  #operations = new Uint8Array(0);
  #free = new Int32Array(0);
  #freeCount = 0;

  constructor() {
    this.#grow(firstCapacity);
  }

  /** Operations in flight. */
  get live(): number {
    return this.#generations.length - this.#freeCount;
  }

  /**
   * Opens a token and returns its index.
   * @throws {IoError} `ERR_IOCP_OPERATIONS_MAX` with 2^20 operations in flight.
   */
  acquire(operation: Operation, handler: CompletionHandler): number {
    if (this.#freeCount === 0) this.#grow(this.#generations.length * 2);
    const index = this.#free[--this.#freeCount] as number;
    this.#handlers[index] = handler;
    this.#operations[index] = operation;
    return index;
  }

  /** Ends the token: from now on its completions are stale. */
  release(index: number): void {
    const generation = this.#generations[index] as number;
    this.#generations[index] = generation === generationLimit ? 1 : generation + 1;
    this.#handlers[index] = null;
    this.#free[this.#freeCount++] = index;
  }

  generationOf(index: number): number {
    return this.#generations[index] as number;
  }

  operationOf(index: number): Operation {
    return this.#operations[index] as Operation;
  }

  /** The handler of a live token, or null when the token is stale. */
  handlerOf(index: number, generation: number): CompletionHandler | null {
    if (this.#generations[index] !== generation) return null;
    return this.#handlers[index] as CompletionHandler | null;
  }

  /** Indices of all live tokens. */
  liveIndices(): number[] {
    const live: number[] = [];
    for (let index = 0; index < this.#handlers.length; index++) {
      if (this.#handlers[index] !== null) live.push(index);
    }
    return live;
  }

  tokenOf(index: number): Token {
    return ((this.#generations[index] as number) * indexLimit + index) as Token;
  }

  static indexOf(token: Token): number {
    return token % indexLimit;
  }

  static generationOf(token: Token): number {
    return Math.floor(token / indexLimit);
  }

  #grow(capacity: number): void {
    const old = this.#generations.length;
    if (capacity > indexLimit) {
      throw new IoError(`More than ${indexLimit} operations in flight on one port: use several ports.`, {
        code: 'ERR_IOCP_OPERATIONS_MAX',
      });
    }
    this.#generations = grown(this.#generations, new Int32Array(capacity).fill(1));
    this.#operations = grown(this.#operations, new Uint8Array(capacity));
    this.#free = grown(this.#free, new Int32Array(capacity));
    for (let index = old; index < capacity; index++) this.#handlers.push(null);
    for (let index = capacity - 1; index >= old; index--) this.#free[this.#freeCount++] = index;
  }
}

function grown<A extends Int32Array | Uint8Array>(from: A, to: A): A {
  to.set(from);
  return to;
}
