/** The WebSocket suite with clients of `@iocp/websocket`, on each backend. */

import { webSocketSuite } from '@iocp/testkit';
import { describe } from 'vitest';
import { describeBackends } from './support/backends.js';
import { clientSetup, facesOn, runnerOf, traitsOf } from './support/websocket.js';

describeBackends((backend) => {
  for (const face of facesOn(backend)) {
    describe(`a client with ${face}`, () =>
      webSocketSuite(runnerOf(face), 'client', clientSetup(backend, face), traitsOf(face)));
  }
});
