/** The life of handles and operations: reads submission records, and queues completions. */

import type { HandleRef } from '../../port/binding.js';
import {
  CompleteFlag,
  HEADER_WORDS,
  Operation,
  RECORD_WORDS,
  SubmissionHeader,
  SubmissionWord,
  SubmitFlag,
} from '../../protocol.gen.js';
import { CompletionQueue } from './completion-queue.js';
import { Failed } from './errors.js';
import type { Handle, HandleHost } from './handle.js';
import { HandleTable } from './handle-table.js';
import { type Pending, PendingTable } from './pending.js';
import { Pins } from './pins.js';
import { SegmentReader } from './segments.js';
import { SlotStock } from './slot-stock.js';

const tokenIndexMax = 2 ** 20;

const exclusive: ReadonlySet<number> = new Set([
  Operation.ACCEPT,
  Operation.CONNECT,
  Operation.RECV,
  Operation.SEND,
  Operation.RECV_FROM,
  Operation.SEND_TO,
]);

/**
 * The rules of the native engine (`native/core/engine.cc`), with its results: every operation settles once, a handle that
 * closes takes nothing more and settles what it had first, a stale token, handle, slot or pin is refused.
 */
export class Engine implements HandleHost {
  readonly slots: SlotStock;
  readonly pins = new Pins();
  readonly handles = new HandleTable();
  readonly completions = new CompletionQueue();
  /** Records read, and those that named a token, slot or pin that does not exist. */
  submissions = 0;
  rejected = 0;
  readonly #pendings = new PendingTable();
  readonly #segments: SegmentReader;
  readonly #onNews: () => void;

  /**
   * @param pool all slots, from the first byte of slot 0
   * @param onNews called with each completion that was queued and each receive that was parked
   */
  constructor(pool: Uint8Array, slots: number, slotBytes: number, onNews: () => void) {
    this.slots = new SlotStock(pool, slots, slotBytes, onNews);
    this.#segments = new SegmentReader(pool, this.pins);
    this.#onNews = onNews;
  }

  get operationsInFlight(): number {
    return this.#pendings.count;
  }

  /** Reads the records of the submission block, and lets parked receives have the slots that came with them. */
  drain(block: Int32Array): void {
    const count = block[SubmissionHeader.COUNT] as number;
    block[SubmissionHeader.COUNT] = 0;
    for (let record = 0; record < count; ) record += this.#submit(block, record, count - record);
    this.slots.restartParked();
  }

  /** Settles everything and gives all sockets up. */
  close(): void {
    for (const handle of this.handles.all()) handle.dispose();
  }

  settle(pending: Pending, result: number): void {
    this.#pendings.close(pending);
    this.#complete(pending, result, 0, -1, 0);
  }

  more(pending: Pending, result: number, flags = 0, value = -1, extra = 0): void {
    this.#complete(pending, result, flags | CompleteFlag.MORE, value, extra);
  }

  /** A POST to a token that is no operation of the driver. */
  mail(token: number, tokenGeneration: number, value: number): void {
    const code = Operation.POST | (CompleteFlag.MORE << 8);
    this.completions.push(code, token, tokenGeneration, value, -1, 0);
    this.#onNews();
  }

  adopt(handle: Handle): HandleRef {
    return this.handles.add(handle);
  }

  release(handle: Handle): void {
    this.handles.remove(handle);
  }

  #complete(pending: Pending, result: number, flags: number, value: number, extra: number): void {
    const { operation, token, tokenGeneration } = pending;
    this.completions.push(operation | (flags << 8), token, tokenGeneration, result, value, extra);
    this.#onNews();
  }

  /** Takes the record with this number. Returns how many records it was, its segments or datagrams included. */
  #submit(block: Int32Array, record: number, available: number): number {
    this.submissions++;
    const at = HEADER_WORDS + record * RECORD_WORDS;
    const code = block[at + SubmissionWord.CODE] as number;
    const operation = (code & 0xff) as Operation;
    const records = 1 + recordsBehind(operation, code >>> 16);
    if (records > available) {
      this.rejected++;
      return available;
    }
    const argument = block[at + SubmissionWord.A] as number;
    switch (operation) {
      case Operation.PROVIDE:
        this.#provide(argument);
        break;
      case Operation.UNPIN:
        if (!this.pins.remove(argument)) this.rejected++;
        break;
      case Operation.DISCARD:
        // JavaScript cannot give pages back to the system.
        if (!this.slots.isLent(argument)) this.rejected++;
        break;
      case Operation.CANCEL:
        this.#cancel(block, at);
        break;
      default:
        this.#begin(operation, block, at, code);
    }
    return records;
  }

  #provide(slot: number): void {
    if (this.slots.isLent(slot)) this.slots.provide(slot);
    else this.rejected++;
  }

  #cancel(block: Int32Array, at: number): void {
    const token = block[at + SubmissionWord.TOKEN] as number;
    const pending = this.#pendings.find(token, block[at + SubmissionWord.TOKEN_GENERATION] as number);
    // It may have settled while the request was on its way: that is no error.
    if (pending !== null && pending.operation !== Operation.CLOSE) pending.handle?.cancel(pending);
  }

  #begin(operation: Operation, block: Int32Array, at: number, code: number): void {
    const pending = this.#open(operation, block, at);
    if (pending === null) return;
    const argument = block[at + SubmissionWord.A] as number;
    if (operation === Operation.POST) {
      this.settle(pending, argument);
      return;
    }
    const index = block[at + SubmissionWord.HANDLE] as number;
    const handle = this.handles.find(index, block[at + SubmissionWord.HANDLE_GENERATION] as number);
    if (handle === null) this.settle(pending, Failed.BAD_HANDLE);
    else if (handle.closing !== null) this.settle(pending, Failed.CANCELED);
    else if (exclusive.has(operation) && handle.busyWith(operation)) this.settle(pending, Failed.ALREADY);
    else this.#beginOn(handle, pending, block, at, code);
  }

  #beginOn(handle: Handle, pending: Pending, block: Int32Array, at: number, code: number): void {
    const { operation } = pending;
    pending.handle = handle;
    if (operation === Operation.CLOSE) handle.startClose(pending, ((code >> 8) & SubmitFlag.ABORT) !== 0);
    else if (operation === Operation.SEND) this.#send(pending, handle, block, at, code >>> 16);
    else if (operation === Operation.SEND_TO) this.#sendTo(pending, handle, block, at, code >>> 16);
    else handle.start(pending, block[at + SubmissionWord.A] as number);
  }

  #send(pending: Pending, handle: Handle, block: Int32Array, at: number, count: number): void {
    const segments = this.#segments.read(block, at, count);
    if (segments === null) this.settle(pending, Failed.FAULT);
    else handle.startSend(pending, segments);
  }

  #sendTo(pending: Pending, handle: Handle, block: Int32Array, at: number, count: number): void {
    const datagrams = this.#segments.readDatagrams(block, at, count);
    if (datagrams === null) this.settle(pending, Failed.FAULT);
    else handle.startSendTo(pending, datagrams);
  }

  #open(operation: Operation, block: Int32Array, at: number): Pending | null {
    const token = block[at + SubmissionWord.TOKEN] as number;
    const known = operation > Operation.NONE && operation <= Operation.SEND_TO && token < tokenIndexMax;
    const generation = block[at + SubmissionWord.TOKEN_GENERATION] as number;
    const pending = known ? this.#pendings.open(operation, token, generation) : null;
    if (pending === null) this.rejected++;
    return pending;
  }
}

/** Records that belong to the one that starts an operation. */
function recordsBehind(operation: Operation, parts: number): number {
  if (operation === Operation.SEND_TO) return parts * 2;
  return operation === Operation.SEND && parts > 1 ? (parts + 1) >> 1 : 0;
}
