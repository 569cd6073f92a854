/** The package `ws`, as client and as server. */

import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { type Fixture, onEachBackend, portOf } from '../server/fixture.js';
import { deadlineMs, echoServer, exchange, exchanged, expectSame, samples } from './support.js';

async function exchangeByWs(fixture: Fixture, url: string, options: WebSocket.ClientOptions) {
  const socket = new WebSocket(url, ['echo'], options);
  fixture.after(() => socket.terminate());
  const received: (string | Buffer)[] = [];
  const all = new Promise<void>((resolve) => {
    socket.on('message', (data, binary) => {
      received.push(binary ? (data as Buffer) : String(data));
      if (received.length === samples.length) resolve();
    });
  });
  await once(socket, 'open');
  const pong = once(socket, 'pong');
  socket.ping('are you there');
  expect(String((await pong)[0])).toBe('are you there');
  for (const message of samples) {
    // In two parts.
    socket.send(message.slice(0, 3), { fin: false, binary: typeof message !== 'string' });
    socket.send(message.slice(3), { fin: true });
  }
  await all;
  for (const [index, message] of received.entries()) expectSame(message, samples[index]);
  const closed = once(socket, 'close');
  socket.close(4000, 'enough');
  const [code, reason] = (await closed) as [number, Buffer];
  return { protocol: socket.protocol, extensions: socket.extensions, closed: { code, reason: `${reason}` } };
}

onEachBackend('ws', (fixture) => {
  describe.each([
    ['plain', false, false],
    ['compressed', { threshold: 0 }, true],
    [
      'compressed with contexts kept',
      { threshold: 0, contextTakeover: true, peerContextTakeover: true },
      true,
    ],
  ])('%s', (_, deflate, compressed) => {
    test('its client talks to our server', { timeout: deadlineMs }, async () => {
      const server = await echoServer(fixture, { deflate });
      const perMessageDeflate = compressed && { threshold: 0 };
      const outcome = await exchangeByWs(fixture, `ws://127.0.0.1:${portOf(server)}`, { perMessageDeflate });
      expect(outcome).toMatchObject(exchanged);
      expect(outcome.extensions.includes('permessage-deflate')).toBe(compressed);
    });

    test('our client talks to its server', { timeout: deadlineMs }, async () => {
      const perMessageDeflate = compressed && { threshold: 0 };
      const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate });
      fixture.after(() => server.close());
      await once(server, 'listening');
      const heard = new Promise((resolve) => {
        server.on('connection', (socket) => {
          socket.on('message', (data, binary) => socket.send(data as Buffer, { binary }));
          socket.on('close', (code, reason) => resolve({ code, reason: String(reason) }));
        });
      });
      const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const outcome = await exchange(fixture, url, { deflate });
      expect(outcome).toMatchObject(exchanged);
      expect(outcome.extensions.includes('permessage-deflate')).toBe(compressed);
      expect(await heard).toEqual(exchanged.closed);
    });
  });

  test('over TLS, both ways', { timeout: deadlineMs }, async () => {
    const { ca, server: credentials } = fixture.certificates;
    const ours = await echoServer(fixture, { tls: credentials });
    const byWs = await exchangeByWs(fixture, `wss://127.0.0.1:${portOf(ours)}`, { ca: ca.cert });
    expect(byWs).toMatchObject(exchanged);

    const http = createServer({ cert: credentials.cert, key: credentials.key }).listen(0, '127.0.0.1');
    fixture.after(() => http.close());
    await once(http, 'listening');
    new WebSocketServer({ server: http }).on('connection', (socket) => {
      socket.on('message', (data, binary) => socket.send(data as Buffer, { binary }));
    });
    const url = `wss://127.0.0.1:${(http.address() as AddressInfo).port}`;
    expect(await exchange(fixture, url, { tls: { ca: ca.cert } })).toMatchObject(exchanged);
  });
});
