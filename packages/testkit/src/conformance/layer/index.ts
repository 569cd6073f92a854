/** The layer suite: the channel suite over the layer, and what only layers have to do. */

import type { Channel } from '@iocp/core/layer';
import { FaultyChannel } from '../../faulty-channel.js';
import { assertNoLeaks } from '../../leak-check.js';
import { MemoryNetwork } from '../../memory-network.js';
import { chooseSeed, Random } from '../../prng.js';
import type { TestRunner, TestSetup } from '../../runner.js';
import { channelSuite } from '../channel/index.js';
import type { ChannelSource, ChannelTraits } from '../channel/setup.js';
import { type LayerPair, type LayerTraits, wrapBoth } from './setup.js';
import { layerFaultSuite, layerStreamSuite } from './stream.js';
import { layerWrapSuite } from './wrap.js';

/** Registers the tests that every layer must pass. They run over in-memory channels, some of them with faults. */
export function layerSuite(runner: TestRunner, setup: TestSetup<LayerPair>, traits: LayerTraits = {}): void {
  const clean: ChannelTraits = { bytesUntilBlocked: 4 * 1024 * 1024, lentBytesBecome: 'poisoned', ...traits };
  const faulty: ChannelTraits = { stressRounds: 100, ...clean, lentBytesBecome: 'anything' };
  runner.describe('as a channel', () =>
    channelSuite(
      runner,
      stackedSetup(setup, (lower) => lower),
      clean,
    ),
  );
  runner.describe('as a channel over a faulty one', () =>
    channelSuite(
      runner,
      stackedSetup(setup, (lower, seed) => new FaultyChannel(lower, { seed })),
      faulty,
    ),
  );
  runner.describe('as a layer', () => {
    layerWrapSuite(runner, setup, traits);
    layerStreamSuite(runner, setup, traits);
    layerFaultSuite(runner, setup, traits);
  });
}

/** Pairs of the layer over memory channels. */
function stackedSetup(
  setup: TestSetup<LayerPair>,
  below: (lower: Channel, seed: number) => Channel,
): TestSetup<ChannelSource> {
  const layersOf = new WeakMap<ChannelSource, LayerPair>();
  return {
    async setup() {
      const layers = await setup.setup();
      const network = new MemoryNetwork();
      const random = new Random(chooseSeed());
      const source: ChannelSource = {
        seed: random.seed,
        async pair() {
          const { near, far } = network.pair();
          return wrapBoth(
            layers,
            below(near, random.integer(0, 2 ** 32 - 1)),
            below(far, random.integer(0, 2 ** 32 - 1)),
          );
        },
        assertReleased: () => assertNoLeaks(network),
      };
      layersOf.set(source, layers);
      return source;
    },
    async teardown(source) {
      await source.assertReleased();
      await setup.teardown(layersOf.get(source) as LayerPair);
    },
  };
}
