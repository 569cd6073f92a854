import { setTimeout as delay } from 'node:timers/promises';

/** What goes wrong in a run, and makes all of it worthless. */
export class Failure {
  readonly #failed: Promise<never>;
  #reject: (error: Error) => void = () => undefined;

  constructor() {
    this.#failed = new Promise((_, reject) => {
      this.#reject = reject;
    });
    this.#failed.catch(() => undefined);
  }

  fail(error: Error): void {
    this.#reject(error);
  }

  /** Lets the run go on for a while. Rejects when it fails. */
  during(milliseconds: number): Promise<void> {
    return Promise.race([delay(milliseconds), this.#failed]);
  }

  /** Waits for an end. Rejects when the run fails, or with what `describe` says when it takes too long. */
  async awaitEnd(end: Promise<void>, millisecondsMax: number, describe: () => string): Promise<void> {
    const over = new AbortController();
    const late = delay(millisecondsMax, undefined, { signal: over.signal }).then(() => {
      throw new Error(describe());
    });
    late.catch(() => undefined);
    await Promise.race([end, this.#failed, late]).finally(() => over.abort());
  }
}
