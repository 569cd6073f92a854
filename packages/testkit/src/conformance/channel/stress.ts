/** Channel suite, part 5: many times, and many at once. */

import assert from 'node:assert/strict';
import { pattern } from '../../chunkings.js';
import { type Random, withSeed } from '../../prng.js';
import type { TestRunner, TestSetup } from '../../runner.js';
import { turns } from '../../turns.js';
import { type ChannelScene, type ChannelSource, type FullChannelTraits, itWithChannels } from './setup.js';

export function channelStressSuite(
  runner: TestRunner,
  setup: TestSetup<ChannelSource>,
  traits: FullChannelTraits,
): void {
  const rounds = traits.stressRounds;
  itWithChannels(
    runner,
    setup,
    `[12] closes ${rounds} times with reads and writes in flight`,
    async (scene) => {
      await withSeed(async (random) => {
        for (let round = 0; round < rounds; round += closesAtOnce) {
          const count = Math.min(closesAtOnce, rounds - round);
          await Promise.all(Array.from({ length: count }, () => closeInFlight(scene, random.fork())));
          await scene.finish();
        }
      });
      await scene.assertReleased();
    },
  );

  itWithChannels(runner, setup, '[13] gives back all it took, however channels end', async (scene) => {
    for (const ending of ['end', 'abort', 'abort while paused', 'end while paused', 'detached'] as const) {
      const { near, far } = await scene.pair();
      near.write(pattern(50_000));
      far.write(pattern(50_000));
      if (ending.endsWith('paused')) near.pause();
      await far.untilReceived(10_000);
      if (ending === 'detached') near.detach();
      if (ending.startsWith('end')) near.end();
      else near.channel.abort();
      if (ending === 'end while paused') near.resume();
      if (ending.startsWith('end')) {
        await far.untilEnded();
        far.end();
        await near.untilClosed();
      }
      await far.untilClosedOrEnded();
    }
    await scene.finish();
    await scene.assertReleased();
  });

  itWithChannels(runner, setup, '[12] opens and closes many at once', async (scene) => {
    const pairs = await Promise.all(Array.from({ length: 50 }, () => scene.pair()));
    await Promise.all(
      pairs.map(async ({ near, far }) => {
        near.write(pattern(5000));
        near.end();
        far.end();
        assert.equal(await far.untilClosed(), null);
        assert.equal(await near.untilClosed(), null);
        assert.equal(far.bytesReceived, 5000);
      }),
    );
    await scene.assertReleased();
  });
}

const closesAtOnce = 20;

/** Closes one side of a busy pair at a random moment and in a random way. */
async function closeInFlight(scene: ChannelScene, random: Random): Promise<void> {
  const { near, far } = await scene.pair();
  const byteCount = random.pick([10, 3000, 100_000]);
  const writes = [near, far].map((probe) => probe.write(pattern(byteCount)));
  if (random.chance(0.3)) far.pause();
  await turns(random.integer(0, 3));
  const closer = random.pick([near, far]);
  const other = closer === near ? far : near;
  if (random.chance(0.3)) closer.end();
  closer.abort();
  await closer.untilClosed();
  other.resume();
  if (random.chance(0.5)) other.abort();
  else other.end();
  await other.untilClosedOrEnded();
  assert.ok(
    writes[closer === near ? 0 : 1]?.settled,
    'a write of the side that aborted was not settled when it closed',
  );
}
