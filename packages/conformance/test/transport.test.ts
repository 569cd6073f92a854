/** The transport suite: listening and connecting over TCP and Unix sockets on each backend, and in memory. */

import { CompletionPort, defaultPort } from '@iocp/core';
import { connect, listen, type TcpAddress, tcpTransport } from '@iocp/tcp';
import {
  assertNoLeaks,
  resourceSnapshot,
  type TestSetup,
  type TransportFixture,
  transportSuite,
} from '@iocp/testkit';
import { describe } from 'vitest';
import { type Backend, describeBackends } from './support/backends.js';
import { runner } from './support/runner.js';
import { silentListener } from './support/silent-listener.js';
import { addressBook, type SocketKind, socketKinds } from './support/sockets.js';

function transportSetup(backend: Backend, kind: SocketKind): TestSetup<TransportFixture<TcpAddress>> {
  const closers = new WeakMap<TransportFixture<TcpAddress>, () => Promise<void>>();
  return {
    async setup() {
      const addresses = await addressBook(kind);
      const before = resourceSnapshot();
      const completionPort = new CompletionPort({ backend });
      const fixture: TransportFixture<TcpAddress> = {
        transport: {
          connect: async (address, options) =>
            (await connect({ ...address, completionPort, signal: options?.signal })).channel,
          async listen(address) {
            const listener = await listen({ ...address, completionPort });
            const own = listener.address();
            return {
              address: () =>
                own.family === 'unix' ? { path: own.address } : { host: own.address, port: own.port },
              accept: async (options) => (await listener.accept(options))?.channel ?? null,
              close: () => listener.close({ graceMs: Number.POSITIVE_INFINITY }),
            };
          },
        },
        freeAddress: () => addresses.next(),
        refusedAddress: async () => (kind === 'tcp' ? { host: '127.0.0.1', port: 1 } : addresses.next()),
        silentAddress: () => silentListener(),
        assertReleased: () => assertNoLeaks(completionPort),
      };
      closers.set(fixture, async () => {
        await completionPort.close();
        await addresses.remove();
        await assertNoLeaks(null, { since: before });
      });
      return fixture;
    },
    async teardown(fixture) {
      await closers.get(fixture)?.();
    },
  };
}

/** What `@iocp/tcp` exports as a transport, on the port of this thread. */
const exported: TestSetup<TransportFixture<TcpAddress>> = {
  async setup() {
    const addresses = await addressBook('tcp');
    return {
      transport: tcpTransport,
      freeAddress: () => addresses.next(),
      refusedAddress: async () => ({ host: '127.0.0.1', port: 1 }),
      silentAddress: () => silentListener(),
      assertReleased: () => assertNoLeaks(defaultPort()),
    };
  },
  teardown: (fixture) => fixture.assertReleased(),
};

describe('tcpTransport', () => transportSuite(runner, exported));

describeBackends((backend) => {
  for (const kind of socketKinds(backend)) {
    describe(kind, () => {
      transportSuite(runner, transportSetup(backend, kind), {
        refusedCode: kind === 'unix' ? 'ENOENT' : 'ECONNREFUSED',
        // The backlog of a Unix socket does not keep a connect waiting in every kernel.
        connectMayWait: kind === 'tcp',
      });
    });
  }
});
