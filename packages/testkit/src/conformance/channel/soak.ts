/** Soak: seeded random conversations, whose invariants hold whatever goes wrong below. */

import assert from 'node:assert/strict';
import type { ChannelProbe } from '../../channel-probe.js';
import { pattern } from '../../chunkings.js';
import { type Random, withSeed } from '../../prng.js';
import type { TestRunner, TestSetup } from '../../runner.js';
import { codeOf } from '../../transcript.js';
import { nextTurn, turns } from '../../turns.js';
import { assertSameBytes } from './base.js';
import {
  type ChannelScene,
  type ChannelSource,
  type ChannelTraits,
  itWithChannels,
  withDefaults,
} from './setup.js';

/**
 * Registers the soak alone; `channelSuite` includes it. For channels that break on purpose, the codes with which they
 * may close are the trait `soakCodes`.
 */
export function soakSuite(
  runner: TestRunner,
  setup: TestSetup<ChannelSource>,
  traits: ChannelTraits = {},
): void {
  const { soakRounds, soakCodes } = withDefaults(traits);
  itWithChannels(runner, setup, `[19] soak: ${soakRounds} random conversations`, async (scene) => {
    await withSeed(async (random) => {
      for (let round = 0; round < soakRounds; round++) {
        await converse(scene, random.fork(), soakCodes);
        await scene.finish();
      }
    });
    await scene.assertReleased();
  });
}

/**
 * Both sides write, pause, cork, end and sometimes abort at random. What arrives must be the beginning of what was
 * sent; all of it, unless the connection broke.
 */
async function converse(scene: ChannelScene, random: Random, soakCodes: readonly string[]): Promise<void> {
  const { near, far } = await scene.pair();
  const aborts = random.chance(0.25);
  const sent = await Promise.all([
    speak(near, random.fork(), aborts && random.chance(0.5)),
    speak(far, random.fork(), aborts),
  ]);
  const errors = [await near.untilClosed(), await far.untilClosed()];
  const broken = aborts || errors.some((error) => error !== null);
  if (!aborts) {
    for (const error of errors) {
      const expected = error === null || soakCodes.includes(codeOf(error) ?? '');
      assert.ok(expected, `closed with ${codeOf(error) ?? error}`);
    }
  }
  for (const [reader, byteCount] of [
    [near, sent[1]],
    [far, sent[0]],
  ] as const) {
    if (!broken) assert.equal(reader.bytesReceived, byteCount);
    assert.ok(reader.bytesReceived <= byteCount, 'more arrived than was sent');
    assertSameBytes(reader.received(), pattern(reader.bytesReceived));
  }
}

/** One side of a conversation. Resolves with the number of bytes it has written when it ends or gives up. */
async function speak(probe: ChannelProbe, random: Random, abort: boolean): Promise<number> {
  let sent = 0;
  const utterances = random.integer(1, 25);
  for (let utterance = 0; utterance < utterances && !probe.channel.closed; utterance++) {
    sent += await say(probe, random, sent);
    if (abort && random.chance(0.1)) break;
  }
  probe.resume();
  if (abort) probe.abort();
  else probe.end();
  return sent;
}

async function say(probe: ChannelProbe, random: Random, position: number): Promise<number> {
  const bytes = pattern(random.pick([1, 7, 300, 5000, 70_000]), position);
  switch (random.integer(0, 5)) {
    case 0: {
      probe.pause();
      probe.write(bytes);
      await turns(random.integer(0, 4));
      probe.resume();
      return bytes.byteLength;
    }
    case 1: {
      probe.cork();
      const middle = random.integer(0, bytes.byteLength);
      probe.write(bytes.subarray(0, middle));
      await nextTurn();
      probe.write(bytes.subarray(middle));
      probe.uncork();
      return bytes.byteLength;
    }
    case 2:
      await turns(random.integer(1, 5));
      return 0;
    default:
      return probe.writeAll(bytes, random.integer(1, bytes.byteLength));
  }
}
