/**
 * What the fuzzer finds in a few rounds of a fixed seed; `scripts/fuzz.mjs` lets it run for long, with IOCP_TLS_FUZZ_SECONDS and
 * IOCP_TLS_FUZZ_SEED.
 */

import { testCertificates } from '@iocp/testkit';
import { describe, expect, it } from 'vitest';
import { type EnginePair, enginePairs } from '../support/engines.js';
import { fuzz } from './fuzzer.js';
import { fuzzRecords, sessionsAlive } from './record-fuzzer.js';

const seconds = Number(process.env.IOCP_TLS_FUZZ_SECONDS ?? 0);
const seed = Number(process.env.IOCP_TLS_FUZZ_SEED ?? 1);
const shortRounds = 200;
/** For what is under way when the time is over. */
const graceMs = 120_000;

/** The native engine is ours from input to output; most of the time is for it. */
const weightOf = ({ client, server }: EnginePair) => (client === 'native' && server === 'native' ? 4 : 1);
const recordsWeight = 2;
const weights = enginePairs.reduce((sum, pair) => sum + weightOf(pair), recordsWeight);
const shareOf = (weight: number) => (seconds * 1000 * weight) / weights;

/** When to stop: after a share of the time, or some rounds. */
function enoughAfter(shareMs: number): (round: number) => boolean {
  const start = performance.now();
  return seconds > 0 ? () => performance.now() - start >= shareMs : (round) => round >= shortRounds;
}

describe(`fuzzing from seed ${seed} on`, () => {
  for (const pair of enginePairs) {
    const shareMs = shareOf(weightOf(pair));
    it(`${pair.name}: what comes out was sent, or is an error with a code`, {
      timeout: shareMs + graceMs,
    }, async () => {
      const engines = await pair.setup.setup();
      const rounds = await fuzz(engines, await testCertificates(), { seed, enough: enoughAfter(shareMs) });
      await pair.setup.teardown(engines);
      console.log(`${pair.name}: ${rounds} rounds`);
      expect(rounds).toBeGreaterThan(0);
    });
  }

  const shareMs = shareOf(recordsWeight);
  it('records after the handshake: what comes out is what the model says', {
    timeout: shareMs + graceMs,
  }, async () => {
    const rounds = fuzzRecords(await testCertificates(), { seed, enough: enoughAfter(shareMs) });
    console.log(`records: ${rounds} rounds`);
    expect(rounds).toBeGreaterThan(0);
    expect(sessionsAlive()).toBe(0);
  });
});
