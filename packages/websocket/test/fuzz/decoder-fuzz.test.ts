/**
 * What the fuzzer finds in a few rounds of a fixed seed; `scripts/fuzz.mjs` lets it run for long, with IOCP_WEBSOCKET_FUZZ_SECONDS
 * and IOCP_WEBSOCKET_FUZZ_SEED.
 */

import { expect, it } from 'vitest';
import { fuzzDecoder } from './decoder-fuzzer.js';

const seconds = Number(process.env.IOCP_WEBSOCKET_FUZZ_SECONDS ?? 0);
const seed = Number(process.env.IOCP_WEBSOCKET_FUZZ_SEED ?? 1);
const shortRounds = 2000;
/** For the start, and for a machine that is busy. */
const graceMs = 60_000;

it(`fuzzing the decoder from seed ${seed} on: it tells what the reference tells`, {
  timeout: seconds * 1000 + graceMs,
}, () => {
  const start = performance.now();
  const timeIsUp = () => performance.now() - start >= seconds * 1000;
  const enough = seconds > 0 ? timeIsUp : (round: number) => round >= shortRounds;
  const rounds = fuzzDecoder({ seed, enough });
  console.log(`decoder: ${rounds} rounds`);
  expect(rounds).toBeGreaterThan(0);
});
