import type { TestRunner } from '../src/index.js';

export interface CollectedTest {
  readonly name: string;
  readonly body: () => Promise<void>;
}

/** Takes down the tests of suites instead of running them. */
export class CollectingRunner implements TestRunner {
  readonly tests: CollectedTest[] = [];

  describe(_name: string, body: () => void): void {
    body();
  }

  it(name: string, body: () => Promise<void>): void {
    this.tests.push({ name, body });
  }

  /** Runs the tests whose names begin so, and gives the messages of those that fail. */
  async failures(prefix: string, tests: readonly CollectedTest[] = this.tests): Promise<string[]> {
    const messages: string[] = [];
    for (const test of tests.filter(({ name }) => name.startsWith(prefix))) {
      await test.body().catch((error: Error) => messages.push(`${test.name}: ${error.message}`));
    }
    return messages;
  }
}
