/** Datagram suite, part 3: bounded queues, and callbacks that tell the truth. */

import assert from 'node:assert/strict';
import type { DatagramProbe } from '../../datagram/datagram-probe.js';
import type { TestRunner, TestSetup } from '../../runner.js';
import { nextTurn, turns, whenQuiet } from '../../turns.js';
import { assertCoded } from '../engine.js';
import {
  assertReceived,
  type DatagramOpenOptions,
  type DatagramSource,
  itWithDatagrams,
  numbered,
  range,
  shapes,
} from './setup.js';

const datagramBytes = 100;
/** Ways to say that ten datagrams of 100 bytes fill the queue. */
const limits: Record<string, DatagramOpenOptions> = {
  datagrams: { queuedDatagramsMax: 10 },
  bytes: { queuedBytesMax: 10 * datagramBytes + 50 },
};

export function datagramQueueSuite(runner: TestRunner, setup: TestSetup<DatagramSource>): void {
  for (const [unit, limit] of Object.entries(limits)) policyTests(runner, setup, unit, limit);
  drainTests(runner, setup);
  callbackTests(runner, setup);
}

function policyTests(
  runner: TestRunner,
  setup: TestSetup<DatagramSource>,
  unit: string,
  limit: DatagramOpenOptions,
): void {
  // What is sent in one turn leaves at its end, so the queue fills whatever the medium takes.
  itWithDatagrams(runner, setup, `[8] drop-new drops what exceeds the cap of ${unit}`, async (scene) => {
    const { near, far, send } = await scene.pair('unconnected', { open: limit });
    const sends = range(0, 14).map((index) => send(numbered(index)));
    assert.deepEqual(
      sends.map(({ taken }) => taken),
      range(0, 14).map((index) => index < 10),
    );
    const { queued, queuedBytes, droppedQueueFull } = near.channel.stats;
    assert.deepEqual([queued, queuedBytes, droppedQueueFull], [10, 10 * datagramBytes, 4]);
    await far.untilReceived(10);
    await near.untilSettled(sends);
    for (const { taken, error } of sends) {
      if (taken) assert.equal(error, null);
      else assertCoded(error);
    }
    await near.until('the drain', () => near.drainCount === 1);
    await whenQuiet(() => far.received.length);
    assertReceived(far, range(0, 10));
    assert.equal(near.errors.length, 0, 'what the policy drops is counted, and no error of the channel');
  });

  itWithDatagrams(
    runner,
    setup,
    `[9] drop-old drops the longest waiting at the cap of ${unit}`,
    async (scene) => {
      const { near, far, send } = await scene.pair('unconnected', {
        open: { ...limit, overflow: 'drop-old' },
      });
      const sends = range(0, 14).map((index) => send(numbered(index)));
      assert.ok(sends.every(({ taken }) => taken));
      assert.deepEqual([near.channel.stats.queued, near.channel.stats.droppedQueueFull], [10, 4]);
      await near.untilSettled(sends);
      for (const { error } of sends.slice(0, 4)) assertCoded(error);
      assert.ok(sends.slice(4).every(({ error }) => error === null));
      await far.untilReceived(10);
      await whenQuiet(() => far.received.length);
      assertReceived(far, range(4, 14));
      assert.deepEqual([near.drainCount, near.errors.length], [0, 0]);
    },
  );

  itWithDatagrams(runner, setup, `[10] block takes nothing above the cap of ${unit}`, async (scene) => {
    const { near, far, send } = await scene.pair('unconnected', { open: { ...limit, overflow: 'block' } });
    const sends = range(0, 14).map((index) => send(numbered(index)));
    assert.deepEqual(
      sends.map(({ taken }) => taken),
      range(0, 14).map((index) => index < 10),
    );
    assert.deepEqual([near.channel.stats.queued, near.channel.stats.droppedQueueFull], [10, 0]);
    await near.until('the drain', () => near.drainCount === 1);
    const again = range(10, 14).map((index) => send(numbered(index)));
    assert.ok(again.every(({ taken }) => taken));
    await near.untilSettled(again);
    await far.untilReceived(14);
    assert.deepEqual(
      sends.map(({ settled }) => settled),
      range(0, 14).map((index) => index < 10),
    );
    assertReceived(far, range(0, 14));
  });
}

function drainTests(runner: TestRunner, setup: TestSetup<DatagramSource>): void {
  itWithDatagrams(runner, setup, '[8] an empty queue takes a datagram of any length', async (scene) => {
    const { near, far, send } = await scene.pair('unconnected', { open: { queuedBytesMax: 50 } });
    assert.equal(send(numbered(1)).taken, true);
    assert.equal(send(numbered(2)).taken, false);
    await far.untilReceived(1);
    await near.until('the drain', () => near.drainCount === 1);
    assert.equal(send(numbered(3)).taken, true);
    await far.untilReceived(2);
    assertReceived(far, [1, 3]);
  });

  for (const overflow of ['drop-new', 'block'] as const) {
    itWithDatagrams(
      runner,
      setup,
      `[11] each spell without room ends with one drain, ${overflow}`,
      async (scene) => {
        const open = { queuedDatagramsMax: 10, overflow };
        const queuedAtDrain: number[] = [];
        const onDrain = ({ channel }: DatagramProbe) => queuedAtDrain.push(channel.stats.queued);
        const { near, far, send } = await scene.pair('connected', { open, probe: { onDrain } });
        for (let spell = 1; spell <= 5; spell++) {
          const sends = range(0, 13).map((index) => send(numbered(spell * 100 + index)));
          assert.equal(sends.filter(({ taken }) => taken).length, 10);
          await near.until('the drain', () => near.drainCount === spell);
          await far.untilReceived(spell * 10);
          await near.untilSettled(sends.filter(({ taken }) => taken));
          await whenQuiet(() => near.drainCount, 5);
          assert.equal(near.drainCount, spell);
        }
        assert.ok(
          queuedAtDrain.every((queued) => queued <= 5),
          `drains with ${queuedAtDrain.join(', ')} of 10 queued`,
        );
      },
    );
  }

  itWithDatagrams(runner, setup, '[11] no drain without a send that was refused', async (scene) => {
    const { near, far, send } = await scene.pair('unconnected', { open: { queuedDatagramsMax: 10 } });
    for (let round = 1; round <= 10; round++) {
      const sends = range(0, 10).map((index) => send(numbered(index)));
      assert.ok(sends.every(({ taken }) => taken));
      await far.untilReceived(round * 10);
      await near.untilSettled(sends);
      await turns(2);
    }
    assert.equal(near.drainCount, 0);
  });

  itWithDatagrams(runner, setup, '[10] a writer that heeds the drain loses nothing', async (scene) => {
    const open = { queuedDatagramsMax: 8, overflow: 'block' } as const;
    let next = 0;
    const count = 1000;
    const refill = (probe: DatagramProbe) => {
      // Never more than the receiver has room for.
      while (next < count && next - far.received.length < 30) {
        if (!probe.send(numbered(next)).taken) return;
        next++;
      }
    };
    const far = await scene.bind({ probe: { name: 'far' } });
    const near = await scene.connect(far.address, { open, probe: { name: 'near', onDrain: refill } });
    while (far.received.length < count) {
      refill(near);
      await nextTurn();
      await far.untilReceived(Math.min(next, far.received.length + 1));
    }
    assertReceived(far, range(0, count));
    assert.equal(near.channel.stats.droppedQueueFull, 0);
  });
}

function callbackTests(runner: TestRunner, setup: TestSetup<DatagramSource>): void {
  for (const shape of shapes) {
    itWithDatagrams(
      runner,
      setup,
      `[12] calls back once for each, ${shape}, when it is sent`,
      async (scene) => {
        const { near, far, send } = await scene.pair(shape);
        for (let round = 1; round <= 20; round++) {
          const sends = range(0, 25).map((index) => send(numbered(index, index % 5 === 0 ? 1000 : 60)));
          assert.ok(
            sends.every(({ settled }) => !settled),
            'a callback came from inside send',
          );
          await near.untilSettled(sends);
          assert.ok(sends.every(({ error }) => error === null));
          await far.untilReceived(round * 25);
        }
        const { sent, sentBytes, queued, queuedBytes } = near.channel.stats;
        assert.deepEqual(
          { sent, sentBytes, queued, queuedBytes },
          { sent: 500, sentBytes: 20 * (5 * 1000 + 20 * 60), queued: 0, queuedBytes: 0 },
        );
      },
    );
  }

  itWithDatagrams(runner, setup, '[12] counts without callbacks all the same', async (scene) => {
    const { near, far, to } = await scene.pair('unconnected');
    for (const index of range(0, 20)) near.sendUnwatched(numbered(index), to);
    assert.equal(near.channel.stats.queued, 20);
    await far.untilReceived(20);
    await whenQuiet(() => near.channel.stats.sent);
    assert.deepEqual([near.channel.stats.sent, near.channel.stats.queued], [20, 0]);
  });
}
