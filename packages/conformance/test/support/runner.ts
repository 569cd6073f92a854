import type { TestRunner } from '@iocp/testkit';
import { describe, it } from 'vitest';

/** vitest, with time for the stress tests on a slow machine: the suites have deadlines of their own. */
export const runner: TestRunner = {
  describe: (name, body) => void describe(name, body),
  it: (name, body) => it(name, body, 120_000),
};

/** Reports the tests with such names as skipped. */
export function runnerWithout(names: RegExp): TestRunner {
  return {
    ...runner,
    it: (name, body) => (names.test(name) ? it.skip(name, body) : runner.it(name, body)),
  };
}
