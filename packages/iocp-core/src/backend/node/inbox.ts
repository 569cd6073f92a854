/** What a connection has received, and the receive that waits for it. */

import { Failed } from './errors.js';
import type { Pending } from './pending.js';
import type { SlotFiller, SlotStock } from './slot-stock.js';

/** The connection as its inbox sees it. */
export interface InboxOwner {
  /** The receive has got so many bytes in this slot, and goes on. */
  received(receiving: Pending, length: number, slot: number): void;
  /** The receive has ended. */
  receiveEnded(receiving: Pending, result: number): void;
  /** Whether more is to arrive. What arrives nevertheless is kept. */
  setFlowing(flowing: boolean): void;
}

/** Hands on what arrived when there are a receive and a slot for it: bytes first, then the end or an error. */
export class Inbox implements SlotFiller {
  fills = 0;
  turn = 0;
  readonly #owner: InboxOwner;
  readonly #slots: SlotStock;
  #receiving: Pending | null = null;
  /** Arrived, and not in a slot yet. */
  #rest: Uint8Array | null = null;
  /** What receives end with when the bytes are through: 0 or an error; null while more may come. */
  #ending: number | null = null;

  constructor(owner: InboxOwner, slots: SlotStock) {
    this.#owner = owner;
    this.#slots = slots;
  }

  start(receiving: Pending): void {
    this.#receiving = receiving;
    this.deliver();
  }

  /** The receive is to end early. What has arrived waits for the next one. */
  stop(result: number): void {
    this.#slots.forget(this);
    this.#endReceive(result);
    this.#owner.setFlowing(false);
  }

  push(chunk: Uint8Array): void {
    if (this.#ending !== null) return;
    this.#rest = this.#rest === null ? chunk : Buffer.concat([this.#rest, chunk]);
    this.deliver();
  }

  /** Nothing more will arrive. The first reason counts. */
  end(result: number): void {
    this.#ending ??= result;
    this.deliver();
  }

  /** Forgets what has arrived: nobody will ask for it. */
  drop(): void {
    this.#rest = null;
    this.#slots.forget(this);
  }

  slotsAvailable(): void {
    this.deliver();
  }

  deliver(): void {
    while (this.#receiving !== null && this.#rest !== null) {
      if (!this.#fillSlot(this.#receiving, this.#rest)) {
        this.#owner.setFlowing(false);
        return;
      }
    }
    if (this.#receiving !== null && this.#ending !== null) this.#endReceive(this.#takeEnding(this.#ending));
    else this.#owner.setFlowing(this.#receiving !== null);
  }

  #fillSlot(receiving: Pending, bytes: Uint8Array): boolean {
    const slot = this.#slots.fill(bytes, this);
    if (slot < 0) return false;
    const length = Math.min(bytes.length, this.#slots.slotBytes);
    this.#rest = length === bytes.length ? null : bytes.subarray(length);
    this.#owner.received(receiving, length, slot);
    return true;
  }

  /** The system tells an error once, and then the end. What was aborted here stays so. */
  #takeEnding(ending: number): number {
    if (ending !== Failed.ABORTED) this.#ending = 0;
    return ending;
  }

  #endReceive(result: number): void {
    const receiving = this.#receiving;
    this.#receiving = null;
    if (receiving !== null) this.#owner.receiveEnded(receiving, result);
  }
}
