/** The driver suite: what every backend has to do, seen through a completion port. */

import type { TestRunner, TestSetup } from '../../runner.js';
import { driverBufferSuite } from './buffers.js';
import { driverCancelSuite } from './cancel.js';
import { driverLifeSuite } from './life.js';
import type { DriverFixture, DriverTraits } from './scene.js';
import { driverStreamSuite } from './stream.js';

/** Registers the tests that every backend must pass, in four groups: life, stream, cancel, buffers. */
export function driverSuite(runner: TestRunner, setup: TestSetup<DriverFixture>, traits: DriverTraits): void {
  const full = {
    backend: traits.backend,
    abortSeenAs: traits.abortSeenAs ?? 'reset',
    refusedResult: traits.refusedResult ?? -111,
    descriptors: traits.descriptors ?? true,
    stressRounds: traits.stressRounds ?? 1000,
  } as const;
  runner.describe('life', () => driverLifeSuite(runner, setup, full));
  runner.describe('stream', () => driverStreamSuite(runner, setup, full));
  runner.describe('cancel', () => driverCancelSuite(runner, setup, full));
  runner.describe('buffers', () => driverBufferSuite(runner, setup));
}
