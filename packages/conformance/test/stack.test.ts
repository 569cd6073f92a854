/** Layers stacked on each other: over memory channels in the layer suite, over TCP in the channel suite. */

import { stack } from '@iocp/core/layer';
import { channelSuite, chooseSeed, faultyLayer, layerSuite } from '@iocp/testkit';
import { describe } from 'vitest';
import { describeBackends } from './support/backends.js';
import { resetSeenAs } from './support/resets.js';
import { runner } from './support/runner.js';
import { socketSetup } from './support/sockets.js';

const seed = chooseSeed();

/** Two layers that look like one. */
const twoLayers = {
  name: 'faulty',
  wrap: (
    lower: Parameters<typeof stack>[0],
    role: Parameters<typeof stack>[1],
    options?: Parameters<typeof stack>[3],
  ) => stack(lower, role, [faultyLayer({ seed }), faultyLayer({ seed: seed + 1 })], options),
};

describe(`two layers in memory, seed ${seed}`, () => {
  layerSuite(runner, {
    setup: async () => ({ client: twoLayers, server: twoLayers }),
    teardown: async () => {},
  });
});

describeBackends((backend) => {
  channelSuite(
    runner,
    socketSetup('tcp', { backend, debug: true }, { layers: [twoLayers, faultyLayer({ seed })] }),
    {
      lentBytesBecome: 'anything',
      abortSeenAs: resetSeenAs,
      stressRounds: 200,
    },
  );
});
