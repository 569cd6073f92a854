/** Operations in flight. */

import type { Operation } from '../../protocol.gen.js';
import type { Handle } from './handle.js';

/** An operation from its record to its last completion. */
export interface Pending {
  readonly operation: Operation;
  readonly token: number;
  readonly tokenGeneration: number;
  /** Null for POST, and until the handle is known. */
  handle: Handle | null;
}

/** Operations in flight by the index of their token. */
export class PendingTable {
  count = 0;
  readonly #pendings: (Pending | null)[] = [];

  /** Null when the token is in use or is none. */
  open(operation: Operation, token: number, tokenGeneration: number): Pending | null {
    if (token < 0 || (this.#pendings[token] ?? null) !== null) return null;
    const pending: Pending = { operation, token, tokenGeneration, handle: null };
    while (this.#pendings.length < token) this.#pendings.push(null);
    this.#pendings[token] = pending;
    this.count++;
    return pending;
  }

  find(token: number, tokenGeneration: number): Pending | null {
    const pending = this.#pendings[token] ?? null;
    return pending?.tokenGeneration === tokenGeneration ? pending : null;
  }

  close(pending: Pending): void {
    this.#pendings[pending.token] = null;
    this.count--;
  }
}
