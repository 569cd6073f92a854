/** Layer suite, part 2: cuts of the lower stream must not matter, and its faults must come out as what they are. */

import assert from 'node:assert/strict';
import { ChannelError } from '@iocp/core/layer';
import { ChannelProbe } from '../../channel-probe.js';
import { pattern } from '../../chunkings.js';
import { cutChannel, type FaultOptions, FaultyChannel, faultless } from '../../faulty-channel.js';
import type { MemoryNetwork } from '../../memory-network.js';
import { withSeed } from '../../prng.js';
import type { TestRunner, TestSetup } from '../../runner.js';
import { codeOf, describeError } from '../../transcript.js';
import { whenQuiet } from '../../turns.js';
import { assertCoded } from '../engine.js';
import { chooseCuts, countBytes, exchange, messageLengths } from './exchange.js';
import { itWithLayers, type LayerPair, type LayerTraits } from './setup.js';

export function layerStreamSuite(runner: TestRunner, setup: TestSetup<LayerPair>, traits: LayerTraits): void {
  for (const side of ['near', 'far'] as const) {
    itWithLayers(
      runner,
      setup,
      `[2] ${side} sees the same for every cut of the lower stream`,
      async (layers, network) => {
        await withSeed(async (random) => {
          const lowerBytes = countBytes();
          const expected = await exchange(layers, network, side, lowerBytes.below, traits);
          for (const cut of chooseCuts(lowerBytes.count(), random)) {
            const seen = await exchange(layers, network, side, (lower) => cutChannel(lower, [cut]), traits);
            assert.deepEqual(seen, expected, `cut at ${cut}`);
          }
        });
      },
    );

    itWithLayers(
      runner,
      setup,
      `[2] ${side} sees the same when bytes come one by one`,
      async (layers, network) => {
        const lowerBytes = countBytes();
        const expected = await exchange(layers, network, side, lowerBytes.below, traits);
        const everywhere = Array.from({ length: lowerBytes.count() + 64 }, (_, index) => index + 1);
        const seen = await exchange(layers, network, side, (lower) => cutChannel(lower, everywhere), traits);
        assert.deepEqual(seen, expected);
      },
    );
  }
}

export function layerFaultSuite(runner: TestRunner, setup: TestSetup<LayerPair>, traits: LayerTraits): void {
  itWithLayers(runner, setup, '[10] passes a reset on, wherever it hits', async (layers, network) => {
    await sweep(
      layers,
      network,
      traits,
      (resetAfterBytes) => ({ resetAfterBytes }),
      (probe, error) => {
        assert.equal(codeOf(error), 'ECONNRESET', `closed with ${describeError(error)}`);
        assert.equal(probe.ended, false, 'the reset looked like an end');
      },
    );
  });

  itWithLayers(
    runner,
    setup,
    'tells an end in the middle of a message from an end',
    async (layers, network) => {
      const endings = new Set<string>();
      await sweep(
        layers,
        network,
        traits,
        (endAfterBytes) => ({ endAfterBytes }),
        (probe, error) => {
          if (error !== null) assertCoded(error);
          endings.add(probe.ended ? 'end' : (codeOf(error) ?? 'no code'));
        },
      );
      const expected = traits.truncationCode ?? 'end';
      assert.ok(
        endings.has(expected),
        `an early end was seen as ${[...endings].join(', ')}, expected ${expected}`,
      );
    },
  );

  itWithLayers(
    runner,
    setup,
    '[20] answers turned bits with messages or a coded error',
    async (layers, network) => {
      await withSeed(async (random) => {
        await sweep(
          layers,
          network,
          traits,
          (offset) => ({ flipBit: offset * 8 - random.integer(1, 8) }),
          (_, error) => {
            if (error !== null) assertCoded(error);
          },
        );
      });
    },
  );
}

/** For each byte of a short conversation: runs it with a fault there, and has the end of the faulty side checked. */
async function sweep(
  layers: LayerPair,
  network: MemoryNetwork,
  traits: LayerTraits,
  faultAt: (offset: number) => FaultOptions,
  check: (probe: ChannelProbe, error: Error | null) => void,
): Promise<void> {
  const lowerBytes = countBytes();
  await exchange(layers, network, 'far', lowerBytes.below, traits);
  await withSeed(async (random) => {
    for (const offset of chooseCuts(lowerBytes.count(), random)) {
      await runWithFault(layers, network, traits, { ...faultless, ...faultAt(offset) }, check);
    }
  });
}

async function runWithFault(
  layers: LayerPair,
  network: MemoryNetwork,
  traits: LayerTraits,
  fault: FaultOptions,
  check: (probe: ChannelProbe, error: Error | null) => void,
): Promise<void> {
  const lower = network.pair();
  const faulty = new FaultyChannel(lower.far, fault);
  const patience = new AbortController();
  if (traits.handshake === true) {
    void whenQuiet(() => faulty.bytesRead).then(() => patience.abort(handshakeStuck()));
  }
  const options = { signal: patience.signal };
  const [client, server] = await Promise.allSettled([
    layers.client.wrap(lower.near, 'client', options),
    layers.server.wrap(faulty, 'server', options),
  ]);
  for (const side of [client, server]) if (side.status === 'rejected') assertCoded(side.reason);
  const near = client.status === 'fulfilled' ? new ChannelProbe(client.value, { name: 'near' }) : null;
  const far = server.status === 'fulfilled' ? new ChannelProbe(server.value, { name: 'far' }) : null;
  for (const byteCount of messageLengths) near?.write(pattern(byteCount));
  near?.end();
  if (far !== null) {
    if (traits.endsBelow === false && fault.flipBit !== undefined) {
      void whenQuiet(() => faulty.bytesRead).then(() => near?.abort());
    }
    await far.untilClosedOrEnded();
    // After a clean end this side ends too, and the close tells how it all went.
    far.end();
    check(far, await far.untilClosed());
  }
  near?.abort();
  await near?.untilClosed();
  for (const channel of [lower.near, lower.far]) if (!channel.closed) channel.abort();
  far?.verify();
  near?.verify();
}

/** A fault may leave both sides waiting for each other: then somebody has to give up, as a handshake timeout does. */
function handshakeStuck(): ChannelError {
  return new ChannelError('ERR_CHANNEL_HANDSHAKE_TIMEOUT', 'The handshake makes no progress');
}
