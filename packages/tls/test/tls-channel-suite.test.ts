/** The channel over any engine: the layer suite, with engines of one page. */

import { type LayerPair, layerSuite, type TestRunner, type TestSetup } from '@iocp/testkit';
import { describe, expect, it } from 'vitest';
import { alive } from './support/xor-engine.js';
import { type XorOptions, xorLayer } from './support/xor-layer.js';

/** The suite has deadlines of its own. */
const runner: TestRunner = {
  describe: (name, body) => void describe(name, body),
  it: (name, body) => it(name, body, 120_000),
};

function setup(options: XorOptions): TestSetup<LayerPair> {
  return {
    async setup() {
      return { client: xorLayer(options), server: xorLayer(options) };
    },
    async teardown() {
      expect(alive.engines).toBe(0);
    },
  };
}

const traits = {
  handshake: true,
  truncationCode: 'ERR_TLS_TRUNCATED',
  lentBytesBecome: 'anything',
  stressRounds: 200,
} as const;

describe('TlsChannel, over an engine that answers at once', () => {
  layerSuite(runner, setup({}), traits);
});

describe('TlsChannel, over an engine that answers later', () => {
  layerSuite(runner, setup({ late: true }), traits);
});

describe('TlsChannel, over an engine that asks the application', () => {
  layerSuite(runner, setup({ answer: () => new Promise((resolve) => setImmediate(resolve)) }), traits);
});
