/** The engine suite for each pair of engines, as client and as server. */

import { type TestRunner, tlsEngineSuite } from '@iocp/testkit';
import { describe, it } from 'vitest';
import { enginePairs } from './support/engines.js';

const runner: TestRunner = {
  describe: (name, body) => void describe(name, body),
  it: (name, body) => it(name, body, 120_000),
};

/** Every byte of a handshake once; elsewhere some, since what is between the two ends is OpenSSL in any case. */
const placesMax = 150;

for (const { name, server, setup } of enginePairs) {
  describe(name, () => {
    tlsEngineSuite(runner, setup, {
      ...(name === 'native with native' ? {} : { placesMax }),
      // Node.js looks at a client's certificate when the handshake is over, and just hangs up.
      alertsRefusal: server !== 'node',
    });
  });
}
