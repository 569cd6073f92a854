/** A server and its connections. */

import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { Agent, get, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { captureUncaught } from '@iocp/testkit';
import { describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { onWindows } from '../../../../system.shared.js';
import type { WebSocketConnection } from '../../src/connection/websocket-connection.js';
import { prepare } from '../../src/prepared.js';
import { createWebSocketServer } from '../../src/server/create.js';
import { listen } from '../../src/server/listen.js';
import {
  echo,
  maskedFrame,
  onEachBackend,
  plainFrame,
  portOf,
  refusalOf,
  requestText,
  until,
} from './fixture.js';

/** Texts that arrive, in order. */
function textsOf(socket: WebSocket): string[] {
  const texts: string[] = [];
  socket.on('message', (data) => texts.push(String(data)));
  return texts;
}

onEachBackend('a server', (fixture) => {
  test('knows its connections', async () => {
    const server = await fixture.listen({}, echo);
    const clients = await Promise.all([1, 2, 3].map(() => fixture.open(server)));
    await until(() => server.connections.size === 3);
    expect(server.stats).toEqual({
      connections: 3,
      queued: 0,
      handshakes: 0,
      accepted: 3,
      refused: {},
      abandoned: 0,
      topics: 0,
    });
    clients[0]?.close();
    clients[1]?.terminate();
    await until(() => server.connections.size === 1);
    expect(server.stats).toMatchObject({ connections: 1, accepted: 3 });
  });

  test('hands out connections instead', async () => {
    const server = await fixture.listen();
    const controller = new AbortController();
    const canceled = server.accept({ signal: controller.signal });
    controller.abort(new Error('not now'));
    await expect(canceled).rejects.toThrow('not now');
    const paths: string[] = [];
    const serving = (async () => {
      for await (const connection of server) {
        paths.push(connection.path);
        for await (const message of connection) connection.send(message);
      }
    })();
    for (const path of ['/1', '/2']) {
      const client = await fixture.open(server, path);
      client.send(`from ${path}`);
      expect(String((await once(client, 'message'))[0])).toBe(`from ${path}`);
      client.close();
      await once(client, 'close');
    }
    await server.close();
    await serving;
    expect(paths).toEqual(['/1', '/2']);
    expect(await server.accept()).toBe(null);
  });

  test('nothing is lost while nobody has taken a connection', async () => {
    const server = await fixture.listen();
    const client = await fixture.raw(server);
    client.send(Buffer.concat([Buffer.from(requestText()), maskedFrame(1, 'kept')]));
    await client.upgraded();
    await until(() => server.stats.queued === 1);
    const connection = (await server.accept()) as WebSocketConnection;
    const { value } = await connection.messages().next();
    expect(value).toBe('kept');
  });

  test('handlers and accept() exclude each other', async () => {
    const server = await fixture.listen({}, echo);
    await expect(server.accept()).rejects.toMatchObject({ code: 'ERR_CHANNEL_CONSUMER' });
  });

  test('has no more than connectionsMax', async () => {
    const server = await fixture.listen({ connectionsMax: 2 }, echo);
    const [first] = [await fixture.open(server), await fixture.open(server)];
    expect(await refusalOf(fixture.ws(server))).toBe(503);
    first?.close();
    await until(() => server.connections.size === 1);
    await fixture.open(server);
    expect(server.stats.refused).toEqual({ 503: 1 });
  });

  test('counts those that wait for verify', async () => {
    const server = await fixture.listen(
      { connectionsMax: 1, verify: () => new Promise<never>(() => {}) },
      echo,
    );
    const waiting = (await fixture.raw(server)).send(requestText());
    await until(() => server.stats.handshakes === 1);
    expect(await refusalOf(fixture.ws(server))).toBe(503);
    waiting.socket.destroy();
    await until(() => server.stats.handshakes === 0);
  });

  test('keeps no more unclaimed connections than acceptQueueMax', async () => {
    const server = await fixture.listen({ acceptQueueMax: 1 });
    await fixture.open(server);
    expect(await refusalOf(fixture.ws(server))).toBe(503);
    expect((await server.accept())?.readyState).toBe(1);
    await fixture.open(server);
  });

  test('broadcasts', async () => {
    const server = await fixture.listen({ deflate: { threshold: 10 } }, echo);
    const clients = [];
    for (const perMessageDeflate of [true, false, true]) {
      clients.push(await fixture.open(server, '/', { perMessageDeflate }));
    }
    await until(() => server.connections.size === 3);
    const texts = clients.map(textsOf);
    const [first] = server.connections;
    const long = 'all of you '.repeat(100);
    expect(server.broadcast('one')).toBe(3);
    expect(server.broadcast(prepare(long))).toBe(3);
    expect(server.broadcast('others', { except: first as WebSocketConnection })).toBe(2);
    expect(server.broadcast(Buffer.from('bytes'), { binary: false, compress: true })).toBe(3);
    await until(() => texts.every((each) => each.at(-1) === 'bytes'));
    expect(texts).toEqual([
      ['one', long, 'bytes'],
      ['one', long, 'others', 'bytes'],
      ['one', long, 'others', 'bytes'],
    ]);
  });

  test('publishes to those that have subscribed', async () => {
    const server = await fixture.listen(
      {},
      {
        open: (socket) => {
          for (const topic of socket.path.slice(1).split(',')) socket.subscribe(topic);
        },
        message: (socket, data) => socket.publish('a', data.toString().toUpperCase()),
      },
    );
    const [both, onlyA, onlyB] = await Promise.all(
      ['/a,b', '/a', '/b'].map((path) => fixture.open(server, path)),
    );
    await until(() => server.connections.size === 3);
    const texts = [both, onlyA, onlyB].map((each) => textsOf(each as WebSocket));
    expect(server.publish('a', 'to a')).toBe(2);
    expect(server.publish('b', 'to b')).toBe(2);
    expect(server.publish('c', 'to nobody')).toBe(0);
    onlyB?.send('from b');
    both?.send('from both');
    await until(() => texts[0]?.length === 3 && texts[1]?.length === 3);
    expect(texts).toEqual([['to a', 'to b', 'FROM B'], ['to a', 'FROM B', 'FROM BOTH'], ['to b']]);
    expect(server.subscribersOf('a')).toBe(2);
    expect(server.stats.topics).toBe(2);
    both?.close();
    onlyB?.terminate();
    await until(() => server.connections.size === 1);
    expect([server.subscribersOf('a'), server.subscribersOf('b'), server.stats.topics]).toEqual([1, 0, 1]);
    const [left] = server.connections as Set<WebSocketConnection>;
    expect(left?.topics).toEqual(['a']);
    expect([left?.unsubscribe('a'), left?.unsubscribe('a'), left?.isSubscribed('a')]).toEqual([
      true,
      false,
      false,
    ]);
    expect(server.stats.topics).toBe(0);
  });

  test('says to clients that it goes, and waits for them', async () => {
    const server = await fixture.listen({}, echo);
    const clients = await Promise.all([fixture.open(server), fixture.open(server)]);
    const closed = clients.map((client) => once(client, 'close'));
    await server.close({ code: 1012, reason: 'back soon' });
    for (const [code, reason] of await Promise.all(closed))
      expect([code, String(reason)]).toEqual([1012, 'back soon']);
    expect(server.connections.size).toBe(0);
    expect(server.closed).toBe(true);
    const late = new WebSocket(`ws://127.0.0.1:${portOf(server)}`);
    const [error] = await once(late, 'error');
    expect(error).toMatchObject({ code: 'ECONNREFUSED' });
  });

  test('does not wait longer than it is told', async () => {
    const server = await fixture.listen({ closeTimeoutMs: 100_000 }, echo);
    const deaf = (await fixture.raw(server)).send(requestText());
    await deaf.upgraded();
    const closing = server.close({ graceMs: Number.POSITIVE_INFINITY });
    await deaf.until(() => deaf.received.equals(Buffer.from([0x88, 2, 0x03, 0xe9])));
    await server.close({ graceMs: 20 });
    await closing;
    expect(server.connections.size).toBe(0);
  });

  test('refuses those that wait for verify when it closes', async () => {
    const told: Promise<unknown>[] = [];
    const server = await fixture.listen({
      verify: (_request, { signal }) => {
        told.push(once(signal, 'abort'));
        return new Promise<never>(() => {});
      },
    });
    const client = (await fixture.raw(server)).send(requestText());
    await until(() => server.stats.handshakes === 1);
    const closing = server.close();
    expect((await client.refused()).status).toBe(503);
    await Promise.all(told);
    await closing;
    expect(server.stats).toMatchObject({ handshakes: 0, accepted: 0, refused: { 503: 1 } });
  });

  test('aborts at once with graceMs 0, whoever waits for what', async () => {
    const server = await fixture.listen({
      verify: ({ url }) => (url === '/wait' ? new Promise<never>(() => {}) : true),
    });
    const queued = await fixture.raw(server);
    await queued.send(requestText()).upgraded();
    const waiting = (await fixture.raw(server)).send(requestText({ target: '/wait' }));
    const silent = await fixture.raw(server);
    await until(
      () => server.stats.queued === 1 && server.stats.handshakes === 1 && server.listener?.connections === 3,
    );
    const accepting = server.accept();
    expect((await accepting)?.path).toBe('/');
    await server.close({ graceMs: 0 });
    for (const client of [queued, waiting, silent]) await client.until(() => client.ended || client.reset);
    await until(() => server.stats.handshakes === 0);
    expect(server.connections.size).toBe(0);
  });

  test('what a handler throws goes to the handler for errors, and to nobody else', async () => {
    const errors: string[] = [];
    const server = await fixture.listen(
      {},
      {
        open: () => {
          throw new Error('in open');
        },
        error: (_socket, error) => errors.push(error.message),
      },
    );
    const client = (await fixture.raw(server)).send(requestText());
    await client.until(() => client.reset || client.ended);
    await until(() => server.connections.size === 0);
    expect(errors).toEqual(['in open']);
  });

  test('without one, the connection lives on', async () => {
    const server = await fixture.listen(
      {},
      {
        ...echo,
        refused: () => {
          throw new Error('in refused');
        },
        open: () => {
          throw new Error('in open');
        },
      },
    );
    const uncaught = await captureUncaught(async () => {
      const client = await fixture.open(server);
      client.send('still there');
      expect(String((await once(client, 'message'))[0])).toBe('still there');
      await (await fixture.raw(server)).send(requestText({ method: 'PUT' })).refused();
      await until(() => server.stats.refused[405] === 1);
    });
    expect(uncaught.map(String)).toEqual(['Error: in open', 'Error: in refused']);
  });

  test('keeps a slow reader at its cap, and the others as they were', async () => {
    const errors: (string | undefined)[] = [];
    const server = await fixture.listen(
      { bufferedBytesMax: 100_000 },
      { error: (_socket, error) => errors.push((error as NodeJS.ErrnoException).code) },
    );
    const slow = await fixture.open(server);
    slow.pause();
    await until(() => server.connections.size === 1);
    const [connection] = server.connections as Set<WebSocketConnection>;
    const message = prepare(Buffer.alloc(20_000));
    let most = 0;
    for (let turn = 0; turn < 10_000 && server.connections.size > 0; turn++) {
      server.broadcast(message);
      most = Math.max(most, connection?.bufferedAmount ?? 0);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(most).toBeLessThanOrEqual(100_000);
    expect(errors).toEqual(['ERR_WS_SLOW_CONSUMER']);
    expect(server.broadcast(message)).toBe(0);
  });
});

onEachBackend('plain HTTP on the same port', (fixture) => {
  const ask = async (port: number, agent: Agent | false = false) => {
    const request = get({ host: '127.0.0.1', port, path: '/page', agent });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    let text = '';
    for await (const chunk of response.setEncoding('utf8')) text += chunk;
    return { status: response.statusCode, text, headers: response.headers };
  };

  test('is 426 unless there is a handler for it', async () => {
    const server = await fixture.listen({}, echo);
    expect(await ask(portOf(server))).toMatchObject({
      status: 426,
      text: expect.stringContaining('WebSocket'),
      headers: { upgrade: 'websocket', 'sec-websocket-version': '13' },
    });
    expect(server.stats.refused).toEqual({ 426: 1 });
  });

  test('is kept alive beside WebSockets, and on the connection that becomes one', async () => {
    const ports = new Set<unknown>();
    const server = await fixture.listen(
      {
        request: (request, response) => {
          ports.add(request.socket.remotePort);
          response.end(`page ${request.url}`);
        },
      },
      echo,
    );
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    fixture.after(() => agent.destroy());
    const client = await fixture.open(server);
    for (let turn = 0; turn < 3; turn++)
      expect(await ask(portOf(server), agent)).toMatchObject({ status: 200, text: 'page /page' });
    expect(ports.size).toBe(1);
    client.send('and here?');
    expect(String((await once(client, 'message'))[0])).toBe('and here?');
    const raw = await fixture.raw(server);
    raw.send(`GET /first HTTP/1.1\r\nHost: a\r\n\r\n${requestText()}`);
    await raw.until(() => raw.received.includes('101 Switching'));
    expect(raw.received.toString()).toMatch(/^HTTP\/1\.1 200 .*page \/first.*HTTP\/1\.1 101 /s);
    raw.send(maskedFrame(1, 'here'));
    await raw.until(() => raw.received.subarray(-6).equals(plainFrame(1, 'here')));
  });

  test('a large answer before the upgrade comes first, and whole', async () => {
    const body = 'x'.repeat(3_000_000);
    const server = await fixture.listen({ request: (_request, response) => response.end(body) }, echo);
    const raw = await fixture.raw(server);
    raw.send(`GET / HTTP/1.1\r\nHost: a\r\n\r\n`);
    raw.send(requestText());
    raw.send(maskedFrame(1, 'behind'));
    await raw.until(() => raw.received.subarray(-8).equals(plainFrame(1, 'behind')));
    const text = raw.received.toString('latin1');
    expect(text.indexOf('HTTP/1.1 101')).toBe(text.indexOf(body) + body.length);
  });

  test('an answer under way is finished when the server closes', async () => {
    let finish: () => void = () => {};
    const server = await fixture.listen({
      request: (_request, response) => {
        finish = () => response.end('done');
      },
    });
    const answering = fixture.raw(server).then((raw) => raw.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n'));
    const idle = await fixture.raw(server);
    const raw = await answering;
    const before = finish;
    await until(() => finish !== before);
    const closing = server.close();
    await idle.until(() => idle.ended);
    idle.socket.end();
    finish();
    await raw.until(() => raw.ended);
    expect(raw.received.toString()).toMatch(/done$/);
    raw.socket.end();
    await closing;
  });
});

onEachBackend('TLS', (fixture) => {
  test('wss: on a port of its own', async () => {
    const { server: credentials, ca } = fixture.certificates;
    const server = await fixture.listen(
      { tls: credentials, request: (request, response) => response.end(`${'encrypted' in request.socket}`) },
      echo,
    );
    const client = await fixture.open(server, '/', { ca: ca.cert });
    const large = Buffer.alloc(500_000, 'tls');
    client.send(large);
    expect((await once(client, 'message'))[0]).toEqual(large);
    const [connection] = server.connections as Set<WebSocketConnection>;
    expect(connection?.info).toMatchObject({ protocols: ['tcp', 'tls'], encrypted: true });
    const refused = fixture.ws(server, '/', {
      ca: ca.cert,
      headers: { Host: 'a' },
      origin: 'x',
    });
    await once(refused, 'open');
    client.close();
    await once(client, 'close');
  });

  test('verify knows the certificate of a client', async () => {
    const { server: credentials, ca, client: identity } = fixture.certificates;
    const server = await fixture.listen({
      tls: { ...credentials, ca: ca.cert, requestCert: true },
      verify: async ({ socket }) => {
        await new Promise((resolve) => setImmediate(resolve));
        const { authorized, encrypted } = socket as TLSSocket;
        const name = (socket as TLSSocket).getPeerCertificate().subject.CN;
        return { data: { authorized, encrypted, name } };
      },
    });
    await fixture.open(server, '/', { ca: ca.cert, ...identity });
    expect((await server.accept())?.data).toEqual({ authorized: true, encrypted: true, name: 'client' });
  });

  test('what is no TLS is not answered', async () => {
    const server = await fixture.listen({ tls: fixture.certificates.server }, echo);
    const client = (await fixture.raw(server)).send(requestText());
    await client.until(() => client.ended || client.reset);
    client.socket.end();
    await until(() => server.listener?.stats.handshakesFailed === 1);
    expect(server.stats.accepted).toBe(0);
  });

  test('a certificate is missed at once', async () => {
    await expect(fixture.listen({ tls: {} })).rejects.toMatchObject({ code: 'ERR_MISSING_OPTION' });
  });
});

onEachBackend('a Unix socket', (fixture) => {
  test.skipIf(onWindows)('is a place to listen, too', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'iocp-'));
    fixture.after(() => rmSync(directory, { recursive: true }));
    const path = join(directory, 'socket');
    const server = await fixture.listen({ path, paths: '/chat' }, echo);
    const client = new WebSocket(`ws+unix:${path}:/chat`);
    fixture.after(() => client.terminate());
    await once(client, 'open');
    client.send('hello');
    expect(String((await once(client, 'message'))[0])).toBe('hello');
    expect(server.address()).toMatchObject({ address: path, family: 'unix' });
    await server.close({ graceMs: 0 });
    expect(existsSync(path)).toBe(false);
  });
});

describe('arguments', () => {
  test.each<[string, object]>([
    ['ERR_INVALID_ARG_TYPE', { paths: 5 }],
    ['ERR_INVALID_ARG_VALUE', { paths: 'chat' }],
    ['ERR_INVALID_ARG_VALUE', { paths: '/chat?a' }],
    ['ERR_INVALID_ARG_TYPE', { protocols: 'a' }],
    ['ERR_INVALID_ARG_VALUE', { protocols: ['a b'] }],
    ['ERR_INVALID_ARG_VALUE', { protocols: ['a', 'a'] }],
    ['ERR_INVALID_ARG_TYPE', { selectProtocol: 'a' }],
    ['ERR_INVALID_ARG_VALUE', { selectProtocol: () => undefined, protocols: [] }],
    ['ERR_INVALID_ARG_TYPE', { origins: 'https://a.test' }],
    ['ERR_INVALID_ARG_TYPE', { origins: [5] }],
    ['ERR_INVALID_ARG_VALUE', { origins: ['a.test'] }],
    ['ERR_INVALID_ARG_VALUE', { origins: ['https://a.test/'] }],
    ['ERR_INVALID_ARG_TYPE', { verify: true }],
    ['ERR_INVALID_ARG_VALUE', { headers: { 'Sec-WebSocket-Accept': 'a' } }],
    ['ERR_INVALID_ARG_VALUE', { headers: { A: 'b\r\nC: d' } }],
    ['ERR_OUT_OF_RANGE', { handshakeTimeoutMs: 0 }],
    ['ERR_OUT_OF_RANGE', { headerBytesMax: 1 }],
    ['ERR_OUT_OF_RANGE', { connectionsMax: 0 }],
    ['ERR_OUT_OF_RANGE', { acceptQueueMax: 0 }],
    ['ERR_OUT_OF_RANGE', { topicsPerConnectionMax: -1 }],
    ['ERR_OUT_OF_RANGE', { payloadBytesMax: -1 }],
  ])('%s for %o', async (code, options) => {
    expect(() => createWebSocketServer(options)).toThrow(expect.objectContaining({ code }));
    await expect(listen(options)).rejects.toMatchObject({ code });
  });

  test.each<[string, object]>([
    ['ERR_INVALID_ARG_TYPE', { tls: true }],
    ['ERR_INVALID_ARG_TYPE', { tcp: 5 }],
    ['ERR_INVALID_ARG_TYPE', { request: {} }],
    ['ERR_SOCKET_BAD_PORT', { port: 70_000 }],
  ])('%s for %o of listen', async (code, options) => {
    await expect(listen(options)).rejects.toMatchObject({ code });
  });

  test('handlers', async () => {
    for (const handlers of [{ open: 1 }, { refused: 'x' }, 5]) {
      const code = 'ERR_INVALID_ARG_TYPE';
      expect(() => createWebSocketServer({}, handlers as never)).toThrow(expect.objectContaining({ code }));
      await expect(listen({}, handlers as never)).rejects.toMatchObject({ code });
    }
  });

  test('of a server', async () => {
    const server = createWebSocketServer();
    expect(() => server.attachTo(5 as never)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    );
    expect(() => server.publish(5 as never, 'a')).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    );
    await expect(server.close({ graceMs: -1 })).rejects.toMatchObject({ code: 'ERR_OUT_OF_RANGE' });
    await expect(server.close({ code: 1005 })).rejects.toMatchObject({ code: 'ERR_OUT_OF_RANGE' });
    expect(server.closed).toBe(false);
    await server.close();
    await server[Symbol.asyncDispose]();
    expect([server.address(), server.listener, server.ref(), server.unref()]).toEqual([
      null,
      null,
      server,
      server,
    ]);
  });
});
