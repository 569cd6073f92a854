/** The TLS suite: what every engine has to do, in either role, against itself and against any other. */

import type { TestRunner, TestSetup } from '../../runner.js';
import { tlsCloseSuite } from './close.js';
import { tlsDamageSuite } from './damage.js';
import { tlsNegotiationSuite } from './negotiation.js';
import type { TlsSuite } from './scene.js';
import { tlsSessionSuite } from './sessions.js';
import { tlsStreamSuite } from './stream.js';
import type { TlsEnginePair, TlsEngineTraits } from './subject.js';
import { tlsVerificationSuite } from './verification.js';

/**
 * Registers the tests that TLS engines without input and output must pass, for TLS 1.2 and 1.3: streams, damage, close,
 * negotiation, verification, sessions.
 * @param setup the engines of the two sides: give each combination of those you have
 * @param traits how they differ
 */
export function tlsEngineSuite(
  runner: TestRunner,
  setup: TestSetup<TlsEnginePair>,
  traits: TlsEngineTraits = {},
): void {
  const full = { placesMax: Number.POSITIVE_INFINITY, oldTicketKeys: true, alertsRefusal: true, ...traits };
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const suite: TlsSuite = { runner, setup, version, traits: full };
    runner.describe(version, () => {
      runner.describe('stream', () => tlsStreamSuite(suite));
      runner.describe('damage', () => tlsDamageSuite(suite));
      runner.describe('close', () => tlsCloseSuite(suite));
      runner.describe('negotiation', () => tlsNegotiationSuite(suite));
      runner.describe('verification', () => tlsVerificationSuite(suite));
      runner.describe('sessions', () => tlsSessionSuite(suite));
    });
  }
}
