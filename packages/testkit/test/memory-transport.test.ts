import { describe, it } from 'vitest';
import { assertNoLeaks, MemoryNetwork, type TransportFixture, transportSuite } from '../src/index.js';

describe('memory network', () => {
  transportSuite<string>(
    { describe, it },
    {
      async setup(): Promise<TransportFixture<string>> {
        const network = new MemoryNetwork({ backlog: 200 });
        const crowded = new MemoryNetwork({ backlog: 1 });
        let addresses = 0;
        return {
          transport: {
            connect: (address, options) =>
              (address === 'silent' ? crowded : network).connect(address, options),
            listen: (address) => network.listen(address),
          },
          freeAddress: () => `address-${addresses++}`,
          refusedAddress: async () => 'nobody',
          async silentAddress() {
            const listener = await crowded.listen('silent');
            const filler = await crowded.connect('silent');
            return {
              address: 'silent',
              async release() {
                filler.abort();
                await listener.close();
                await assertNoLeaks(crowded);
              },
            };
          },
          assertReleased: () => assertNoLeaks(network),
        };
      },
      teardown: (fixture) => fixture.assertReleased(),
    },
  );
});
