/** Waiting for what events bring about, with a deadline. */

interface Wait {
  readonly condition: () => boolean;
  resolve(): void;
}

/** Those who wait until something holds. Conditions are looked at when `check` is called, so after each event. */
export class ConditionWaits {
  readonly #waits = new Set<Wait>();
  readonly #deadlineMs: number;
  readonly #describe: (what: string, deadlineMs: number) => string;

  /**
   * @param deadlineMs default 10000
   * @param describe the message when time is up
   */
  constructor(deadlineMs: number | undefined, describe: (what: string, deadlineMs: number) => string) {
    this.#deadlineMs = deadlineMs ?? 10_000;
    this.#describe = describe;
  }

  /** Resolves when the condition holds. */
  async until(what: string, condition: () => boolean): Promise<void> {
    if (condition()) return;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waits.delete(wait);
        reject(new Error(this.#describe(what, this.#deadlineMs)));
      }, this.#deadlineMs);
      const wait: Wait = {
        condition,
        resolve: () => {
          clearTimeout(timer);
          resolve();
        },
      };
      this.#waits.add(wait);
    });
  }

  /** Something has happened. */
  check(): void {
    for (const wait of this.#waits) {
      if (!wait.condition()) continue;
      this.#waits.delete(wait);
      wait.resolve();
    }
  }
}
