import type { BufferPool } from '@iocp/core';
import type { Datagram, DatagramBatch } from '@iocp/core/layer';
import { dataOffset, isTruncated, segmentBytesOf } from './incoming.js';
import type { ReceivedDatagram } from './received-datagram.js';

/** Datagrams gathered before they are delivered without waiting for the end of the turn. */
export const batchDatagrams = 512;

/**
 * Filled slots, each held once, from their completion to the end of their delivery. Used again for every batch: adding
 * writes two numbers, and going through moves one cursor.
 */
export class ReceivedBatch implements DatagramBatch, Iterator<Datagram> {
  /** Datagrams; with receive offload a slot may hold several. Valid while the batch is delivered. */
  length = 0;
  /** Bytes in all of them, and how many were cut off. */
  byteLength = 0;
  truncated = 0;
  /** Slots that were added. */
  count = 0;
  readonly #pool: BufferPool;
  /** The system may put several datagrams into one slot. */
  readonly #segmented: boolean;
  readonly #cursor: ReceivedDatagram;
  readonly #more: { readonly done: false; readonly value: Datagram };
  readonly #end = { done: true, value: undefined } as const;
  #slots = new Int32Array(batchDatagrams);
  #lengths = new Int32Array(batchDatagrams);
  #next = 0;
  /** What the cursor has left of its slot, and how large the pieces are. */
  #rest = 0;
  #segmentBytes = 0;

  constructor(pool: BufferPool, cursor: ReceivedDatagram, segmented: boolean) {
    this.#pool = pool;
    this.#cursor = cursor;
    this.#segmented = segmented;
    this.#more = { done: false, value: cursor };
  }

  /** A slot with `length` bytes of payload; it is held from now on. */
  add(slot: number, length: number): void {
    if (this.count === this.#slots.length) this.#grow();
    this.#pool.retain(slot);
    this.#slots[this.count] = slot;
    this.#lengths[this.count] = length;
    this.count++;
    this.byteLength += length;
    // Only what fills its slot can have been longer: the others need no look at their header.
    if (length >= this.#pool.slotBytes - dataOffset && isTruncated(this.#pool, slot)) this.truncated++;
  }

  /** Before the delivery: counts the datagrams. */
  prepare(): void {
    this.length = this.#segmented ? this.#countSegments() : this.count;
  }

  [Symbol.iterator](): Iterator<Datagram> {
    this.#next = 0;
    this.#rest = 0;
    return this;
  }

  next(): IteratorResult<Datagram> {
    if (this.#rest > 0) {
      this.#takeSegment();
      return this.#more;
    }
    const at = this.#next;
    if (at >= this.count) {
      this.#cursor.leave();
      return this.#end;
    }
    this.#next = at + 1;
    const slot = this.#slots[at] as number;
    const length = this.#lengths[at] as number;
    const segmentBytes = this.#segmented ? segmentBytesOf(this.#pool, slot) : 0;
    if (segmentBytes === 0 || segmentBytes >= length) {
      this.#cursor.enter(slot, dataOffset, length);
    } else {
      this.#segmentBytes = segmentBytes;
      this.#rest = length - segmentBytes;
      this.#cursor.enter(slot, dataOffset, segmentBytes);
    }
    return this.#more;
  }

  /** After the delivery, or instead of it: gives the slots back that nobody else holds. */
  clear(): void {
    this.#cursor.leave();
    const count = this.count;
    this.length = 0;
    this.count = 0;
    this.byteLength = 0;
    this.truncated = 0;
    this.#rest = 0;
    for (let at = 0; at < count; at++) this.#pool.release(this.#slots[at] as number);
  }

  #takeSegment(): void {
    const bytes = Math.min(this.#segmentBytes, this.#rest);
    this.#rest -= bytes;
    this.#cursor.enter(this.#cursor.slot, this.#cursor.offset + this.#segmentBytes, bytes);
  }

  #countSegments(): number {
    let datagrams = 0;
    for (let at = 0; at < this.count; at++) {
      const length = this.#lengths[at] as number;
      const segmentBytes = segmentBytesOf(this.#pool, this.#slots[at] as number);
      datagrams += segmentBytes === 0 ? 1 : Math.max(1, Math.ceil(length / segmentBytes));
    }
    return datagrams;
  }

  /** Only while paused: what arrives until the receive has ended. */
  #grow(): void {
    const slots = new Int32Array(this.count * 2);
    const lengths = new Int32Array(this.count * 2);
    slots.set(this.#slots);
    lengths.set(this.#lengths);
    this.#slots = slots;
    this.#lengths = lengths;
  }
}
