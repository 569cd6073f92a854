/** The channel suite: what every medium and every layer has to do. */

import type { TestRunner, TestSetup } from '../../runner.js';
import { channelBackpressureSuite } from './backpressure.js';
import { channelBaseSuite } from './base.js';
import { channelCancelSuite } from './cancel.js';
import { channelCloseSuite } from './close.js';
import { type ChannelSource, type ChannelTraits, withDefaults } from './setup.js';
import { soakSuite } from './soak.js';
import { channelStressSuite } from './stress.js';

/**
 * Registers the tests that every channel must pass, in five groups: base, close, backpressure, cancel, stress.
 * @param traits how the medium differs from a TCP connection.
 */
export function channelSuite(
  runner: TestRunner,
  setup: TestSetup<ChannelSource>,
  traits: ChannelTraits = {},
): void {
  const full = withDefaults(traits);
  runner.describe('base', () => channelBaseSuite(runner, setup, full));
  runner.describe('close', () => channelCloseSuite(runner, setup, full));
  runner.describe('backpressure', () => channelBackpressureSuite(runner, setup, full));
  runner.describe('cancel', () => channelCancelSuite(runner, setup, full));
  runner.describe('stress', () => {
    channelStressSuite(runner, setup, full);
    soakSuite(runner, setup, full);
  });
}
