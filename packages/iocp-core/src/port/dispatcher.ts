/** Hands a batch of completions to their handlers. */

import type { AsyncResource } from 'node:async_hooks';
import { throwLater } from '../layer/turn.js';
import {
  CompleteFlag,
  CompletionHeader,
  CompletionWord,
  HEADER_WORDS,
  Limit,
  type Operation,
  RECORD_WORDS,
} from '../protocol.gen.js';
import type { BufferPool } from './buffer-pool.js';
import type { CompletionHandler } from './completion-handler.js';
import type { TokenTable } from './token-table.js';
import type { TurnQueue } from './turn-queue.js';

const codeWord = CompletionWord.CODE;
const tokenWord = CompletionWord.TOKEN;
const tokenGenerationWord = CompletionWord.TOKEN_GENERATION;
const resultWord = CompletionWord.RESULT;
const valueWord = CompletionWord.VALUE;
const extraWord = CompletionWord.EXTRA;
const moreFlag = CompleteFlag.MORE;
const slotFlag = CompleteFlag.SLOT;
const handleFlag = CompleteFlag.HANDLE;
const none = -1;

/** What the dispatcher asks of its port. */
export interface DispatchOwner {
  /** An accepted socket that no handler took: close it. */
  closeUnclaimed(handle: number, generation: number): void;
  /** After the turn-end tasks of each batch; `parked` receives wait for a slot. */
  batchDone(parked: number): void;
}

/**
 * Loops over the completion block. A handler that throws is reported and does not disturb the rest. Handlers run in
 * their async context, and neighbours with the same context share one scope. Nothing is allocated per completion.
 */
export class Dispatcher {
  /** Shared with native code. */
  readonly block = new Int32Array(HEADER_WORDS + Limit.COMPLETION_RECORDS * RECORD_WORDS);
  /** True while a batch is being dispatched. */
  active = false;
  batches = 0;
  completions = 0;
  staleCompletions = 0;
  readonly #tokens: TokenTable;
  readonly #pool: BufferPool;
  readonly #turns: TurnQueue;
  readonly #owner: DispatchOwner;
  #count = 0;
  #cursor = 0;
  /** Scope of the group that is being dispatched. */
  #resource: AsyncResource | null = null;
  /** Slot and handle that the running handler was lent. */
  #slot = none;
  #handle = none;
  #handleGeneration = 0;

  constructor(tokens: TokenTable, pool: BufferPool, turns: TurnQueue, owner: DispatchOwner) {
    this.#tokens = tokens;
    this.#pool = pool;
    this.#turns = turns;
    this.#owner = owner;
  }

  /** Native code has written `count` records. */
  run(count: number): void {
    const block = this.block;
    this.active = true;
    this.batches++;
    this.completions += count;
    this.#pool.sampleStock(block[CompletionHeader.KERNEL_SLOTS] as number);
    this.#turns.hold();
    this.#count = count;
    this.#cursor = 0;
    this.#resource = null;
    while (this.#cursor < this.#count) this.#runGroup();
    this.#turns.run();
    this.#owner.batchDone(block[CompletionHeader.PARKED] as number);
    this.active = false;
  }

  /** Ends the operation of a live token without native code, with its own kind of completion. */
  settle(index: number, result: number): void {
    const handler = this.#tokens.handlerOf(index, this.#tokens.generationOf(index));
    const operation = this.#tokens.operationOf(index);
    this.#tokens.release(index);
    try {
      const resource = handler?.asyncResource ?? null;
      if (resource === null) handler?.onCompletion(operation, result, 0, none, 0);
      else resource.runInAsyncScope(() => handler?.onCompletion(operation, result, 0, none, 0));
    } catch (error) {
      throwLater(error);
    }
  }

  /** The running handler has taken this accepted socket. */
  claim(handle: number, generation: number): void {
    if (handle === this.#handle && generation === this.#handleGeneration) this.#handle = none;
  }

  #runGroup(): void {
    const start = this.#cursor;
    try {
      if (this.#resource === null) this.#dispatchGroup();
      else this.#resource.runInAsyncScope(this.#dispatchGroup, this);
    } catch (error) {
      throwLater(error);
      if (this.#cursor === start) this.#drop(start);
      this.#endLoan();
    }
  }

  /** Dispatches until the batch ends or the next handler wants another scope. */
  #dispatchGroup(): void {
    const block = this.block;
    const tokens = this.#tokens;
    while (this.#cursor < this.#count) {
      const record = this.#cursor++;
      const at = HEADER_WORDS + record * RECORD_WORDS;
      const index = block[at + tokenWord] as number;
      const handler = tokens.handlerOf(index, block[at + tokenGenerationWord] as number);
      if (handler === null) {
        this.#dropStale(at);
        continue;
      }
      const resource = handler.asyncResource ?? null;
      if (resource !== this.#resource) {
        this.#resource = resource;
        this.#cursor = record;
        return;
      }
      this.#deliver(handler, at, index);
    }
    this.#resource = null;
  }

  #deliver(handler: CompletionHandler, at: number, index: number): void {
    const block = this.block;
    const code = block[at + codeWord] as number;
    const flags = (code >> 8) & 0xff;
    const value = block[at + valueWord] as number;
    const extra = block[at + extraWord] as number;
    if ((flags & moreFlag) === 0) this.#tokens.release(index);
    if ((flags & (slotFlag | handleFlag)) === 0) {
      handler.onCompletion((code & 0xff) as Operation, block[at + resultWord] as number, flags, value, extra);
      return;
    }
    this.#beginLoan(flags, value, extra);
    handler.onCompletion((code & 0xff) as Operation, block[at + resultWord] as number, flags, value, extra);
    this.#endLoan();
  }

  #beginLoan(flags: number, value: number, extra: number): void {
    if ((flags & slotFlag) !== 0) {
      this.#pool.received(value);
      this.#slot = value;
    } else {
      this.#handle = value;
      this.#handleGeneration = extra;
    }
  }

  #endLoan(): void {
    if (this.#slot !== none) {
      const slot = this.#slot;
      this.#slot = none;
      this.#pool.release(slot);
    }
    if (this.#handle !== none) {
      const handle = this.#handle;
      this.#handle = none;
      this.#owner.closeUnclaimed(handle, this.#handleGeneration);
    }
  }

  /** A completion whose scope could not be entered: ends its operation and gives back what it carries. */
  #drop(record: number): void {
    const at = HEADER_WORDS + record * RECORD_WORDS;
    const flags = ((this.block[at + codeWord] as number) >> 8) & 0xff;
    this.#cursor = record + 1;
    this.#resource = null;
    if ((flags & moreFlag) === 0) this.#tokens.release(this.block[at + tokenWord] as number);
    this.#giveBack(at, flags);
  }

  #dropStale(at: number): void {
    this.staleCompletions++;
    this.#giveBack(at, ((this.block[at + codeWord] as number) >> 8) & 0xff);
  }

  #giveBack(at: number, flags: number): void {
    if ((flags & (slotFlag | handleFlag)) === 0) return;
    this.#beginLoan(flags, this.block[at + valueWord] as number, this.block[at + extraWord] as number);
    this.#endLoan();
  }
}
