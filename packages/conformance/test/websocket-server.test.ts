/** The WebSocket suite with servers of `@iocp/websocket`, on each backend. */

import { webSocketSuite } from '@iocp/testkit';
import { describe } from 'vitest';
import { describeBackends } from './support/backends.js';
import { runner } from './support/runner.js';
import { attachedSetup, facesOn, runnerOf, serverSetup, traitsOf } from './support/websocket.js';

describeBackends((backend) => {
  for (const face of facesOn(backend)) {
    describe(`a server with ${face}`, () =>
      webSocketSuite(runnerOf(face), 'server', serverSetup(backend, face), traitsOf(face)));
  }
});

describe('a server attached to an http.Server', () =>
  webSocketSuite(runner, 'server', attachedSetup(), traitsOf('messages')));
