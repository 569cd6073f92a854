import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CompletionPort } from '@iocp/core';
import { assertNoLeaks, assertSameBytes, withSeed } from '@iocp/testkit';
import { expect, test } from 'vitest';
import { onWindows, underWine } from '../../../system.shared.js';
import {
  collect,
  dialNet,
  echoHandlers,
  hasProgram,
  onEachBackend,
  randomPieces,
  run,
  serveNet,
} from './support.js';

/** Sends a megabyte in pieces of all sizes and compares what comes back. */
const pythonEcho = `
import random, socket, sys, threading
host, port, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
draw = random.Random(seed)
sent = draw.randbytes(1000000)
peer = socket.create_connection((host, port))
def send():
    at = 0
    while at < len(sent):
        size = draw.choice([1, 7, 100, 1400, 16384, 70000])
        peer.sendall(sent[at:at + size])
        at += size
    peer.shutdown(socket.SHUT_WR)
threading.Thread(target=send).start()
back = bytearray()
while chunk := peer.recv(65536):
    back += chunk
print('same' if bytes(back) == sent else 'different: %d bytes' % len(back))
`;

/** What each of the clients sends. Up to one write for ten bytes: under Wine writes are slow. */
const bytesPerClient = underWine ? 40_000 : 400_000;

onEachBackend('echo', (fixture) => {
  test.each([true, false])('random sizes to node:net clients come back unchanged, lend: %s', async (lend) => {
    await withSeed(async (random) => {
      const listener = await fixture.listen({ lend }, echoHandlers);
      const clients = Array.from({ length: 8 }, () => random.fork()).map(async (draw) => {
        const socket = await dialNet(listener);
        const pieces = randomPieces(draw, bytesPerClient, draw.pick([10, 2000, 100_000]) * 2);
        for (const piece of pieces) socket.write(piece);
        socket.end();
        assertSameBytes(await collect(socket), Buffer.concat(pieces));
      });
      await Promise.all(clients);
      await listener.close();
    });
  });

  test('random sizes from our client to a node:net server come back unchanged', async () => {
    await withSeed(async (random) => {
      const { port } = await serveNet(fixture, (socket) => socket.pipe(socket));
      const client = await fixture.connect({ port });
      const pieces = randomPieces(random, 500_000, 150_000);
      for (const piece of pieces) await client.send(piece);
      client.end();
      const back: Uint8Array[] = [];
      for await (const chunk of client) back.push(chunk);
      assertSameBytes(Buffer.concat(back), Buffer.concat(pieces));
      expect(client.bytesRead).toBe(500_000);
      expect(client.bytesWritten).toBe(500_000);
      await client.close();
    });
  });

  test.skipIf(onWindows)(
    'both ends ours, through a Unix socket in the file system and in the abstract space',
    async () => {
      const directory = mkdtempSync(join(tmpdir(), 'iocp-'));
      fixture.after(() => rmSync(directory, { recursive: true }));
      for (const path of [
        join(directory, 'echo.sock'),
        `\0iocp-echo-${process.pid}-${fixture.port.info.backend}`,
      ]) {
        await withSeed(async (random) => {
          const listener = await fixture.listen({ path, lend: true }, echoHandlers);
          expect(listener.address()).toMatchObject({ family: 'unix', address: path });
          const client = await fixture.connect({ path });
          expect(client.info).toMatchObject({ protocols: ['unix'], family: 'unix', remoteAddress: path });
          const pieces = randomPieces(random, 300_000, 40_000);
          const sending = (async () => {
            for (const piece of pieces) await client.send(piece);
            client.end();
          })();
          const back: Uint8Array[] = [];
          for await (const batch of client.batches()) back.push(...batch);
          await sending;
          assertSameBytes(Buffer.concat(back), Buffer.concat(pieces));
          await client.close();
          await listener.close();
        });
      }
    },
  );

  test('what is written in one turn leaves as one send', async () => {
    const listener = await fixture.listen(
      {},
      {
        open(connection) {
          for (let digit = 0; digit < 10; digit++) connection.write(String(digit));
          connection.write([Buffer.from('a'), Buffer.from('b')]);
          connection.end('c');
        },
      },
    );
    const socket = await dialNet(listener);
    const submitted = fixture.port.stats.submissions;
    socket.end();
    expect((await collect(socket)).toString()).toBe('0123456789abc');
    await listener.close();
    // Receive, send, shutdown, close; and the close of the listener. The accept, and the address, came before.
    expect(fixture.port.stats.submissions - submitted).toBeLessThanOrEqual(6);
  });

  test('the order of write callbacks is that of the writes, and each comes once', async () => {
    const order: number[] = [];
    const listener = await fixture.listen(
      {},
      {
        open(connection) {
          for (let index = 0; index < 50; index++) {
            const bytes = Buffer.alloc(index % 7 === 0 ? 30_000 : 10, index);
            connection.write(bytes, (error) => order.push(error === null ? index : -1));
          }
          connection.end();
        },
      },
    );
    const socket = await dialNet(listener);
    const bytes = await collect(socket);
    expect(bytes).toHaveLength(8 * 30_000 + 42 * 10);
    await listener.close();
    expect(order).toEqual(Array.from({ length: 50 }, (_, index) => index));
  });

  test('small writes may be changed at once, large ones when they are done', async () => {
    const { port } = await serveNet(fixture, (socket) => socket.pipe(socket));
    const client = await fixture.connect({ port });
    const buffer = Buffer.from('first');
    client.write(buffer);
    buffer.write('later');
    client.write(buffer);
    const large = Buffer.alloc(100_000, 'x');
    await client.send(large);
    large.fill('y');
    client.end();
    const back: Uint8Array[] = [];
    for await (const chunk of client) back.push(chunk);
    expect(Buffer.concat(back).toString()).toBe(`firstlater${'x'.repeat(100_000)}`);
    await client.close();
  });

  test.runIf(hasProgram('python3'))('a Python client', async () => {
    const listener = await fixture.listen({ lend: true }, echoHandlers);
    const { stdout, stderr } = await run('python3', [
      '-c',
      pythonEcho,
      '127.0.0.1',
      String(listener.address().port),
      '7',
    ]);
    expect(stderr).toBe('');
    expect(stdout.toString().trim()).toBe('same');
    await listener.close();
  });

  test.runIf(hasProgram('socat', '-V'))('socat over TCP and over a Unix socket', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'iocp-'));
    fixture.after(() => rmSync(directory, { recursive: true }));
    const path = join(directory, 'socat.sock');
    const tcp = await fixture.listen({}, echoHandlers);
    const unix = await fixture.listen({ path }, echoHandlers);
    for (const target of [`TCP:127.0.0.1:${tcp.address().port}`, `UNIX-CONNECT:${path}`]) {
      const input = Buffer.alloc(300_000, target);
      const { code, stdout, stderr } = await run('socat', ['-t', '10', '-', target], input);
      expect(stderr).toBe('');
      expect(code).toBe(0);
      assertSameBytes(stdout, input);
    }
    await Promise.all([tcp.close(), unix.close()]);
  });
});

onEachBackend('a debug pool', (fixture) => {
  test('lent bytes are gone after the handler, and echo is whole', async () => {
    const port = new CompletionPort({ backend: fixture.backend, debug: true });
    fixture.after(() => port.close());
    const kept: Uint8Array[] = [];
    const listener = await fixture.listen(
      { completionPort: port, lend: true },
      {
        data(connection, bytes) {
          kept.push(bytes);
          connection.write(bytes);
        },
      },
    );
    const socket = await dialNet(listener);
    socket.end('hello, pool');
    expect((await collect(socket)).toString()).toBe('hello, pool');
    await listener.close();
    await assertNoLeaks(port);
    for (const bytes of kept) expect(Buffer.from(bytes).toString()).not.toContain('hello');
  });
});
