/** The seam to a test framework, and the shape of a set-up. */

/**
 * The two functions that suites need of a test framework: those of vitest, `node:test` or mocha fit as they are.
 * A framework's own time limit per test should be 30 s or more: suites have deadlines of their own, which say what
 * was missing.
 */
export interface TestRunner {
  describe(name: string, body: () => void): void;
  it(name: string, body: () => Promise<void>): void;
}

/** Makes and removes what one test needs. Each test calls `setup` once and, however it ends, `teardown` once. */
export interface TestSetup<Fixture> {
  setup(): Promise<Fixture>;
  /** Closes what is left and throws when something leaked. */
  teardown(fixture: Fixture): Promise<void>;
}

/** Registers one test that runs `body` between `setup` and `teardown`. The error of the body wins over one of the teardown. */
export function itWith<Fixture>(
  runner: TestRunner,
  setup: TestSetup<Fixture>,
  name: string,
  body: (fixture: Fixture) => Promise<void>,
): void {
  runner.it(name, async () => {
    const fixture = await setup.setup();
    try {
      await body(fixture);
    } catch (error) {
      await setup.teardown(fixture).catch(() => {});
      throw error;
    }
    await setup.teardown(fixture);
  });
}
