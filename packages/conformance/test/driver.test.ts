/** The driver suite over TCP and Unix sockets, on each backend. */

import * as core from '@iocp/core';
import { CompletionPort } from '@iocp/core';
import { type DriverFixture, driverSuite, type TestSetup } from '@iocp/testkit';
import { describe } from 'vitest';
import { underWine } from '../../../system.shared.js';
import { type Backend, describeBackends } from './support/backends.js';
import { runner } from './support/runner.js';
import { type AddressBook, addressBook, type SocketKind, socketKinds } from './support/sockets.js';

function driverSetup(backend: Backend, kind: SocketKind): TestSetup<DriverFixture> {
  const books = new WeakMap<DriverFixture, AddressBook>();
  return {
    async setup() {
      const addresses = await addressBook(kind);
      const fixture: DriverFixture = {
        core,
        openPort: (options) => new CompletionPort({ ...options, backend }),
        listenOptions: () => addresses.next(),
        remoteOf(listener) {
          const own = listener.address();
          if (own === null) throw new Error('The listener has no address');
          return own.family === 'unix' ? { path: own.address } : { host: own.address, port: own.port };
        },
        refusedRemote: () => (kind === 'tcp' ? { host: '127.0.0.1', port: 1 } : addresses.next()),
      };
      books.set(fixture, addresses);
      return fixture;
    },
    teardown: async (fixture) => books.get(fixture)?.remove(),
  };
}

const noEntry = -2;
const refused = -111;
/** Wine shuts a socket down before it closes it: there the end may come first. */
const tcpReset = underWine ? 'either' : 'reset';

describeBackends((backend) => {
  for (const kind of socketKinds(backend)) {
    describe(kind, () => {
      driverSuite(runner, driverSetup(backend, kind), {
        backend,
        abortSeenAs: kind === 'unix' ? 'end' : tcpReset,
        refusedResult: kind === 'unix' ? noEntry : refused,
        // `node:net` does not tell them.
        descriptors: backend !== 'node',
      });
    });
  }
});
