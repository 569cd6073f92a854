/** Messages as web streams: WebSocketStream, and the same for connections of servers. */

import { once } from 'node:events';
import { whenQuiet } from '@iocp/testkit';
import { expect, test } from 'vitest';
import type { ConnectOptions } from '../../src/client/connect-options.js';
import { webSocketStreams } from '../../src/client/message-streams.js';
import { WebSocketStream } from '../../src/client/web-socket-stream.js';
import type { WebSocketConnection } from '../../src/connection/websocket-connection.js';
import { onEachBackend, until } from '../server/fixture.js';
import { echoOf, failureOf, on, open, servePeer, serveRaw } from './scene.js';

onEachBackend('WebSocketStream', (fixture) => {
  const make = (url: string, options?: ConnectOptions): WebSocketStream => {
    const stream = new WebSocketStream(url, on(fixture, options));
    fixture.after(async () => {
      stream.close();
      await stream.closed.catch(() => {});
    });
    return stream;
  };

  test('opens, echoes and closes', async () => {
    const peer = await servePeer(fixture, echoOf);
    const stream = make(peer.url, { protocols: ['chat'] });
    expect(stream.url).toBe(`${peer.url}/`);
    const { readable, writable, protocol, extensions } = await stream.opened;
    expect({ protocol, extensions }).toEqual({ protocol: 'chat', extensions: '' });
    const reader = readable.getReader();
    const writer = writable.getWriter();
    await writer.write('text');
    await writer.write(Uint8Array.of(1, 2));
    await writer.write(Uint8Array.of(3, 4).buffer);
    expect((await reader.read()).value).toBe('text');
    expect((await reader.read()).value).toEqual(Buffer.of(1, 2));
    expect((await reader.read()).value).toEqual(Buffer.of(3, 4));
    stream.close({ closeCode: 3000, reason: 'done' });
    expect(await stream.closed).toEqual({ closeCode: 3000, reason: 'done' });
    expect(await reader.read()).toEqual({ done: true, value: undefined });
    expect(await failureOf(writer.write('late'))).toMatchObject({ code: 'ERR_WS_CLOSED' });
  });

  test('stops a peer that is quicker than the reader', async () => {
    const peer = await servePeer(fixture);
    const stream = make(peer.url);
    const { readable } = await stream.opened;
    const [socket] = peer.sockets;
    const message = Buffer.alloc(64 * 1024);
    const count = 800;
    for (let index = 0; index < count; index++) socket?.send(message);
    await whenQuiet(() => socket?.bufferedAmount, 200);
    expect(socket?.bufferedAmount).toBeGreaterThan(10 * 1024 * 1024);
    const reader = readable.getReader();
    for (let index = 0; index < count; index++) {
      expect((await reader.read()).value).toHaveLength(message.length);
    }
    expect(socket?.bufferedAmount).toBe(0);
  });

  test('is stopped by a peer that reads more slowly', async () => {
    const peer = await servePeer(fixture);
    const { writable } = await make(peer.url).opened;
    const [socket] = peer.sockets;
    socket?.pause();
    const writer = writable.getWriter();
    const scratch = Buffer.alloc(256 * 1024);
    let written = 0;
    const count = 200;
    const writing = (async () => {
      for (let index = 0; index < count; index++) {
        scratch.fill(index);
        await writer.write(scratch);
        written++;
      }
    })();
    await whenQuiet(() => written, 200);
    expect(written).toBeLessThan(count);
    const firstBytes: number[] = [];
    socket?.on('message', (data: Buffer) => firstBytes.push(data[0] as number, data.at(-1) as number));
    socket?.resume();
    await writing;
    await until(() => firstBytes.length === 2 * count);
    expect(firstBytes).toEqual(Array.from({ length: 2 * count }, (_, index) => index >> 1));
  });

  test('closes when the writable is closed, or the readable cancelled', async () => {
    const peer = await servePeer(fixture);
    const first = make(peer.url);
    await (await first.opened).writable.close();
    expect(await first.closed).toEqual({ closeCode: 1000, reason: '' });
    const second = make(peer.url);
    await (await second.opened).readable.cancel({ closeCode: 4001, reason: 'why' });
    expect(await second.closed).toEqual({ closeCode: 4001, reason: 'why' });
    const third = make(peer.url);
    await (await third.opened).writable.abort(new Error('no reason to tell'));
    expect(await third.closed).toEqual({ closeCode: 1005, reason: '' });
  });

  test('rejects when it does not open', async () => {
    const server = await serveRaw(fixture, (socket) =>
      socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n'),
    );
    const stream = make(server.url);
    expect(await failureOf(stream.opened)).toMatchObject({ statusCode: 404 });
    expect(await failureOf(stream.closed)).toMatchObject({ statusCode: 404 });
  });

  test('gives up when it is closed, or its signal fires', async () => {
    const server = await serveRaw(fixture, () => {});
    const closed = make(server.url);
    await until(() => server.requests.length === 1);
    closed.close();
    expect(await failureOf(closed.opened)).toMatchObject({ code: 'ERR_CHANNEL_ABORTED' });
    const reason = new Error('enough');
    const aborted = make(server.url, { signal: AbortSignal.abort(reason) });
    expect(await failureOf(aborted.closed)).toBe(reason);
    await until(() => server.sockets.every((socket) => socket.destroyed));
  });

  test('fails when the peer has gone', async () => {
    const peer = await servePeer(fixture);
    const stream = make(peer.url);
    const { readable, writable } = await stream.opened;
    const writer = writable.getWriter();
    const reading = readable.getReader().read();
    peer.sockets[0]?.terminate();
    await failureOf(stream.closed);
    await Promise.allSettled([reading, writer.closed]);
    expect(await failureOf(writer.write('late'))).toMatchObject({ code: 'ERR_WS_CLOSED' });
  });

  test('refuses arguments', async () => {
    expect(() => new WebSocketStream('nowhere')).toThrow(expect.objectContaining({ name: 'SyntaxError' }));
    const peer = await servePeer(fixture);
    const stream = make(peer.url);
    expect(() => stream.close({ closeCode: 1001 })).toThrow(
      expect.objectContaining({ name: 'InvalidAccessError' }),
    );
    const { writable } = await stream.opened;
    expect(await failureOf(writable.getWriter().write(7 as never))).toMatchObject({
      code: 'ERR_INVALID_ARG_TYPE',
    });
  });
});

onEachBackend('webSocketStreams', (fixture) => {
  test('are those of a server, too', async () => {
    const server = await fixture.listen({}, undefined);
    const accepting = server.accept();
    const peer = await fixture.open(server);
    const connection = (await accepting) as WebSocketConnection;
    const { readable, writable } = webSocketStreams(connection);
    const echoing = readable.pipeTo(writable as never);
    for (const text of ['one', 'two', 'x'.repeat(100_000)]) {
      peer.send(text);
      expect(String(((await once(peer, 'message')) as [Buffer])[0])).toBe(text);
    }
    peer.close(1000);
    await echoing.catch(() => {});
    expect((await connection.whenClosed()).code).toBe(1000);
  });

  test('take the place of handlers', async () => {
    const peer = await servePeer(fixture);
    const connection = await open(fixture, peer.url, {}, {});
    expect(() => webSocketStreams(connection)).toThrow(
      expect.objectContaining({ code: 'ERR_CHANNEL_CONSUMER' }),
    );
  });
});
