import assert from 'node:assert/strict';
import { ConditionWaits } from './condition-waits.js';
import { Transcript } from './transcript.js';

export interface ContractProbeOptions {
  /** Who this is, in messages. */
  readonly name?: string;
  /** Longest wait of `until` and its kin. Default 10 s. */
  readonly deadlineMs?: number;
}

/** What probes of every kind do: write down what happens, note breaches of a contract, and wait for events. */
export abstract class ContractProbe {
  readonly name: string;
  readonly transcript = new Transcript();
  /** The command that is running. */
  protected command: string | null = null;
  readonly #violations: string[] = [];
  readonly #waits: ConditionWaits;

  constructor({ name = 'channel', deadlineMs }: ContractProbeOptions) {
    this.name = name;
    this.#waits = new ConditionWaits(
      deadlineMs,
      (what, ms) => `${this.name} is still waiting for ${what} after ${ms} ms\n${this.transcript}`,
    );
  }

  /** Throws when the contract was broken, with all that happened. */
  verify(): void {
    if (this.#violations.length === 0) return;
    assert.fail(`${this.name} broke the contract: ${this.#violations.join('; ')}\n${this.transcript}`);
  }

  /**
   * Resolves when the condition holds; it is looked at after each event of this channel.
   * @param what completes the sentence "still waiting for …".
   */
  until(what: string, condition: () => boolean): Promise<void> {
    return this.#waits.until(what, condition);
  }

  protected run<T>(command: string, body: () => T): T {
    this.record(command);
    const outer = this.command;
    this.command = command.split(' ', 1)[0] as string;
    try {
      return body();
    } finally {
      this.command = outer;
    }
  }

  protected record(line: string): void {
    this.transcript.add(`${this.name}: ${line}`);
  }

  protected breach(what: string): void {
    this.record(`BREACH ${what}`);
    this.#violations.push(what);
  }

  /** Something has happened that may be waited for. */
  protected wake(): void {
    this.#waits.check();
  }
}
