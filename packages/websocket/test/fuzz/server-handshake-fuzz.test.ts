/** As the fuzzer of the decoder: a few rounds here, many by `scripts/fuzz.mjs`. */

import { expect, it } from 'vitest';
import { fuzzServerHandshake } from './server-handshake-fuzzer.js';

const seconds = Number(process.env.IOCP_WEBSOCKET_FUZZ_SECONDS ?? 0);
const seed = Number(process.env.IOCP_WEBSOCKET_FUZZ_SEED ?? 1);
const shortRounds = 300;
/** For the start, and for a machine that is busy. */
const graceMs = 60_000;

it(`fuzzing the server's handshake from seed ${seed} on: it opens or refuses, and leaves nothing`, {
  timeout: seconds * 1000 + graceMs,
}, async () => {
  const start = performance.now();
  const timeIsUp = () => performance.now() - start >= seconds * 1000;
  const enough = seconds > 0 ? timeIsUp : (round: number) => round >= shortRounds;
  const { rounds, opened } = await fuzzServerHandshake({ seed, enough });
  console.log(`server handshake: ${rounds} rounds, ${opened} opened`);
  expect(rounds).toBeGreaterThan(0);
});
