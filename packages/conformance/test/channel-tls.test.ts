/** Channels of TLS, on each engine: as a layer in memory, over sockets of each backend, and over Node's own streams. */

import { Duplex } from 'node:stream';
import { CompletionPort } from '@iocp/core';
import { fromDuplex } from '@iocp/core/layer';
import type { TcpAddress } from '@iocp/tcp';
import {
  assertNoLeaks,
  type ChannelSource,
  type ChannelTraits,
  channelSuite,
  layerSuite,
  type TestSetup,
  type TransportFixture,
  transportSuite,
} from '@iocp/testkit';
import { connect, type EngineName, listen } from '@iocp/tls';
import { describe } from 'vitest';
import { type Backend, describeBackends } from './support/backends.js';
import { resetSeenAs } from './support/resets.js';
import { runner } from './support/runner.js';
import { silentListener } from './support/silent-listener.js';
import { type SocketKind, socketKinds, socketSetup } from './support/sockets.js';
import { assertNoSessions, engines, tlsLayer, tlsOptions, wrapBoth } from './support/tls.js';

const mebibyte = 1024 * 1024;

/** What is random and long is done once more for each medium below, but shorter. */
const brief: ChannelTraits = { lentBytesBecome: 'anything', stressRounds: 60, soakRounds: 8 };

/** The same, and no native session may be left. */
function withoutSessions<Fixture>(setup: TestSetup<Fixture>): TestSetup<Fixture> {
  return {
    setup: setup.setup,
    async teardown(fixture) {
      await setup.teardown(fixture);
      await assertNoSessions();
    },
  };
}

function overSockets(backend: Backend, kind: SocketKind, engine: EngineName): TestSetup<ChannelSource> {
  return withoutSessions(socketSetup(kind, { backend, debug: true }, { layers: [tlsLayer(engine)] }));
}

/** Two Node streams, each of which reads what the other writes. */
function duplexPair(): [Duplex, Duplex] {
  const make = (other: () => Duplex) => {
    let taken: (() => void) | null = null;
    const stream: Duplex & { taken?: () => void } = new Duplex({
      read() {
        const done = taken;
        taken = null;
        done?.();
      },
      write(chunk, _encoding, done) {
        const peer = other() as typeof stream;
        if (peer.push(chunk)) done();
        else peer.taken = done;
      },
      final(done) {
        other().push(null);
        done();
      },
      destroy(error, done) {
        const peer = other();
        if (!peer.destroyed && !this.writableFinished) process.nextTick(() => peer.destroy(reset()));
        done(error);
      },
    });
    Object.defineProperty(stream, 'taken', {
      set(done: () => void) {
        taken = done;
      },
    });
    return stream;
  };
  const near: Duplex = make(() => far);
  const far: Duplex = make(() => near);
  return [near, far];
}

function reset(): Error {
  return Object.assign(new Error('The other stream was destroyed'), { code: 'ECONNRESET' });
}

function overStreams(engine: EngineName): TestSetup<ChannelSource> {
  const layer = tlsLayer(engine);
  return withoutSessions({
    setup: async () => ({
      async pair() {
        const [near, far] = duplexPair();
        return wrapBoth(layer, { near: fromDuplex(near), far: fromDuplex(far) });
      },
      assertReleased: () => assertNoLeaks(null),
    }),
    teardown: (source) => source.assertReleased(),
  });
}

/** `listen` and `connect` of `@iocp/tls` as a transport. */
function tlsTransport(backend: Backend, engine: EngineName): TestSetup<TransportFixture<TcpAddress>> {
  const ports = new WeakMap<TransportFixture<TcpAddress>, CompletionPort>();
  return {
    async setup() {
      const completionPort = new CompletionPort({ backend });
      const common = { ...tlsOptions(engine), completionPort };
      const fixture: TransportFixture<TcpAddress> = {
        transport: {
          connect: async (address, options) =>
            (await connect({ ...common, ...address, signal: options?.signal })).channel,
          async listen(address) {
            const listener = await listen({ ...common, ...address });
            // A listener begins to accept when somebody first asks for connections, and without that nobody shakes hands.
            await listener.accept({ signal: AbortSignal.abort() }).catch(() => {});
            const own = listener.address();
            return {
              address: () => ({ host: own.address, port: own.port }),
              accept: async (options) => (await listener.accept(options))?.channel ?? null,
              close: () => listener.close({ graceMs: Number.POSITIVE_INFINITY }),
            };
          },
        },
        freeAddress: () => ({ host: '127.0.0.1', port: 0 }),
        refusedAddress: async () => ({ host: '127.0.0.1', port: 1 }),
        silentAddress: () => silentListener(),
        assertReleased: () => assertNoLeaks(completionPort),
      };
      ports.set(fixture, completionPort);
      return fixture;
    },
    async teardown(fixture) {
      await ports.get(fixture)?.close();
      await assertNoSessions();
    },
  };
}

for (const engine of engines) {
  describe(`the engine ${engine}`, () => {
    describe('in memory', () => {
      const layer = tlsLayer(engine);
      layerSuite(
        runner,
        withoutSessions({ setup: async () => ({ client: layer, server: layer }), teardown: async () => {} }),
        { ...brief, handshake: true, truncationCode: 'ERR_TLS_TRUNCATED' },
      );
    });

    describe('over streams of Node.js', () =>
      channelSuite(runner, overStreams(engine), { ...brief, bytesUntilBlocked: 2 * mebibyte }));

    describeBackends((backend) => {
      describe('tcp', () =>
        channelSuite(runner, overSockets(backend, 'tcp', engine), { ...brief, abortSeenAs: resetSeenAs }));
      // What is different in a path than in a port, one engine will find.
      if (engine === engines[0] && socketKinds(backend).includes('unix')) {
        describe('unix', () =>
          channelSuite(runner, overSockets(backend, 'unix', engine), {
            ...brief,
            abortSeenAs: 'end',
            bytesUntilBlocked: 4 * mebibyte,
          }));
      }
      describe('transport', () =>
        transportSuite(runner, tlsTransport(backend, engine), { stressRounds: 30 }));
    });
  });
}
