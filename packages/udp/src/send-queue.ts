import { type DatagramList, type ErrorTarget, ioError, Limit, type SegmentMemory } from '@iocp/core';
import { type DatagramAddress, type DatagramSendOptions, type IoError, throwLater } from '@iocp/core/layer';
import type { QueueLimits } from './queue-limits.js';
import { type Done, SendBatch } from './send-batch.js';
import { abortedError, canceledResult, mayBeAnswer, overflowError, refusesToCut } from './system-errors.js';

const entriesMax = Limit.DATAGRAMS_MAX;

/** Whom the queue belongs to. */
export interface SendQueueOwner {
  /** A datagram was refused for good, and nobody else wants to know. */
  sendFailed(error: Error): void;
  /** A send told what the network had answered to an earlier datagram. */
  answered(result: number): void;
  /** Where a connected socket sends to. */
  readonly connectedTo: ErrorTarget;
}

/**
 * Datagrams between `send` and the system: what waits, one batch in flight, and an account of each. In steady state two
 * batches take turns, and nothing is allocated.
 */
export class SendQueue {
  /** Datagrams and bytes not yet taken by the system, those in flight included. */
  queued = 0;
  queuedBytes = 0;
  sent = 0;
  sentBytes = 0;
  sendErrors = 0;
  droppedQueueFull = 0;
  droppedClosed = 0;
  /** Runs of equal datagrams leave as one that the system cuts; off for good once the system has refused one. */
  offload: boolean;
  /** A datagram was refused for lack of room, and nobody was told of room since. */
  drainOwed = false;
  readonly #memory: SegmentMemory;
  readonly #limits: QueueLimits;
  readonly #owner: SendQueueOwner;
  readonly #waiting: SendBatch[] = [];
  readonly #spare: SendBatch[] = [];
  #inFlight: SendBatch | null = null;
  /** What is told at the end of the turn, because nothing is told inside of `send`. */
  #outcomes: { readonly done: Done; readonly error: Error }[] = [];

  constructor(memory: SegmentMemory, limits: QueueLimits, offload: boolean, owner: SendQueueOwner) {
    this.#memory = memory;
    this.#limits = limits;
    this.#owner = owner;
    this.offload = offload;
  }

  get sending(): boolean {
    return this.#inFlight !== null;
  }

  get idle(): boolean {
    return this.queued === 0 && this.#inFlight === null;
  }

  get hasOutcomes(): boolean {
    return this.#outcomes.length > 0;
  }

  /** Half of the queue is free. */
  get halfFree(): boolean {
    const { datagramsMax, bytesMax } = this.#limits;
    return this.queued * 2 <= datagramsMax && this.queuedBytes * 2 <= bytesMax;
  }

  /** False when there is no room for a datagram of `bytes` bytes; what became of it follows the policy. */
  makeRoom(bytes: number, options: DatagramSendOptions | undefined): boolean {
    if (this.#fits(bytes)) return true;
    const { overflow } = this.#limits;
    if (overflow === 'drop-old') {
      while (this.#dropOldest()) if (this.#fits(bytes)) return true;
    }
    this.drainOwed = true;
    if (overflow === 'block') return false;
    this.droppedQueueFull++;
    if (options?.done !== undefined) this.tellLater(options.done, overflowError());
    return false;
  }

  /** Queues a datagram. Throws what `DatagramList.add` throws; the queue is then as before. */
  add(
    data: Uint8Array | readonly Uint8Array[],
    to: DatagramAddress | null,
    options: DatagramSendOptions | undefined,
  ): void {
    const batch = this.#open();
    const before = batch.list.byteLength;
    batch.list.add(data, to, options);
    this.#count(batch, before, options);
  }

  /** Queues a datagram to who has sent what lies in `slot`. */
  addReply(data: Uint8Array, slot: number, options: DatagramSendOptions | undefined): void {
    const batch = this.#open();
    const before = batch.list.byteLength;
    batch.list.addReply(data, slot, options);
    this.#count(batch, before, options);
  }

  /** Has `done` called at the end of the turn. */
  tellLater(done: Done, error: Error): void {
    this.#outcomes.push({ done, error });
  }

  /** Calls what waited for the end of the turn. */
  tellOutcomes(): void {
    while (this.#outcomes.length > 0) {
      const outcomes = this.#outcomes;
      this.#outcomes = [];
      for (const { done, error } of outcomes) tell(done, error);
    }
  }

  /** What is to be sent next, or null when there is nothing, or when something is in flight. */
  takeNext(): DatagramList | null {
    if (this.#inFlight !== null) return null;
    const next = this.#waiting[0];
    // A datagram that could not be added may have left an empty batch behind.
    if (next === undefined || next.list.count === 0) return null;
    this.#waiting.shift();
    this.#inFlight = next;
    return next.list;
  }

  /** The system has refused an entry of what is in flight. */
  refused(entry: number, result: number): void {
    this.#inFlight?.refuse(entry, result);
  }

  /**
   * What is in flight has settled.
   * @param result entries that the system has taken, or an error
   * @param reason why the socket closes; undefined when it does not
   */
  settled(result: number, reason: Error | null | undefined): void {
    const batch = this.#inFlight;
    if (batch === null) return;
    this.#inFlight = null;
    const { list } = batch;
    this.queued -= list.datagrams;
    this.queuedBytes -= list.byteLength;
    if (batch.unwatched && result === list.count) {
      this.sent += list.datagrams;
      this.sentBytes += list.byteLength;
    } else {
      this.#settleEach(batch, result, reason);
    }
    batch.clear();
    this.#spare.push(batch);
  }

  /** Nothing more will be sent: drops what waits. */
  dropAll(reason: Error | null): void {
    const error = abortedError(reason);
    for (const batch of this.#waiting.splice(0)) {
      const { list } = batch;
      this.queued -= list.datagrams;
      this.queuedBytes -= list.byteLength;
      this.droppedClosed += list.datagrams;
      for (let each = 0; each < list.datagrams; each++) {
        const done = batch.doneOf(each);
        if (done !== undefined) this.tellLater(done, error);
      }
      batch.clear();
    }
    this.#spare.length = 0;
  }

  #fits(bytes: number): boolean {
    if (this.queued === 0) return true;
    const { datagramsMax, bytesMax } = this.#limits;
    return this.queued < datagramsMax && this.queuedBytes + bytes <= bytesMax;
  }

  #count(batch: SendBatch, bytesBefore: number, options: DatagramSendOptions | undefined): void {
    this.queued++;
    this.queuedBytes += batch.list.byteLength - bytesBefore;
    // Spelt out: optional chaining costs an allocation in the CommonJS build.
    if (options !== undefined && options.done !== undefined) batch.noteDone(options.done);
  }

  /** The batch that takes one more datagram. */
  #open(): SendBatch {
    const last = this.#waiting[this.#waiting.length - 1];
    if (last !== undefined && !last.sealed && !last.list.full) return last;
    const batch = this.#fresh();
    batch.list.coalesce = this.offload;
    this.#waiting.push(batch);
    return batch;
  }

  #fresh(): SendBatch {
    const spare = this.#spare.pop();
    return spare === undefined ? new SendBatch(this.#memory) : spare;
  }

  /** False when nothing waits that could be dropped. */
  #dropOldest(): boolean {
    const first = this.#waiting[0];
    if (first === undefined) return false;
    const { bytes, done } = first.dropFirst();
    this.queued--;
    this.queuedBytes -= bytes;
    this.droppedQueueFull++;
    if (done !== undefined) this.tellLater(done, overflowError());
    if (first.list.count === 0) {
      this.#waiting.shift();
      first.clear();
      this.#spare.push(first);
    }
    return true;
  }

  /** Something was refused, or somebody wants to know about single datagrams. */
  #settleEach(batch: SendBatch, result: number, reason: Error | null | undefined): void {
    const again: SendBatch[] = [];
    let taken = Math.max(result, 0);
    for (let entry = 0; entry < batch.list.count; entry++) {
      const refusal = batch.refusalOf(entry);
      if (refusal === undefined && taken > 0) {
        taken--;
        this.#entrySent(batch, entry);
      } else if (reason !== undefined) {
        this.#entryDropped(batch, entry, reason);
      } else if (refusal === undefined) {
        this.#entryFailed(batch, entry, result < 0 ? result : canceledResult);
      } else if (!this.#entryTriedAgain(batch, entry, refusal, again)) {
        this.#entryFailed(batch, entry, refusal);
      }
    }
    this.#waiting.unshift(...again);
  }

  #entrySent(batch: SendBatch, entry: number): void {
    this.sent += batch.list.datagramsOf(entry);
    this.sentBytes += batch.bytesOf(entry);
    // It went the second time: what stopped it the first time was not about it.
    if (batch.earlier !== null) this.#owner.answered(batch.earlier[entry] as number);
    this.#tellEach(batch, entry, null);
  }

  #entryDropped(batch: SendBatch, entry: number, reason: Error | null): void {
    this.droppedClosed += batch.list.datagramsOf(entry);
    this.#tellEach(batch, entry, abortedError(reason));
  }

  #entryFailed(batch: SendBatch, entry: number, result: number): void {
    const { list } = batch;
    const from = list.first(entry);
    for (let each = 0; each < list.datagramsOf(entry); each++) {
      const error = this.#errorOf(batch, entry, result);
      const done = batch.doneOf(from + each);
      this.sendErrors++;
      if (done === undefined) this.#owner.sendFailed(error);
      else tell(done, error);
    }
  }

  /**
   * Parts of what the system would not cut go out one by one, and what an earlier datagram's answer may have stopped goes
   * out once more.
   */
  #entryTriedAgain(batch: SendBatch, entry: number, result: number, again: SendBatch[]): boolean {
    const parts = batch.list.datagramsOf(entry);
    if (parts > 1) {
      if (refusesToCut(result)) this.#stopOffload();
    } else if (batch.earlier !== null || !mayBeAnswer(result)) {
      return false;
    }
    const target = this.#batchFor(again, parts, parts === 1);
    target.addPartsOf(batch, entry, result);
    this.queued += parts;
    this.queuedBytes += batch.bytesOf(entry);
    return true;
  }

  #stopOffload(): void {
    this.offload = false;
    for (const batch of this.#waiting) batch.list.coalesce = false;
  }

  #batchFor(again: SendBatch[], parts: number, second: boolean): SendBatch {
    const last = again[again.length - 1];
    const fits = last !== undefined && last.list.count + parts <= entriesMax;
    if (fits && (last.earlier !== null) === second) return last;
    const batch = this.#fresh();
    batch.sealed = true;
    batch.list.coalesce = false;
    if (second) batch.earlier = [];
    again.push(batch);
    return batch;
  }

  #tellEach(batch: SendBatch, entry: number, error: Error | null): void {
    const from = batch.list.first(entry);
    for (let each = 0; each < batch.list.datagramsOf(entry); each++) {
      const done = batch.doneOf(from + each);
      if (done !== undefined) tell(done, error);
    }
  }

  #errorOf(batch: SendBatch, entry: number, result: number): IoError {
    return ioError(result, 'send', batch.targetOf(entry) ?? this.#owner.connectedTo);
  }
}

/** What a callback throws keeps neither the others nor the socket from going on. */
function tell(done: Done, error: Error | null): void {
  try {
    done(error);
  } catch (thrown) {
    throwLater(thrown);
  }
}
