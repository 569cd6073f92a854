/** Streams of bytes over WebSocket: over sockets of each backend, and with TLS below. In memory the package itself tests them. */

import { type ChannelTraits, channelSuite } from '@iocp/testkit';
import { webSocket } from '@iocp/websocket';
import { describe } from 'vitest';
import { describeBackends } from './support/backends.js';
import { resetSeenAs } from './support/resets.js';
import { runner } from './support/runner.js';
import { socketKinds, socketSetup } from './support/sockets.js';
import { engines, tlsLayer } from './support/tls.js';

/** What is random and long is done once more for each medium below, but shorter. */
const brief: ChannelTraits = { lentBytesBecome: 'anything', stressRounds: 60, soakRounds: 8 };

describeBackends((backend) => {
  for (const kind of socketKinds(backend)) {
    const traits: ChannelTraits =
      kind === 'tcp'
        ? { abortSeenAs: resetSeenAs }
        : { abortSeenAs: 'end', bytesUntilBlocked: 4 * 1024 * 1024 };
    describe(kind, () =>
      channelSuite(runner, socketSetup(kind, { backend, debug: true }, { layers: [webSocket()] }), {
        ...brief,
        ...traits,
      }),
    );
  }
  describe('tls below', () => {
    const [engine = 'node'] = engines;
    const layers = [tlsLayer(engine), webSocket()];
    channelSuite(runner, socketSetup('tcp', { backend, debug: true }, { layers }), {
      ...brief,
      abortSeenAs: resetSeenAs,
    });
  });
});
