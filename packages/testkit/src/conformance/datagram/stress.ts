/** Datagram suite, part 6: many times, many at once, and every datagram accounted for. */

import assert from 'node:assert/strict';
import { lease } from '@iocp/core/layer';
import type { DatagramProbe } from '../../datagram/datagram-probe.js';
import { type Random, withSeed } from '../../prng.js';
import type { TestRunner, TestSetup } from '../../runner.js';
import { turns, whenQuiet } from '../../turns.js';
import { assertSameBytes } from '../channel/base.js';
import {
  type DatagramPair,
  type DatagramScene,
  type DatagramSource,
  type FullDatagramTraits,
  itWithDatagrams,
  numbered,
  numberOf,
  numbersReceived,
  shapes,
} from './setup.js';

export function datagramStressSuite(
  runner: TestRunner,
  setup: TestSetup<DatagramSource>,
  traits: FullDatagramTraits,
): void {
  const rounds = traits.stressRounds;

  itWithDatagrams(runner, setup, `[19] accounts for all, ${rounds} random conversations`, async (scene) => {
    await withSeed(async (random) => {
      for (let round = 0; round < rounds; round++) {
        await converse(scene, random.fork());
        await scene.finish();
      }
    });
  });

  itWithDatagrams(runner, setup, `[20] gives back all it took, ${rounds} closes in flight`, async (scene) => {
    await withSeed(async (random) => {
      for (let round = 0; round < rounds; round += closesAtOnce) {
        await Promise.all(Array.from({ length: closesAtOnce }, () => closeInFlight(scene, random.fork())));
        await scene.finish();
        await scene.source.assertReleased();
      }
    });
  });
}

const closesAtOnce = 10;

/**
 * Both sides send, pause and close at random, with short queues of any policy. What arrives was sent, and arrives at most
 * once; the probes hold the counts together.
 */
async function converse(scene: DatagramScene, random: Random): Promise<void> {
  const open = () => ({
    queuedDatagramsMax: random.integer(1, 20),
    overflow: random.pick(['drop-new', 'drop-old', 'block'] as const),
  });
  const pair = await scene.pair(random.pick(shapes), { open: open() }, { open: open() });
  const sends = { near: 0, far: 0 };
  const steps = random.integer(5, 25);
  for (let step = 0; step < steps; step++) {
    speak(pair, random, sends);
    await turns(random.integer(0, 2));
  }
  const closer = random.pick([pair.near, pair.far]);
  if (random.chance(0.5)) closer.close();
  else closer.abort();
  for (const probe of [pair.near, pair.far]) probe.resume();
  await closer.untilClosed();
  await whenQuiet(() => pair.near.received.length + pair.far.received.length, 1);
  assertFrom(pair.far, sends.near);
  assertFrom(pair.near, sends.far);
}

function speak(pair: DatagramPair, random: Random, sends: { near: number; far: number }): void {
  const { near, far, send } = pair;
  const count = random.integer(1, 15);
  switch (random.integer(0, 5)) {
    case 0:
      random.pick([near, far]).pause();
      break;
    case 1:
      random.pick([near, far]).resume();
      break;
    case 2:
      for (let index = 0; index < count; index++) far.send(numbered(sends.far++, 50), near.address);
      break;
    default:
      for (let index = 0; index < count; index++) send(numbered(sends.near++, random.pick([50, 500])));
  }
}

/** What arrived was sent, is whole, and came at most once. */
function assertFrom(receiver: DatagramProbe, sent: number): void {
  const numbers = numbersReceived(receiver);
  assert.equal(new Set(numbers).size, numbers.length, 'a datagram arrived twice');
  assert.ok(
    numbers.every((number) => number < sent),
    'a datagram arrived that nobody had sent',
  );
  for (const { data } of receiver.received) assertSameBytes(data, numbered(numberOf(data), data.byteLength));
}

/** Closes one side of a busy pair at a random moment and in a random way. */
async function closeInFlight(scene: DatagramScene, random: Random): Promise<void> {
  const keepsSome = random.chance(0.3);
  const onDatagram = ({ data }: { data: Uint8Array }) => {
    if (!keepsSome) return;
    const held = lease(data);
    setImmediate(() => held.release());
  };
  const { near, far, send } = await scene.pair(random.pick(shapes), {}, { probe: { onDatagram } });
  for (let index = 0; index < 20; index++) {
    send(numbered(index));
    far.send(numbered(index), near.address);
  }
  if (random.chance(0.3)) far.pause();
  await turns(random.integer(0, 3));
  const closer = random.pick([near, far]);
  if (random.chance(0.3)) closer.close();
  if (random.chance(0.7)) closer.abort();
  else closer.close();
  await closer.untilClosed();
  const other = closer === near ? far : near;
  other.close();
  await other.untilClosed();
}
