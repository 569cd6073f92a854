/** The channel suite over TCP and Unix sockets, on each backend. */

import { channelSuite } from '@iocp/testkit';
import { describe } from 'vitest';
import { describeBackends } from './support/backends.js';
import { resetSeenAs } from './support/resets.js';
import { runner } from './support/runner.js';
import { socketKinds, socketSetup } from './support/sockets.js';

describeBackends((backend) => {
  for (const kind of socketKinds(backend)) {
    describe(kind, () => {
      // Debug mode takes lent bytes away after their time.
      channelSuite(runner, socketSetup(kind, { backend, debug: true }), {
        lentBytesBecome: 'detached',
        // A Unix socket cannot be reset.
        abortSeenAs: kind === 'unix' ? 'end' : resetSeenAs,
      });
    });
  }
});
