/** The channel suite over the in-memory pair, which custom protocols are tested on. */

import { assertNoLeaks, channelSuite, MemoryNetwork } from '@iocp/testkit';
import { describe } from 'vitest';
import { runner } from './support/runner.js';

describe('memory pair', () => {
  channelSuite(
    runner,
    {
      async setup() {
        const network = new MemoryNetwork();
        return { pair: async () => network.pair(), assertReleased: () => assertNoLeaks(network) };
      },
      teardown: (source) => source.assertReleased(),
    },
    { lentBytesBecome: 'poisoned', bytesUntilBlocked: 1024 * 1024 },
  );
});
