/** Who completions are handed to. */

import type { AsyncResource } from 'node:async_hooks';
import type { Operation } from '../protocol.gen.js';

/** Receives the completions of the operations it was passed with. One object may serve any number of operations. */
export interface CompletionHandler {
  /** Async context in which the handler runs; consecutive completions with the same resource share one scope. */
  readonly asyncResource: AsyncResource | null;
  /**
   * Something became of an operation.
   * @param operation which one it was.
   * @param result bytes, 0, the value of a POST, or a negative error number (see `ioError`).
   * @param flags `CompleteFlag` bits. Without MORE the operation has settled and its token is dead. With SLOT, `value` is
   * a pool slot that is lent for the time of this call; `port.pool.retain(value)` keeps it longer. With HANDLE, `value`
   * and `extra` name an accepted socket: take it with `port.socket(value, extra)` in this call, or it is closed.
   * @param value slot, index of a handle, or with SEND_TO and MORE the number of the entry that was refused.
   * @param extra generation of a handle.
   *
   * What it throws is reported as an uncaught exception; the rest of the batch goes on.
   */
  onCompletion(operation: Operation, result: number, flags: number, value: number, extra: number): void;
}

/** Work to be done once at the end of a turn, after the completions of a batch were dispatched. */
export interface TurnTask {
  /**
   * Kept by the port: true while the task is scheduled. Declare it and set it to false in the constructor, so that the
   * object keeps its shape.
   */
  turnPending?: boolean;
  onTurnEnd(): void;
}
