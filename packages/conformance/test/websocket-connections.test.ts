/** WebSocket over real connections: hostile crowds, resets in the middle of messages, and threads that end. */

import { Worker } from 'node:worker_threads';
import { CompletionPort } from '@iocp/core';
import { connect as tcpConnect } from '@iocp/tcp';
import {
  assertNoLeaks,
  binaryFrame,
  closeFrame,
  continuationFrame,
  type Outgoing,
  openWebSocketPeer,
  pattern,
  pingFrame,
  type Random,
  resourceSnapshot,
  textFrame,
  WebSocketPeer,
  withSeed,
  workerSuite,
} from '@iocp/testkit';
import { connect, listen, type WebSocketServer } from '@iocp/websocket';
import { describe, expect, test } from 'vitest';
import { type Backend, describeBackends } from './support/backends.js';
import { resetSeenAs } from './support/resets.js';
import { runner } from './support/runner.js';
import { engines, tlsOptions } from './support/tls.js';
import { host } from './support/websocket.js';

/** Runs a test with an echo server on a port of its own, which must be empty in the end. */
async function withServer(
  backend: Backend,
  body: (server: WebSocketServer, completionPort: CompletionPort, port: number) => Promise<void>,
): Promise<void> {
  const before = resourceSnapshot();
  const completionPort = new CompletionPort({ backend });
  const server = await listen(
    { host, completionPort, deflate: true, lend: true, tcp: { backlog: 512 } },
    { message: (socket, data, binary) => void socket.send(data, binary) },
  );
  await body(server, completionPort, server.address()?.port as number);
  await server.close();
  expect(server.stats).toMatchObject({ connections: 0, handshakes: 0 });
  await assertNoLeaks(completionPort);
  await completionPort.close();
  await assertNoLeaks(null, { since: before });
}

/** Bytes and frames that no server should see. */
function hostileThings(random: Random): Outgoing[] {
  const things: (() => Outgoing[])[] = [
    () => [random.bytes(random.integer(1, 2000))],
    () => [textFrame('plain', { wrongMask: true })],
    () => [textFrame(random.bytes(100))],
    () => [binaryFrame('', { announcedLength: 1n << 40n })],
    () => [binaryFrame(random.bytes(300), { rsv: random.integer(1, 7) })],
    () => [continuationFrame('of nothing')],
    () => [textFrame('a', { fin: false }), textFrame('b')],
    () => [pingFrame(new Uint8Array(126))],
    () => [closeFrame(random.integer(0, 65_535), random.bytes(random.integer(0, 123)))],
    // Half a frame, and then a reset.
    () => [binaryFrame(pattern(5000), { announcedLength: 100_000n })],
    () => [binaryFrame(pattern(5000), { fin: false }), continuationFrame(pattern(70_000), { fin: false })],
  ];
  return random.pick(things)();
}

describeBackends((backend) => {
  test('a hostile crowd leaves nothing behind, and others are served meanwhile', { timeout: 60_000 }, () =>
    withServer(backend, (server, completionPort, port) =>
      withSeed(async (random) => {
        const rounds = 300;
        const hostile = async (own: Random) => {
          const { channel } = await tcpConnect({ host, port, completionPort });
          const peer = new WebSocketPeer(channel, 'client');
          if (own.chance(0.9)) {
            await openWebSocketPeer(peer, own.chance(0.5) ? 'permessage-deflate' : undefined);
            await peer.send([textFrame('good'), ...hostileThings(own)]);
          } else {
            await peer.send([own.bytes(own.integer(1, 500))]);
          }
          if (own.chance(0.5)) peer.end();
          else peer.abort();
          if (!peer.closed) await peer.untilEnded();
          peer.abort();
          await peer.untilClosed();
          peer.codec?.close();
        };
        const good = await connect(`ws://${host}:${port}/`, { tcp: { completionPort } });
        const answers = good.messages();
        for (let round = 0; round < rounds; round += 20) {
          const crowd = Promise.all(Array.from({ length: 20 }, () => hostile(random.fork())));
          good.send(`round ${round}`);
          expect((await answers.next()).value).toBe(`round ${round}`);
          await crowd;
        }
        expect(await good.close()).toMatchObject({ code: 1000 });
        expect(server.stats.accepted).toBeGreaterThan(rounds / 2);
      }),
    ),
  );

  test('clients are left in the middle of a message by servers that reset', { timeout: 60_000 }, () =>
    withServer(backend, async (server, completionPort, port) => {
      for (let round = 0; round < 50; round++) {
        const codes: (string | undefined)[] = [];
        const socket = await connect(
          `ws://${host}:${port}/`,
          { tcp: { completionPort }, deflate: round % 2 === 0 },
          { error: (_socket, error) => void codes.push((error as NodeJS.ErrnoException).code) },
        );
        socket.send(pattern(200_000));
        const writer = socket.startMessage();
        writer.write(pattern(1000));
        for (const connection of server.connections) connection.terminate();
        writer.write(pattern(10));
        expect(await socket.whenClosed()).toMatchObject({ code: 1006 });
        expect(writer.write(pattern(10))).toBe('refused');
        if (resetSeenAs === 'reset') expect(codes).toEqual([expect.stringMatching(/^(ECONNRESET|EPIPE)$/)]);
      }
    }),
  );

  describe('worker', () =>
    workerSuite(runner, {
      start: (exits) =>
        new Worker(new URL('./fixtures/websocket-traffic.mjs', import.meta.url), {
          workerData: { backend, exits, connections: 4 },
        }),
      rounds: 6,
      workersAtOnce: 3,
    }));

  test('wss: on both sides', { timeout: 30_000 }, async () => {
    const before = resourceSnapshot();
    const completionPort = new CompletionPort({ backend });
    const [engine = 'node'] = engines;
    const tls = tlsOptions(engine);
    const server = await listen(
      { host, completionPort, tls, deflate: true },
      { message: (socket, data, binary) => void socket.send(data, binary) },
    );
    const socket = await connect(`wss://${host}:${server.address()?.port}/chat?room=1`, {
      tcp: { completionPort },
      tls,
      deflate: true,
    });
    const answers = socket.messages();
    for (const sent of ['Hello', pattern(1_000_000), pattern(100), 'κόσμε'.repeat(50_000)]) {
      socket.send(sent);
      const { value } = await answers.next();
      expect(Buffer.compare(Buffer.from(value ?? ''), Buffer.from(sent))).toBe(0);
    }
    expect(socket.info.protocols).toEqual(['tcp', 'tls']);
    expect(await socket.close(3000, 'done')).toMatchObject({ code: 3000 });
    await server.close();
    await assertNoLeaks(completionPort);
    await completionPort.close();
    await assertNoLeaks(null, { since: before });
  });
});
