import type { Channel } from '@iocp/core/layer';
import { describe, it } from 'vitest';
import { channelSuite, chooseSeed, FaultyChannel, Random } from '../src/index.js';
import { memorySetup } from './memory-setup.js';

describe('faulty channels on a memory pair', () => {
  const memory = memorySetup();
  channelSuite(
    { describe, it },
    {
      async setup() {
        const source = await memory.setup();
        const random = new Random(chooseSeed());
        const faulty = (lower: Channel) => new FaultyChannel(lower, { seed: random.integer(0, 2 ** 32 - 1) });
        return {
          seed: random.seed,
          async pair() {
            const { near, far } = await source.pair();
            return { near: faulty(near), far: faulty(far) };
          },
          assertReleased: () => source.assertReleased(),
        };
      },
      teardown: (source) => source.assertReleased(),
    },
    { lentBytesBecome: 'poisoned', bytesUntilBlocked: 1024 * 1024 },
  );
});
