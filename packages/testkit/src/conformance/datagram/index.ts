/** The datagram suite: what every channel of datagrams has to do. */

import type { TestRunner, TestSetup } from '../../runner.js';
import { datagramBaseSuite } from './base.js';
import { datagramCloseSuite } from './close.js';
import { datagramErrorSuite } from './errors.js';
import { datagramLentSuite } from './lent.js';
import { datagramQueueSuite } from './queue.js';
import { type DatagramSource, type DatagramTraits, withDefaults } from './setup.js';
import { datagramStressSuite } from './stress.js';

/**
 * Registers the tests that every datagram channel must pass, in six groups: base, lent, queue, errors, close, stress.
 * @param traits how the medium differs from UDP on Linux.
 */
export function datagramSuite(
  runner: TestRunner,
  setup: TestSetup<DatagramSource>,
  traits: DatagramTraits = {},
): void {
  const full = withDefaults(traits);
  runner.describe('base', () => datagramBaseSuite(runner, setup, full));
  runner.describe('lent', () => datagramLentSuite(runner, setup, full));
  runner.describe('queue', () => datagramQueueSuite(runner, setup));
  runner.describe('errors', () => datagramErrorSuite(runner, setup, full));
  runner.describe('close', () => datagramCloseSuite(runner, setup, full));
  runner.describe('stress', () => datagramStressSuite(runner, setup, full));
}
