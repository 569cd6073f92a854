/** The byte channel in memory: the layer suite. */

import { type LayerPair, layerSuite, type TestRunner, type TestSetup } from '@iocp/testkit';
import { describe, it } from 'vitest';
import { webSocket } from '../../src/layer/layer.js';

/** The suite has deadlines of its own. */
const runner: TestRunner = {
  describe: (name, body) => void describe(name, body),
  it: (name, body) => it(name, body, 120_000),
};

const setup: TestSetup<LayerPair> = {
  async setup() {
    const layer = webSocket();
    return { client: layer, server: layer };
  },
  async teardown() {},
};

layerSuite(runner, setup, {
  handshake: true,
  truncationCode: 'ERR_WS_TRUNCATED',
  endsBelow: false,
  stressRounds: 200,
});
