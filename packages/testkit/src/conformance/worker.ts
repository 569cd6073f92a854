/** Worker suite: threads that end in the middle of everything must take nothing down and leave nothing behind. */

import assert from 'node:assert/strict';
import type { Worker } from 'node:worker_threads';
import { assertNoLeaks, resourceSnapshot } from '../leak-check.js';
import type { TestRunner } from '../runner.js';
import { withDeadline } from '../turns.js';

/** How to start a worker with traffic of its own. */
export interface WorkerSubject {
  /**
   * Starts a worker that opens a port, carries traffic over it until it is stopped, and posts any message once the
   * traffic flows.
   * @param exits the worker is to end itself, with `process.exit()` in the middle of the traffic, after its message.
   */
  start(exits: boolean): Worker;
  /** Workers started one after another. Default 20. */
  readonly rounds?: number;
  /** Workers at once. Default 4. */
  readonly workersAtOnce?: number;
}

/** Registers the tests of what ends with its thread. */
export function workerSuite(runner: TestRunner, subject: WorkerSubject): void {
  const rounds = subject.rounds ?? 20;
  const workersAtOnce = subject.workersAtOnce ?? 4;

  runner.it(`[18] ${rounds} workers are terminated with traffic`, async () => {
    // The first worker may load what stays: code, thread pools.
    await terminateOne(subject);
    const before = resourceSnapshot();
    for (let round = 0; round < rounds; round++) await terminateOne(subject);
    await assertNoLeaks(null, { since: before });
  });

  runner.it(`[18] ${workersAtOnce} workers at once are terminated with traffic`, async () => {
    await terminateOne(subject);
    const before = resourceSnapshot();
    await Promise.all(Array.from({ length: workersAtOnce }, () => terminateOne(subject)));
    await assertNoLeaks(null, { since: before });
  });

  runner.it('[18] a worker exits by itself with traffic', async () => {
    await terminateOne(subject);
    const before = resourceSnapshot();
    const worker = subject.start(true);
    const exited = exitOf(worker);
    await busy(worker);
    assert.equal(await exited, 0);
    await assertNoLeaks(null, { since: before });
  });
}

async function terminateOne(subject: WorkerSubject): Promise<void> {
  const worker = subject.start(false);
  await busy(worker);
  assert.equal(await worker.terminate(), 1);
}

/** Resolves when the worker says that its traffic flows; rejects when it fails before. */
async function busy(worker: Worker): Promise<void> {
  const message = new Promise<void>((resolve, reject) => {
    worker.once('message', () => resolve());
    worker.once('error', reject);
    worker.once('exit', (code) =>
      reject(new Error(`The worker ended with ${code} before its traffic flowed`)),
    );
  });
  await withDeadline(message, 20_000, () => 'traffic in the worker');
}

function exitOf(worker: Worker): Promise<number> {
  const exited = new Promise<number>((resolve) => worker.once('exit', resolve));
  return withDeadline(exited, 20_000, () => 'the exit of the worker');
}
