import type { CompletionPort, TurnTask } from '@iocp/core';

/** The time, read once per batch of completions: messages are too cheap to read a clock for each. */
export class BatchClock implements TurnTask {
  turnPending = false;
  readonly #port: CompletionPort;
  #now = 0;
  #fresh = false;

  constructor(port: CompletionPort) {
    this.#port = port;
  }

  /** Milliseconds, as `performance.now()` counts them, at the first use in this batch. */
  now(): number {
    if (this.#fresh) return this.#now;
    this.#fresh = true;
    this.#now = performance.now();
    this.#port.atTurnEnd(this);
    return this.#now;
  }

  onTurnEnd(): void {
    this.#fresh = false;
  }
}
