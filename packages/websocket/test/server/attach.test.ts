/** Servers of others: `http.Server`, whatever runs on it, and streams of any kind. */

import { once } from 'node:events';
import {
  createServer,
  get,
  request as httpRequest,
  type IncomingMessage,
  type RequestListener,
  type Server,
} from 'node:http';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { captureUncaught } from '@iocp/testkit';
import { expect, test } from 'vitest';
import { createWebSocketServer } from '../../src/server/create.js';
import type { WebSocketServerHandlers, WebSocketServerOptions } from '../../src/server/server-options.js';
import type { WebSocketServer } from '../../src/server/websocket-server.js';
import { duplexPair } from './duplex-pair.js';
import {
  echo,
  type Fixture,
  maskedFrame,
  onEachBackend,
  plainFrame,
  RawClient,
  refusalOf,
  requestText,
  until,
} from './fixture.js';

async function textOf(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  return text;
}

async function getText(
  port: number,
  path = '/',
  headers: Record<string, string> = {},
): Promise<[number, string]> {
  const request = get({ host: '127.0.0.1', port, path, headers, agent: false });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return [response.statusCode ?? 0, await textOf(response)];
}

/** A web server of Node's own, as Express and Fastify have it below. */
async function serveHttp(
  fixture: Fixture,
  onRequest: RequestListener,
  server: Server = createServer(),
): Promise<[Server, number]> {
  server.on('request', onRequest);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  fixture.after(async () => {
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  });
  return [server, (server.address() as AddressInfo).port];
}

function create(
  fixture: Fixture,
  options?: WebSocketServerOptions,
  handlers?: WebSocketServerHandlers,
): WebSocketServer {
  const server = createWebSocketServer(options, handlers);
  fixture.after(() => server.close({ graceMs: 0 }));
  return server;
}

const hello: RequestListener = ({ url }, response) => response.end(`plain ${url}`);

onEachBackend('a server attached to an http.Server', (fixture) => {
  test('opens WebSockets beside plain requests', async () => {
    const [http, port] = await serveHttp(fixture, hello);
    const server = create(fixture, { paths: '/ws' }, echo);
    server.attachTo(http);
    expect(server.address()).toBe(null);
    const client = await fixture.open(port, '/ws');
    expect(await getText(port)).toEqual([200, 'plain /']);
    client.send('over their sockets');
    expect(String((await once(client, 'message'))[0])).toBe('over their sockets');
    expect(await refusalOf(fixture.ws(port, '/none'))).toBe(404);
    expect([...server.connections][0]?.info).toMatchObject({
      protocols: ['tcp'],
      remoteAddress: '127.0.0.1',
    });
    client.close(3000, 'enough');
    expect((await once(client, 'close'))[0]).toBe(3000);
    await until(() => server.connections.size === 0);
  });

  test('frames behind the request are not lost', async () => {
    const [http, port] = await serveHttp(fixture, hello);
    create(fixture, {}, echo).attachTo(http);
    const client = await fixture.raw(port);
    client.send(Buffer.concat([Buffer.from(requestText()), maskedFrame(1, 'early')]));
    await client.upgraded();
    await client.until(() => client.received.equals(plainFrame(1, 'early')));
  });

  test('over TLS of Node', async () => {
    const { server: credentials, ca } = fixture.certificates;
    const [http, port] = await serveHttp(
      fixture,
      hello,
      https.createServer({ ...credentials }) as unknown as Server,
    );
    const server = create(fixture, {}, echo);
    server.attachTo(http);
    const client = await fixture.open(port, '/', { ca: ca.cert });
    client.send(Buffer.alloc(200_000, 7));
    expect((await once(client, 'message'))[0]).toEqual(Buffer.alloc(200_000, 7));
    expect([...server.connections][0]?.info.protocols).toEqual(['tcp', 'tls']);
  });

  test('several share it by their paths, and leave it again', async () => {
    const [http, port] = await serveHttp(fixture, hello);
    const names: string[] = [];
    const [chat, news] = ['chat', 'news'].map((name) =>
      create(fixture, { paths: '/unused' }, { open: ({ path }) => names.push(`${name} ${path}`) }),
    ) as [WebSocketServer, WebSocketServer];
    const leave = chat.attachTo(http, { paths: '/chat' });
    news.attachTo(http, { paths: /^\/news/ });
    await fixture.open(port, '/chat');
    await fixture.open(port, '/news/today');
    expect(names).toEqual(['chat /chat', 'news /news/today']);
    expect(await refusalOf(fixture.ws(port, '/unused'))).toBe(404);
    leave();
    leave();
    expect(await refusalOf(fixture.ws(port, '/chat'))).toBe(404);
    await news.close({ graceMs: 0 });
    expect(http.listenerCount('upgrade')).toBe(0);
    expect(() => news.attachTo(http)).toThrow(expect.objectContaining({ code: 'ERR_CHANNEL_CLOSED' }));
  });

  test('what it does not serve is left to other listeners', async () => {
    const [http, port] = await serveHttp(fixture, hello);
    create(fixture, { paths: '/ours' }, echo).attachTo(http);
    http.on('upgrade', (request: IncomingMessage, socket: Duplex) => {
      if (request.url !== '/ours') socket.end('HTTP/1.1 418 Teapot\r\nContent-Length: 0\r\n\r\n');
    });
    expect(await refusalOf(fixture.ws(port, '/theirs'))).toBe(418);
    await fixture.open(port, '/ours');
  });

  test('an upgrade to something else is served without it', async () => {
    const [http, port] = await serveHttp(fixture, hello);
    create(fixture, {}, echo).attachTo(http);
    const headers = { Connection: 'Upgrade, HTTP2-Settings', Upgrade: 'h2c', 'HTTP2-Settings': '' };
    expect(await getText(port, '/page', headers)).toEqual([200, 'plain /page']);
    const client = (await fixture.raw(port)).send(requestText({ version: '1.0', target: '/old' }));
    expect(await client.refused()).toMatchObject({
      status: 200,
      body: expect.stringContaining('plain /old'),
    });
  });

  test('a request for an upgrade behind one whose answer is not out yet', async () => {
    let finish: () => void = () => {};
    const [http, port] = await serveHttp(fixture, (_request, response) => {
      finish = () => response.end('at last');
    });
    create(fixture, {}, echo).attachTo(http);
    const client = await fixture.raw(port);
    client.send('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n');
    client.send(requestText({ headers: { Upgrade: 'h2c' } }));
    await client.until(() => client.ended || client.reset);
    expect(client.received.toString()).toBe('');
    finish();
  });

  test('what its function for paths throws is not lost, and refuses', async () => {
    const [http, port] = await serveHttp(fixture, hello);
    create(fixture, {}, echo).attachTo(http, {
      paths: () => {
        throw new Error('bad filter');
      },
    });
    const uncaught = await captureUncaught(async () => {
      expect(await refusalOf(fixture.ws(port))).toBe(404);
    });
    expect(uncaught.map(String)).toEqual(['Error: bad filter']);
  });
});

onEachBackend('handleUpgrade', (fixture) => {
  test.each(['ends', 'resets'])('a client that %s while verify decides', async (how) => {
    let asked: AbortSignal | undefined;
    const verify: WebSocketServerOptions['verify'] = (_request, { signal }) => {
      asked = signal;
      return new Promise<never>(() => {});
    };
    const server = create(fixture, { verify }, echo);
    const [http, port] = await serveHttp(fixture, hello);
    server.attachTo(http);
    const client = (await fixture.raw(port)).send(requestText());
    await until(() => asked !== undefined);
    if (how === 'ends') client.socket.end();
    else client.socket.resetAndDestroy();
    await until(() => asked?.aborted === true && server.stats.handshakes === 0);
    expect(server.stats).toMatchObject({ abandoned: 1, accepted: 0, refused: {} });
  });

  test('close() waits for those that verify decides about, and refuses them', async () => {
    const server = create(fixture, { verify: () => new Promise<never>(() => {}) }, echo);
    const [http, port] = await serveHttp(fixture, hello);
    server.attachTo(http);
    const client = (await fixture.raw(port)).send(requestText());
    await until(() => server.stats.handshakes === 1);
    await server.close();
    expect(server.stats).toMatchObject({ handshakes: 0, refused: { 503: 1 } });
    expect((await client.refused()).status).toBe(503);
  });

  test('for whoever has the request', async () => {
    const server = create(fixture, { paths: '/a' }, echo);
    const opened: unknown[] = [];
    const [http, port] = await serveHttp(fixture, hello);
    http.on('upgrade', async (request: IncomingMessage, socket: Socket, head: Buffer) => {
      opened.push((await server.handleUpgrade(request, socket, head))?.path ?? null);
    });
    await fixture.open(port, '/a?b');
    expect(await refusalOf(fixture.ws(port, '/b'))).toBe(404);
    await until(() => opened.length === 2);
    expect(opened).toEqual(['/a?b', null]);
  });

  test('twice for one stream is said', async () => {
    const server = create(fixture, {}, echo);
    const codes: unknown[] = [];
    const [http, port] = await serveHttp(fixture, hello);
    http.on('upgrade', async (request: IncomingMessage, socket: Socket, head: Buffer) => {
      await server.handleUpgrade(request, socket, head);
      await server.handleUpgrade(request, socket, head).catch((error) => codes.push(error.code));
    });
    const client = await fixture.open(port);
    expect(codes).toEqual(['ERR_CHANNEL_CONSUMER']);
    client.send('goes on');
    expect(String((await once(client, 'message'))[0])).toBe('goes on');
    expect(server.stats).toMatchObject({ accepted: 1, handshakes: 0 });
  });

  test('a stream that has gone', async () => {
    const server = create(fixture, {}, echo);
    const [http, port] = await serveHttp(fixture, hello);
    const result = new Promise((resolve) => {
      http.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
        socket.destroy();
        resolve(server.handleUpgrade(request, socket, head));
      });
    });
    (await fixture.raw(port)).send(requestText());
    expect(await result).toBe(null);
    expect(server.stats).toMatchObject({ abandoned: 1, handshakes: 0 });
  });

  test('any stream of bytes', async () => {
    const server = create(fixture, {}, echo);
    const [http, port] = await serveHttp(fixture, hello);
    let theirs: Duplex | undefined;
    http.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
      socket.destroy();
      const [near, far] = duplexPair();
      theirs = far;
      void server.handleUpgrade(request, near, head);
    });
    const client = await fixture.raw(port);
    client.send(requestText());
    await until(() => theirs !== undefined);
    const far = new RawClient(theirs as unknown as Socket);
    expect((await far.upgraded()).status).toBe(101);
    far.send(maskedFrame(2, 'anything'));
    await far.until(() => far.received.equals(plainFrame(2, 'anything')));
    theirs?.destroy();
    await until(() => server.connections.size === 0);
  });
});

onEachBackend('a client that is refused by an attached server', (fixture) => {
  test('reads the answer, whatever it still sends', async () => {
    const [http, port] = await serveHttp(fixture, hello);
    create(fixture, { origins: [] }, echo).attachTo(http);
    const request = httpRequest({
      host: '127.0.0.1',
      port,
      agent: false,
      headers: { Connection: 'Upgrade', Upgrade: 'websocket', Origin: 'https://a.test' },
    });
    request.end();
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    expect(response.statusCode).toBe(400);
    expect(await textOf(response)).toContain('Sec-WebSocket-Version');
    const flood = (await fixture.raw(port)).send(requestText({ headers: { Origin: 'https://a.test' } }));
    flood.send(Buffer.alloc(300_000));
    expect((await flood.refused()).status).toBe(403);
  });
});
