/** Hostile and mistaken handshakes: each is refused with its status, the connection ends, and nothing is left. */

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { createWebSocketServer } from '../../src/server/create.js';
import type { WebSocketServerHandlers } from '../../src/server/server-options.js';
import { onEachBackend, type RequestParts, requestText, sampleKey, until } from './fixture.js';

const wrong: readonly (readonly [name: string, status: number, request: string | RequestParts])[] = [
  ['another method', 405, { method: 'POST' }],
  ['HEAD', 405, { method: 'HEAD' }],
  ['HTTP/1.0', 426, { version: '1.0' }],
  ['no version', 400, { headers: { 'Sec-WebSocket-Version': undefined } }],
  ['version 8', 426, { headers: { 'Sec-WebSocket-Version': '8' } }],
  ['version 0', 426, { headers: { 'Sec-WebSocket-Version': '0' } }],
  ['a version that is no number', 426, { headers: { 'Sec-WebSocket-Version': 'thirteen' } }],
  ['two versions', 426, { headers: { 'Sec-WebSocket-Version': ['13', '8'] } }],
  ['no key', 400, { headers: { 'Sec-WebSocket-Key': undefined } }],
  ['a key that is too short', 400, { headers: { 'Sec-WebSocket-Key': 'AAAA' } }],
  ['a key that is too long', 400, { headers: { 'Sec-WebSocket-Key': `AAAA${sampleKey}` } }],
  ['a key that is not Base64', 400, { headers: { 'Sec-WebSocket-Key': '!!!!!!!!!!!!!!!!!!!!!!==' } }],
  ['two keys', 400, { headers: { 'Sec-WebSocket-Key': [sampleKey, sampleKey] } }],
  ['no host', 400, { headers: { Host: undefined } }],
  ['a body', 400, { headers: { 'Content-Length': '5' } }],
  ['a chunked body', 400, { headers: { 'Transfer-Encoding': 'chunked' } }],
  ['an empty protocol', 400, { headers: { 'Sec-WebSocket-Protocol': '' } }],
  ['a protocol twice', 400, { headers: { 'Sec-WebSocket-Protocol': 'a, b, a' } }],
  ['a protocol that is no token', 400, { headers: { 'Sec-WebSocket-Protocol': 'a, "b"' } }],
  ['a malformed extension', 400, { headers: { 'Sec-WebSocket-Extensions': 'permessage-deflate; =' } }],
  ['a target that is no path', 400, { target: '*' }],
  ['another path', 404, { target: '/elsewhere' }],
  ['a path that only begins right', 404, { target: '/chat/room' }],
  ['another origin', 403, { headers: { Origin: 'https://evil.test' } }],
  ['the origin "null"', 403, { headers: { Origin: 'null' } }],
  ['no upgrade', 426, { headers: { Upgrade: undefined, Connection: undefined } }],
  ['an upgrade without Connection', 426, { headers: { Connection: 'keep-alive' } }],
  ['an upgrade to something else', 426, { headers: { Upgrade: 'h2c' } }],
  [
    'an upgrade to something else with a body',
    426,
    { method: 'POST', headers: { Upgrade: 'h2c', 'Content-Length': '3' } },
  ],
  ['a head of 100 KB', 431, { headers: { 'X-Long': 'a'.repeat(100_000) } }],
  ['many fields of 100 KB together', 431, { headers: { Cookie: Array(100).fill('b'.repeat(1000)) } }],
  ['a target of 100 KB', 431, { target: `/${'c'.repeat(100_000)}` }],
  ['no HTTP', 400, '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 that is TLS\r\n\r\n'],
  ['an invalid field', 400, 'GET / HTTP/1.1\r\nHost: a\r\nUpgrade : websocket\r\n\r\n'],
  [
    'two ways to end',
    400,
    'GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n',
  ],
];

onEachBackend('a server of its own port', (fixture) => {
  const refusing = (handlers?: WebSocketServerHandlers) =>
    fixture.listen({ paths: ['/', '/chat'], origins: ['https://good.test'], deflate: true }, handlers);

  test.each(wrong)('refuses %s with %d', async (_name, status, request) => {
    const opened: string[] = [];
    const server = await refusing({ open: ({ path }) => opened.push(path) });
    const client = await fixture.raw(server);
    client.send(typeof request === 'string' ? request : requestText(request));
    const response = await client.refused();
    expect(response.status).toBe(status);
    expect(response.headers.connection).toContain('close');
    expect(response.body.length).toBe(Number(response.headers['content-length'] ?? response.body.length));
    expect(server.stats).toMatchObject({ accepted: 0, refused: { [status]: 1 } });
    expect(opened).toEqual([]);
    await until(() => server.listener?.connections === 0);
  });

  test('says what is needed', async () => {
    const server = await refusing();
    const asked = async (parts: RequestParts) =>
      (await (await fixture.raw(server)).send(requestText(parts)).refused()).headers;
    expect(await asked({ method: 'PUT' })).toMatchObject({ allow: 'GET' });
    expect(await asked({ headers: { 'Sec-WebSocket-Version': '7' } })).toMatchObject({
      'sec-websocket-version': '13',
      upgrade: 'websocket',
    });
    expect(await asked({ headers: { Upgrade: undefined } })).toMatchObject({
      connection: 'Upgrade, close',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
    });
    expect(await asked({ headers: { 'Sec-WebSocket-Version': undefined } })).toMatchObject({
      'sec-websocket-version': '13',
    });
  });

  test('refuses byte by byte as it does at once', async () => {
    const server = await refusing();
    const client = await fixture.raw(server);
    client.socket.setNoDelay(true);
    for (const byte of requestText({ target: '/none' })) {
      await new Promise((resolve) => client.socket.write(byte, resolve));
    }
    expect((await client.refused()).status).toBe(404);
  });

  test('does not wait for those that do not read the refusal, nor close', async () => {
    const server = await refusing();
    const client = await fixture.raw(server);
    client.send(requestText({ target: '/none' }));
    await client.until(() => client.ended);
    // The client does not end: the server does, after a while.
    await until(() => server.listener?.connections === 0);
    expect(server.stats.refused).toEqual({ 404: 1 });
  });

  test('a client that leaves in the middle of its request', async () => {
    const server = await refusing();
    const client = await fixture.raw(server);
    client.send(requestText().slice(0, 60));
    await until(() => server.listener?.connections === 1);
    client.socket.resetAndDestroy();
    await until(() => server.listener?.connections === 0);
    expect(server.stats.refused).toEqual({});
  });

  test('a request that does not come is answered with 408', async () => {
    const server = await fixture.listen({ handshakeTimeoutMs: 40 });
    const silent = await fixture.raw(server);
    const slow = (await fixture.raw(server)).send('GET / HTTP/1.1\r\nHost: a\r\n');
    for (const client of [silent, slow]) expect((await client.refused()).status).toBe(408);
    await until(() => server.listener?.connections === 0);
    expect(server.stats.refused).toEqual({ 408: 2 });
  });

  test('the handler hears of every refused request', async () => {
    const heard: unknown[] = [];
    const server = await refusing({
      refused: ({ url }, status, error) => heard.push([url, status, error?.message]),
    });
    await (await fixture.raw(server)).send(requestText({ target: '/none' })).refused();
    expect(heard).toEqual([['/none', 404, undefined]]);
  });
});

/** Those that get as far as the event `'upgrade'`; the others are the business of whoever made the `http.Server`. */
const upgrades = wrong.filter(
  ([, status, request]) => status !== 431 && status !== 426 && typeof request !== 'string',
);

onEachBackend('a server attached to an http.Server', (fixture) => {
  test.each(upgrades)('refuses %s with %d', async (_name, status, request) => {
    const http = createServer().listen(0, '127.0.0.1');
    await once(http, 'listening');
    fixture.after(() => http.close());
    const server = createWebSocketServer({
      paths: ['/', '/chat'],
      origins: ['https://good.test'],
      deflate: true,
    });
    server.attachTo(http);
    const client = await fixture.raw((http.address() as AddressInfo).port);
    expect((await client.send(requestText(request as RequestParts)).refused()).status).toBe(status);
    expect(server.stats).toMatchObject({ accepted: 0, handshakes: 0, refused: { [status]: 1 } });
    let open = 1;
    await until(() => {
      http.getConnections((_error, count) => (open = count));
      return open === 0;
    });
  });
});
