import { describe, it } from 'vitest';
import { layerSuite } from '../src/index.js';
import { helloLayer } from './hello-layer.js';

describe('a layer with a handshake', () => {
  layerSuite(
    { describe, it: (name, body) => it(name, body, 60_000) },
    { setup: async () => ({ client: helloLayer, server: helloLayer }), teardown: async () => {} },
    { handshake: true, stressRounds: 100 },
  );
});
