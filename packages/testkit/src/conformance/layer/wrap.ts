/** Layer suite, part 1: wrapping, handshakes, and who owns the lower channel. */

import assert from 'node:assert/strict';
import type { Channel } from '@iocp/core/layer';
import { ChannelProbe } from '../../channel-probe.js';
import { pattern } from '../../chunkings.js';
import { withSeed } from '../../prng.js';
import type { TestRunner, TestSetup } from '../../runner.js';
import { nextTurn, withDeadline } from '../../turns.js';
import { assertCoded } from '../engine.js';
import { abortAll, itWithLayers, type LayerPair, type LayerTraits, wrapBoth } from './setup.js';

export function layerWrapSuite(runner: TestRunner, setup: TestSetup<LayerPair>, traits: LayerTraits): void {
  itWithLayers(
    runner,
    setup,
    'adds its name to the protocols and keeps the addresses',
    async (layers, network) => {
      const lower = network.pair('somewhere');
      const { near, far } = await wrapBoth(layers, lower.near, lower.far);
      assert.deepEqual(near.info.protocols, far.info.protocols);
      assert.equal(near.info.protocols[0], 'memory');
      assert.equal(near.info.protocols.at(-1), layers.client.name);
      assert.equal(near.info.remoteAddress, lower.near.info.remoteAddress);
      assert.equal(far.info.localAddress, lower.far.info.localAddress);
      await abortAll(near, far);
    },
  );

  itWithLayers(runner, setup, 'is the one receiver of the lower channel', async (layers, network) => {
    const lower = network.pair();
    const { near, far } = await wrapBoth(layers, lower.near, lower.far);
    assert.throws(() => new ChannelProbe(lower.near), { code: 'ERR_CHANNEL_CONSUMER' });
    await abortAll(near, far);
  });

  itWithLayers(
    runner,
    setup,
    'aborts the lower channel when the signal has fired already',
    async (layers, network) => {
      const reason = new Error('too late');
      const { near, far } = network.pair();
      const peer = new ChannelProbe(far);
      await assert.rejects(
        layers.client.wrap(near, 'client', { signal: AbortSignal.abort(reason) }),
        (error) => error === reason,
      );
      assert.equal(near.closed, true);
      await peer.untilClosed();
    },
  );

  itWithLayers(
    runner,
    setup,
    'a signal that fires after the wrap changes nothing',
    async (layers, network) => {
      const controller = new AbortController();
      const lower = network.pair();
      const options = { signal: controller.signal };
      const [near, far] = await Promise.all([
        layers.client.wrap(lower.near, 'client', options),
        layers.server.wrap(lower.far, 'server', options),
      ]);
      controller.abort(new Error('too late'));
      await nextTurn();
      assert.equal(near.closed || far.closed, false);
      const probe = new ChannelProbe(far);
      near.write(pattern(10));
      await probe.untilReceived(10);
      near.abort();
      await probe.untilClosedOrEnded();
      far.abort();
      await probe.untilClosed();
    },
  );

  itWithLayers(runner, setup, 'counts what the lower channel has queued', async (layers, network) => {
    const lower = network.pair();
    const { near, far } = await wrapBoth(layers, lower.near, lower.far);
    near.write(pattern(500_000));
    await nextTurn();
    assert.ok(near.bufferedAmount >= lower.near.bufferedAmount);
    assert.ok(near.bufferedAmount >= 100_000, `bufferedAmount is ${near.bufferedAmount}`);
    await abortAll(near, far);
  });

  if (traits.handshake === true) {
    handshakeTests(runner, setup);
    return;
  }
  itWithLayers(
    runner,
    setup,
    'wraps a channel that has closed and reports the close',
    async (layers, network) => {
      const lower = network.pair();
      await abortAll(lower.near, lower.far);
      const upper = await layers.client.wrap(lower.near, 'client').catch((error) => error);
      if (upper instanceof Error) return assertCoded(upper);
      const probe = new ChannelProbe(upper);
      await probe.untilClosed();
      return undefined;
    },
  );
}

function handshakeTests(runner: TestRunner, setup: TestSetup<LayerPair>): void {
  for (const role of ['client', 'server'] as const) {
    itWithLayers(runner, setup, `a ${role} gives up when the signal fires`, async (layers, network) => {
      const { near, far } = network.pair();
      const peer = new ChannelProbe(far);
      const controller = new AbortController();
      const wrapped = layers[role].wrap(near, role, { signal: controller.signal });
      await nextTurn();
      const reason = new Error('no patience');
      controller.abort(reason);
      await assert.rejects(wrapped, (error) => error === reason);
      assert.equal(near.closed, true);
      await peer.untilClosed();
    });

    for (const ending of ['end', 'abort'] as const) {
      itWithLayers(
        runner,
        setup,
        `a ${role} rejects when the peer answers with ${ending}`,
        async (layers, network) => {
          const { near, far } = network.pair();
          const peer = new ChannelProbe(far);
          const wrapped = layers[role].wrap(near, role);
          peer[ending]();
          await rejectsCoded(wrapped);
          assert.equal(near.closed, true);
          await peer.untilClosed();
        },
      );
    }

    itWithLayers(runner, setup, `[20] a ${role} rejects rubbish`, async (layers, network) => {
      await withSeed(async (random) => {
        for (let round = 0; round < 20; round++) {
          const { near, far } = network.pair();
          const peer = new ChannelProbe(far);
          const wrapped = layers[role].wrap(near, role);
          peer.write(random.bytes(random.integer(1, 600)));
          peer.end();
          await rejectsCoded(wrapped);
          await peer.untilClosed();
        }
      });
    });
  }
}

async function rejectsCoded(wrapped: Promise<Channel>): Promise<void> {
  const outcome = await withDeadline(
    wrapped.catch((error: unknown) => ({ error })),
    10_000,
    () => 'the failure of the handshake',
  );
  if (!('error' in outcome)) assert.fail('the handshake succeeded');
  assertCoded(outcome.error);
}
