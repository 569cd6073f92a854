import {
  assertNoLeaks,
  type ChannelSource,
  MemoryNetwork,
  type MemoryNetworkOptions,
  type TestSetup,
} from '../src/index.js';

/** Pairs of one in-memory network a test. */
export function memorySetup(options: MemoryNetworkOptions = {}): TestSetup<ChannelSource> {
  const networks = new WeakMap<ChannelSource, MemoryNetwork>();
  return {
    async setup() {
      const network = new MemoryNetwork(options);
      const source = { pair: async () => network.pair(), assertReleased: () => assertNoLeaks(network) };
      networks.set(source, network);
      return source;
    },
    async teardown(source) {
      await source.assertReleased();
    },
  };
}
