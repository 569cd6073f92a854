/** Datagram suite, part 5: close, abort, and what is refused afterwards. */

import assert from 'node:assert/strict';
import type { DatagramProbe } from '../../datagram/datagram-probe.js';
import type { TestRunner, TestSetup } from '../../runner.js';
import { codeOf } from '../../transcript.js';
import { turns, whenQuiet } from '../../turns.js';
import { assertCoded } from '../engine.js';
import {
  assertReceived,
  type DatagramSource,
  type FullDatagramTraits,
  itWithDatagrams,
  numbered,
  range,
  shapes,
} from './setup.js';

export function datagramCloseSuite(
  runner: TestRunner,
  setup: TestSetup<DatagramSource>,
  traits: FullDatagramTraits,
): void {
  closeTests(runner, setup, traits);
  abortTests(runner, setup);
  afterwardsTests(runner, setup);
}

function closeTests(runner: TestRunner, setup: TestSetup<DatagramSource>, traits: FullDatagramTraits): void {
  for (const shape of shapes) {
    itWithDatagrams(runner, setup, `[13] close sends what is queued first, ${shape}`, async (scene) => {
      const { near, far, send } = await scene.pair(shape);
      const sends = range(0, traits.waitingMax).map((index) => send(numbered(index)));
      near.close();
      near.close();
      assert.equal(near.closed, false, 'onClose came from inside close()');
      assert.equal(await near.untilClosed(), null);
      assert.ok(
        sends.every(({ settled, error }) => settled && error === null),
        'a datagram was not sent before the close',
      );
      await far.untilReceived(traits.waitingMax);
      assertReceived(far, range(0, traits.waitingMax));
      const { sent, droppedClosed, queued } = near.channel.stats;
      assert.deepEqual([sent, droppedClosed, queued], [traits.waitingMax, 0, 0]);
    });
  }

  itWithDatagrams(runner, setup, '[13] an idle channel closes, once', async (scene) => {
    for (const paused of [false, true]) {
      const { near } = await scene.pair('unconnected');
      if (paused) near.pause();
      near.close();
      assert.equal(await near.untilClosed(), null);
      await whenQuiet(() => near.closeCount, 5);
      assert.equal(near.closeCount, 1);
    }
  });

  itWithDatagrams(runner, setup, '[13] an abort ends a close that is under way', async (scene) => {
    const { near, send } = await scene.pair('unconnected');
    const sends = range(0, 20).map((index) => send(numbered(index)));
    near.close();
    near.abort();
    await near.untilClosed();
    assert.ok(
      sends.every(({ settled }) => settled),
      'onClose came before a callback',
    );
  });
}

function abortTests(runner: TestRunner, setup: TestSetup<DatagramSource>): void {
  for (const reason of [undefined, new Error('enough')]) {
    itWithDatagrams(
      runner,
      setup,
      `[14] abort ${reason === undefined ? 'without' : 'with'} a reason drops what is queued, and counts it`,
      async (scene) => {
        const { near, far, send } = await scene.pair('unconnected');
        send(numbered(0));
        await far.untilReceived(1);
        await near.until('an empty queue', () => near.channel.stats.queued === 0);
        const sends = range(1, 21).map((index) => send(numbered(index)));
        near.abort(reason);
        near.abort(new Error('second'));
        near.close();
        assert.equal(near.closed, false, 'onClose came from inside abort()');
        assert.equal(await near.untilClosed(), reason ?? null);
        for (const { settled, error } of sends) {
          assert.ok(settled, 'onClose came before a callback');
          if (reason === undefined) assertCoded(error);
          else assert.equal(error, reason);
        }
        const { sent, droppedClosed, queued, queuedBytes } = near.channel.stats;
        assert.deepEqual([sent, droppedClosed, queued, queuedBytes], [1, 20, 0, 0]);
        await whenQuiet(() => near.closeCount + far.received.length);
        assert.equal(near.closeCount, 1);
        assert.equal(near.errors.length, 0, 'what an abort drops is no error of the channel');
        assertReceived(far, [0]);
      },
    );
  }

  itWithDatagrams(
    runner,
    setup,
    '[14] aborts in the middle of sending, and accounts for all',
    async (scene) => {
      for (let round = 0; round < 20; round++) {
        const { near, send } = await scene.pair('connected');
        const sends = range(0, 200).map((index) => send(numbered(index)));
        await turns(round % 4);
        near.abort();
        await near.untilClosed();
        assert.ok(
          sends.every(({ settled }) => settled),
          'onClose came before a callback',
        );
        const sent = sends.filter(({ error }) => error === null).length;
        assert.equal(near.channel.stats.sent, sent);
        assert.equal(near.channel.stats.droppedClosed, 200 - sent);
      }
    },
  );

  itWithDatagrams(runner, setup, '[14] nothing is delivered after an abort', async (scene) => {
    const abort = (_: unknown, probe: DatagramProbe) => {
      if (!probe.channel.closed) probe.abort();
    };
    const { near, far, send } = await scene.pair('unconnected', {}, { probe: { onDatagram: abort } });
    for (const index of range(0, 20)) send(numbered(index));
    assert.equal(await far.untilClosed(), null);
    const batches = far.batches.length;
    await near.untilSettled([send(numbered(21))]);
    await whenQuiet(() => far.batches.length);
    assert.equal(far.batches.length, batches);
    assert.equal(batches, 1);
  });
}

function afterwardsTests(runner: TestRunner, setup: TestSetup<DatagramSource>): void {
  for (const how of ['close', 'abort'] as const) {
    itWithDatagrams(runner, setup, `[18] sends nothing after ${how}`, async (scene) => {
      const { near, far, send } = await scene.pair('unconnected');
      near[how]();
      assert.equal(send(numbered(1)).taken, false);
      await near.untilClosed();
      const { stats } = near.channel;
      const late = send(numbered(2));
      assert.equal(late.taken, false);
      assert.equal(near.sendUnwatched(numbered(3), far.address), false);
      await whenQuiet(() => near.errors.length + far.received.length);
      assert.deepEqual(near.channel.stats, stats);
      assert.equal(far.received.length, 0);
      if (late.settled) assert.equal(codeOf(late.error), 'ERR_CHANNEL_CLOSED');
      assert.deepEqual(near.errors, []);
    });
  }

  itWithDatagrams(runner, setup, '[18] every command after the close is harmless', async (scene) => {
    const { near } = await scene.pair('connected');
    near.close();
    await near.untilClosed();
    near.pause();
    near.resume();
    near.close();
    near.abort(new Error('late'));
    await whenQuiet(() => near.closeCount, 5);
    assert.equal(near.closeCount, 1);
    assert.equal(near.channel.closed, true);
    assert.equal(near.channel.stats.queued, 0);
    assert.ok(near.channel.info.protocols.length > 0);
    assert.ok(near.channel.payloadBytesMax > 0);
  });

  itWithDatagrams(
    runner,
    setup,
    '[18] attaching to a closed channel gives the close, and no more',
    async (scene) => {
      for (const reason of [undefined, new Error('enough')]) {
        const channel = await scene.raw();
        channel.abort(reason);
        await turns(5);
        const late = scene.adopt(channel, { name: 'late' });
        assert.equal(late.closed, false, 'onClose came from inside attach()');
        assert.equal(await late.untilClosed(), reason ?? null);
      }
    },
  );
}
