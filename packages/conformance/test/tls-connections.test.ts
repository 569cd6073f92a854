/** TLS over real connections: taking over a live one, bounds, crowds, and threads that end. */

import { Worker } from 'node:worker_threads';
import { CompletionPort } from '@iocp/core';
import { type TcpConnection, connect as tcpConnect, listen as tcpListen } from '@iocp/tcp';
import {
  assertNoLeaks,
  assertSameBytes,
  ChannelProbe,
  cutChannel,
  MemoryNetwork,
  pattern,
  resourceSnapshot,
  whenQuiet,
  workerSuite,
} from '@iocp/testkit';
import { connect, type EngineName, listen, type TlsLayer, tlsOf } from '@iocp/tls';
import { describe, expect, it, test } from 'vitest';
import { underWine } from '../../../system.shared.js';
import { type Backend, describeBackends } from './support/backends.js';
import { runner } from './support/runner.js';
import { assertNoSessions, engines, sessionCount, tlsLayer, tlsOptions } from './support/tls.js';

const mebibyte = 1024 * 1024;
const loopback = { host: '127.0.0.1', port: 0 };

/** Runs a test with a port of its own, which must be empty in the end, as must be the engines. */
async function withPort(backend: Backend, body: (port: CompletionPort) => Promise<void>): Promise<void> {
  const before = resourceSnapshot();
  const port = new CompletionPort({ backend });
  try {
    await body(port);
    await assertNoLeaks(port);
  } finally {
    await port.close();
  }
  await assertNoSessions();
  await assertNoLeaks(null, { since: before });
}

const offer = Buffer.from('STARTTLS\n');
const answer = Buffer.from('READY\n');

describe.each(engines)('the engine %s', (engine) => {
  test('takes over a channel with the first records behind the last line, wherever that is cut', async () => {
    const network = new MemoryNetwork();
    const layer = tlsLayer(engine);
    const lineEnd = offer.byteLength;
    for (const cut of [1, lineEnd - 1, lineEnd, lineEnd + 1, lineEnd + 5, lineEnd + 100]) {
      await takeOver(network, layer, cut);
    }
    await assertNoLeaks(network);
    await assertNoSessions();
  });

  describeBackends((backend) => {
    test('takes over a connection, on both sides', () =>
      withPort(backend, async (completionPort) => {
        const layer = tlsLayer(engine);
        const listener = await tcpListen({ ...loopback, completionPort });
        const accepting = listener.accept();
        const { address: host, port } = listener.address();
        const near = (await tcpConnect({ host, port, completionPort })).channel;
        const far = ((await accepting) as TcpConnection).channel;
        const client = new ChannelProbe(near, { name: 'client' });
        const server = new ChannelProbe(far, { name: 'server' });
        client.write(offer);
        await server.untilReceived(offer.byteLength);
        server.write(answer);
        await client.untilReceived(answer.byteLength);
        const wrapped = await Promise.all([
          layer.wrap(near, 'client', { head: client.detach() }),
          layer.wrap(far, 'server', { head: server.detach() }),
        ]);
        const secure = wrapped.map((channel) => new ChannelProbe(channel)) as [ChannelProbe, ChannelProbe];
        await converse(...secure);
        await listener.close();
      }));

    test('those who say nothing are given up, and keep no place for long', () =>
      withPort(backend, async (completionPort) => {
        const refused: (string | undefined)[] = [];
        let refusals = () => {};
        const both = new Promise<void>((resolve) => {
          refusals = resolve;
        });
        const common = { ...tlsOptions(engine), completionPort };
        const listener = await listen(
          { ...common, ...loopback, handshakesMax: 2, handshakeTimeoutMs: 200 },
          {
            open: (connection) => connection.end('welcome'),
            handshakeError: (error) => {
              refused.push((error as NodeJS.ErrnoException).code);
              if (refused.length === 2) refusals();
            },
          },
        );
        const { address: host, port } = listener.address();
        const silent = [
          await tcpConnect({ host, port, completionPort }),
          await tcpConnect({ host, port, completionPort }),
        ];
        // There is no place for a third until the first are given up.
        const third = await connect({ ...common, host, port });
        expect(refused.length).toBeGreaterThan(0);
        expect(Buffer.concat(await arrayOf(third)).toString()).toBe('welcome');
        third.end();
        await both;
        expect(refused).toEqual(['ERR_CHANNEL_HANDSHAKE_TIMEOUT', 'ERR_CHANNEL_HANDSHAKE_TIMEOUT']);
        expect(listener.stats).toMatchObject({ handshakes: 0, handshakesFailed: 2, accepted: 3 });
        for (const connection of silent) connection.abort();
        await listener.close();
      }));

    test(
      'a reader that takes nothing does not make us hold the ciphertext',
      () =>
        withPort(backend, async (completionPort) => {
          const common = { ...tlsOptions(engine), completionPort };
          const listener = await listen({ ...common, ...loopback });
          const { address: host, port } = listener.address();
          const [dialled, accepted] = await Promise.all([
            connect({ ...common, host, port }),
            listener.accept(),
          ]);
          const near = new ChannelProbe(dialled.channel, { name: 'near' });
          const far = new ChannelProbe((accepted as TcpConnection).channel, { name: 'far' });
          far.pause();
          const bytes = pattern(64 * mebibyte);
          const before = memoryHeld();
          const write = near.write(bytes);
          await whenQuiet(() => near.channel.bufferedAmount);
          expect(write.settled).toBe(false);
          expect(near.channel.bufferedAmount).toBeGreaterThan(32 * mebibyte);
          expect(memoryHeld() - before).toBeLessThan(12 * mebibyte);
          far.resume();
          await far.untilReceived(bytes.byteLength);
          await write.done;
          assertSameBytes(far.received(), bytes);
          far.end();
          near.end();
          expect([await near.untilClosed(), await far.untilClosed()]).toEqual([null, null]);
          await listener.close();
        }),
      60_000,
    );

    const count = engine === 'native' && !underWine ? 1000 : 250;
    test(
      `${count} handshakes at once`,
      () =>
        withPort(backend, async (completionPort) => {
          const common = { ...tlsOptions(engine), completionPort, handshakeTimeoutMs: 60_000 };
          const listener = await listen(
            { ...common, ...loopback, handshakesMax: count, backlog: count },
            { data: (connection, bytes) => connection.end(Buffer.from(bytes)) },
          );
          const { address: host, port } = listener.address();
          const dial = async (index: number): Promise<string> => {
            const connection = await connect({ ...common, host, port });
            expect(tlsOf(connection).authorized).toBe(true);
            connection.end(`${index}`);
            return Buffer.concat(await arrayOf(connection)).toString();
          };
          const texts = await Promise.all(Array.from({ length: count }, (_, index) => dial(index)));
          expect(texts).toEqual(Array.from({ length: count }, (_, index) => `${index}`));
          expect(listener.stats).toMatchObject({ accepted: count, handshakesFailed: 0 });
          await listener.close();
        }),
      120_000,
    );

    workerSuite(runner, {
      start: (exits) =>
        new Worker(new URL('./fixtures/tls-traffic.mjs', import.meta.url), {
          workerData: { backend, exits, connections: 4, options: tlsOptions(engine) },
        }),
      rounds: 6,
      workersAtOnce: 3,
    });
  });
});

// Wine has no symbolic links: the addon is loaded by two paths there, and each copy counts its own.
it.skipIf(underWine)('counts sessions where there are any', async () => {
  const network = new MemoryNetwork();
  const lower = network.pair();
  const layer = tlsLayer(engines[0] as EngineName);
  const [near, far] = await Promise.all([layer.wrap(lower.near, 'client'), layer.wrap(lower.far, 'server')]);
  expect(sessionCount()).toBe(engines[0] === 'native' ? 2 : 0);
  await converse(new ChannelProbe(near), new ChannelProbe(far));
  await assertNoSessions();
});

/** A client asks for TLS and begins it at once: the server finds the first records behind the line. */
async function takeOver(network: MemoryNetwork, layer: TlsLayer, cut: number): Promise<void> {
  const lower = network.pair();
  const hasty = new ChannelProbe(lower.near);
  hasty.write(offer);
  hasty.detach();
  const client = layer.wrap(lower.near, 'client');
  const far = cutChannel(lower.far, [cut]);
  const reader = new ChannelProbe(far);
  await reader.untilReceived(offer.byteLength);
  const left = reader.detach();
  const head = [reader.received().subarray(offer.byteLength), ...left];
  const server = layer.wrap(far, 'server', { head });
  await converse(new ChannelProbe(await client), new ChannelProbe(await server));
}

/** Both sides say something and end. */
async function converse(client: ChannelProbe, server: ChannelProbe): Promise<void> {
  client.write(pattern(100_000));
  server.write(pattern(50_000));
  await Promise.all([server.untilReceived(100_000), client.untilReceived(50_000)]);
  assertSameBytes(server.received(), pattern(100_000));
  assertSameBytes(client.received(), pattern(50_000));
  client.end();
  server.end();
  expect([await client.untilClosed(), await server.untilClosed()]).toEqual([null, null]);
  client.verify();
  server.verify();
}

async function arrayOf(connection: TcpConnection): Promise<Uint8Array[]> {
  const parts: Uint8Array[] = [];
  for await (const part of connection) parts.push(part);
  return parts;
}

/** Bytes that JavaScript holds outside of its heap. */
function memoryHeld(): number {
  return process.memoryUsage().arrayBuffers;
}
