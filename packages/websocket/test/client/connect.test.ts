/** Opening WebSockets to servers of the package `ws`, of ours, and to servers that misbehave. */

import { AsyncLocalStorage } from 'node:async_hooks';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTcp } from '@iocp/tcp';
import { tls } from '@iocp/tls';
import { expect, test } from 'vitest';
import { WebSocketServer as PeerServer } from 'ws';
import { pathKind, socketPath } from '../../../../system.shared.js';
import { connect } from '../../src/client/connect.js';
import type { Target } from '../../src/client/target.js';
import { HandshakeError } from '../../src/handshake/handshake-error.js';
import { echo, onEachBackend, until } from '../server/fixture.js';
import { accepted, echoOf, failureOf, on, open, servePeer, serveRaw } from './scene.js';

onEachBackend('connect', (fixture) => {
  test('talks to a server of ws', async () => {
    const peer = await servePeer(fixture, echoOf);
    const connection = await open(fixture, `${peer.url}/chat?room=1`);
    const messages = connection.messages();
    connection.send('text');
    connection.send(Buffer.from('bytes'));
    expect((await messages.next()).value).toBe('text');
    expect((await messages.next()).value).toEqual(Buffer.from('bytes'));
    expect(connection).toMatchObject({
      role: 'client',
      path: '/chat?room=1',
      protocol: '',
      extensions: '',
      readyState: 1,
    });
    expect(connection.info.protocols).toEqual(['tcp']);
    const closed = once(peer.sockets[0] as never, 'close');
    expect(await connection.close(4000, 'enough')).toEqual({ code: 4000, reason: 'enough' });
    expect((await closed).map(String)).toEqual(['4000', 'enough']);
  });

  test('talks to a server of ours, with handlers', async () => {
    const server = await fixture.listen({}, echo);
    const received: string[] = [];
    const context = new AsyncLocalStorage<string>();
    const events: string[] = [];
    const done = new Promise<void>((resolve) => {
      void context.run('caller', () =>
        open(
          fixture,
          `ws://127.0.0.1:${server.address()?.port}`,
          {},
          {
            open: (socket) => {
              events.push(`open ${context.getStore()}`);
              socket.send('one');
              socket.send(Buffer.alloc(100_000, 'x'));
            },
            message: (socket, data, binary) => {
              events.push(`message ${context.getStore()}`);
              received.push(`${binary} ${data.byteLength}`);
              if (received.length === 2) void socket.close();
            },
            close: (_, code) => {
              events.push(`close ${code}`);
              resolve();
            },
          },
        ),
      );
    });
    await done;
    expect(received).toEqual(['false 3', 'true 100000']);
    expect(events).toEqual(['open caller', 'message caller', 'message caller', 'close 1000']);
  });

  test('takes what the server sends with its answer', async () => {
    const server = await serveRaw(fixture, (socket, key) => {
      socket.write(Buffer.concat([Buffer.from(accepted(key)), Buffer.from([0x81, 5]), Buffer.from('early')]));
    });
    const connection = await open(fixture, server.url);
    expect((await connection.messages().next()).value).toBe('early');
  });

  test('asks for what it was told to', async () => {
    const server = await serveRaw(fixture, (socket, key) => {
      socket.write(accepted(key, 'Sec-WebSocket-Protocol: two\r\nSet-Cookie: a=b\r\n'));
    });
    let cookie: string | undefined;
    const connection = await open(fixture, server.url.replace('ws://', 'http://us:pw@'), {
      protocols: ['one', 'two'],
      headers: { Cookie: 'c=d' },
      origin: 'https://example.com',
      onUpgrade: ({ headers }) => {
        cookie = headers['set-cookie'];
      },
    });
    expect(connection.protocol).toBe('two');
    expect(cookie).toBe('a=b');
    const [request] = server.requests;
    for (const line of [
      'GET / HTTP/1.1',
      `Host: 127.0.0.1:${server.port}`,
      'Sec-WebSocket-Protocol: one, two',
      'Origin: https://example.com',
      'Cookie: c=d',
      `Authorization: Basic ${Buffer.from('us:pw').toString('base64')}`,
    ]) {
      expect(request?.split('\r\n')).toContain(line);
    }
  });

  test('compresses with ws', async () => {
    const peer = await servePeer(fixture, echoOf, { perMessageDeflate: { threshold: 0 } });
    const connection = await open(fixture, peer.url, { deflate: { threshold: 10, contextTakeover: true } });
    expect(connection.extensions).toContain('permessage-deflate');
    const messages = connection.messages();
    for (const text of ['x'.repeat(100_000), 'short', 'x'.repeat(100_000)]) {
      connection.send(text);
      expect((await messages.next()).value).toBe(text);
    }
  });

  test('shows why a server refuses', async () => {
    const server = await serveRaw(fixture, (socket) => {
      socket.write('HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 4\r\n\r\nwho?');
    });
    const error = (await failureOf(open(fixture, server.url))) as HandshakeError;
    expect(error).toBeInstanceOf(HandshakeError);
    expect(error).toMatchObject({ code: 'ERR_WS_HANDSHAKE', statusCode: 401 });
    expect(error.headers['www-authenticate']).toBe('Basic');
    expect(error.body.toString()).toBe('who?');
    await until(() => (server.sockets[0] as net.Socket).destroyed);
  });

  test.each<[string, (socket: net.Socket, key: string) => void, string]>([
    ['a wrong accept key', (socket) => socket.write(accepted('other')), 'ERR_WS_HANDSHAKE'],
    ['rubbish', (socket) => socket.write('220 mail.example ESMTP\r\n'), 'ERR_WS_HANDSHAKE'],
    [
      'a head without an end',
      (socket) => socket.write(`HTTP/1.1 101 x\r\n${'a: b\r\n'.repeat(4000)}`),
      'ERR_WS_HANDSHAKE',
    ],
    ['the end', (socket) => socket.end(), 'ERR_WS_HANDSHAKE'],
    ['half an answer', (socket, key) => socket.end(accepted(key).slice(0, 50)), 'ERR_WS_HANDSHAKE'],
    [
      'a refusal without a length, and the end',
      (socket) => socket.end('HTTP/1.1 500 Oops\r\n\r\nit broke'),
      'ERR_WS_HANDSHAKE',
    ],
    ['a reset', (socket) => socket.resetAndDestroy(), 'ECONNRESET'],
  ])('rejects when the answer is %s', async (_, answer, code) => {
    const server = await serveRaw(fixture, answer);
    expect(await failureOf(open(fixture, server.url))).toMatchObject({ code });
    await until(() => (server.sockets[0] as net.Socket).destroyed);
  });

  test('rejects when nobody listens', async () => {
    const server = net.createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as net.AddressInfo;
    server.close();
    await once(server, 'close');
    expect(await failureOf(open(fixture, `ws://127.0.0.1:${port}`))).toMatchObject({ code: 'ECONNREFUSED' });
  });

  test('rejects when the answer takes too long', async () => {
    const server = await serveRaw(fixture, () => {});
    const error = await failureOf(open(fixture, server.url, { handshakeTimeoutMs: 50 }));
    expect(error).toMatchObject({ code: 'ERR_CHANNEL_HANDSHAKE_TIMEOUT' });
    await until(() => (server.sockets[0] as net.Socket).destroyed);
  });

  test('shows a refusal whose body does not end in time', async () => {
    const server = await serveRaw(fixture, (socket) => {
      socket.write('HTTP/1.1 503 Busy\r\nContent-Length: 100\r\n\r\nplease ');
    });
    const error = (await failureOf(open(fixture, server.url, { handshakeTimeoutMs: 200 }))) as HandshakeError;
    expect(error).toMatchObject({ statusCode: 503 });
    expect(error.body.toString()).toBe('please ');
  });

  test('gives up when the signal fires', async () => {
    const reason = new Error('changed my mind');
    const controller = new AbortController();
    const server = await serveRaw(fixture, () => controller.abort(reason));
    expect(await failureOf(open(fixture, server.url, { signal: controller.signal }))).toBe(reason);
    await until(() => (server.sockets[0] as net.Socket).destroyed);
    expect(await failureOf(open(fixture, server.url, { signal: controller.signal }))).toBe(reason);
    expect(server.requests).toHaveLength(1);
  });

  test('takes no notice of the signal once it is open', async () => {
    const peer = await servePeer(fixture, echoOf);
    const controller = new AbortController();
    const connection = await open(fixture, peer.url, { signal: controller.signal });
    controller.abort();
    connection.send('still here');
    expect((await connection.messages().next()).value).toBe('still here');
  });

  test('is aborted by what onUpgrade throws', async () => {
    const peer = await servePeer(fixture);
    const boom = new Error('boom');
    const onUpgrade = () => {
      throw boom;
    };
    expect(await failureOf(open(fixture, peer.url, { onUpgrade }))).toBe(boom);
    await until(() => peer.server.clients.size === 0);
  });

  test.each<[object, string]>([
    [{ protocols: ['a', 'a'] }, 'ERR_INVALID_ARG_VALUE'],
    [{ protocols: 'a b' }, 'ERR_INVALID_ARG_VALUE'],
    [{ protocols: 7 }, 'ERR_INVALID_ARG_TYPE'],
    [{ origin: 'a\nb' }, 'ERR_INVALID_ARG_VALUE'],
    [{ headers: { upgrade: 'x' } }, 'ERR_INVALID_ARG_VALUE'],
    [{ redirectsMax: -1 }, 'ERR_OUT_OF_RANGE'],
    [{ handshakeTimeoutMs: 0 }, 'ERR_OUT_OF_RANGE'],
    [{ tls: 'yes' }, 'ERR_INVALID_ARG_TYPE'],
    [{ tcp: null }, 'ERR_INVALID_ARG_TYPE'],
    [{ signal: {} }, 'ERR_INVALID_ARG_TYPE'],
    [{ channel: 7 }, 'ERR_INVALID_ARG_TYPE'],
    [{ onUpgrade: 7 }, 'ERR_INVALID_ARG_TYPE'],
    [{ payloadBytesMax: -1 }, 'ERR_OUT_OF_RANGE'],
  ])('refuses the options %j', async (options, code) => {
    expect(await failureOf(connect('ws://127.0.0.1:1', options))).toMatchObject({ code });
  });

  test('refuses handlers that are none before it dials', async () => {
    const peer = await servePeer(fixture);
    const handlers = { open: 7 as never };
    expect(await failureOf(open(fixture, peer.url, {}, handlers))).toMatchObject({
      code: 'ERR_INVALID_ARG_TYPE',
    });
    expect(peer.sockets).toHaveLength(0);
  });

  test.runIf(pathKind(fixture.backend) === 'unix')('reaches a Unix socket', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'iocp-'));
    fixture.after(() => rmSync(folder, { recursive: true }));
    const path = socketPath(folder, 'a b.sock');
    const server = await serveRaw(fixture, (socket, key) => socket.write(accepted(key)), { path });
    const connection = await open(fixture, `ws+unix:${encodeURI(path)}:/chat`);
    expect(connection.path).toBe('/chat');
    expect(server.requests[0]).toContain('GET /chat HTTP/1.1\r\nHost: localhost\r\n');
  });
});

onEachBackend('redirects', (fixture) => {
  const away = (location: string) =>
    `HTTP/1.1 302 Found\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n`;

  test('are refusals by default', async () => {
    const server = await serveRaw(fixture, (socket) => socket.write(away('/x')));
    expect(await failureOf(open(fixture, server.url))).toMatchObject({ statusCode: 302 });
    expect(server.requests).toHaveLength(1);
  });

  test('are followed as often as allowed', async () => {
    const server = await serveRaw(fixture, (socket, key, request) => {
      socket.write(request.startsWith('GET /3 ') ? accepted(key) : away(`/${server.requests.length}`));
    });
    const options = { redirectsMax: 3, headers: { Authorization: 'secret' } };
    expect((await open(fixture, server.url, options)).path).toBe('/3');
    expect(server.requests.every((request) => request.includes('Authorization: secret'))).toBe(true);
    await until(() => server.sockets.slice(0, 3).every((socket) => socket.destroyed));
    server.requests.length = 0;
    const error = await failureOf(open(fixture, server.url, { ...options, redirectsMax: 2 }));
    expect(error).toMatchObject({ statusCode: 302 });
  });

  test('take no secrets to another origin', async () => {
    const there = await serveRaw(fixture, (socket, key) => socket.write(accepted(key)));
    const here = await serveRaw(fixture, (socket) => socket.write(away(`http://127.0.0.1:${there.port}/`)));
    await open(fixture, here.url.replace('ws://', 'ws://us:pw@'), {
      redirectsMax: 1,
      headers: { Cookie: 'secret', Host: 'here.example', 'X-Other': 'kept' },
    });
    expect(here.requests[0]).toMatch(/Cookie: secret[\s\S]*Authorization: Basic /);
    expect(there.requests[0]).not.toMatch(/authorization|cookie|here\.example/i);
    expect(there.requests[0]).toContain('X-Other: kept');
  });

  test.each(['ws+unix:/run/a.sock', 'file:///etc/passwd', 'http://['])(
    'do not lead to %s',
    async (location) => {
      const server = await serveRaw(fixture, (socket) => socket.write(away(location)));
      const error = await failureOf(open(fixture, server.url, { redirectsMax: 5 }));
      expect(error).toMatchObject({ code: 'ERR_WS_HANDSHAKE', statusCode: 302 });
    },
  );
});

onEachBackend('a channel that is supplied', (fixture) => {
  /** A proxy that opens tunnels (RFC 9110 section 9.3.6). */
  const serveProxy = () =>
    serveRaw(fixture, (socket, _key, request) => {
      const [, port] = /^CONNECT [^:]+:(\d+)/.exec(request) as RegExpExecArray;
      const onward = net.connect(Number(port), '127.0.0.1');
      fixture.after(() => onward.destroy());
      onward.on('error', () => {});
      onward.once('connect', () => {
        socket.write('HTTP/1.1 200 Connected\r\n\r\n');
        socket.pipe(onward).pipe(socket);
      });
    });

  const tunnel =
    (proxyPort: number) =>
    async ({ host, port }: Target, { signal }: { readonly signal: AbortSignal }) => {
      const connection = await connectTcp({
        host: '127.0.0.1',
        port: proxyPort,
        completionPort: fixture.port,
        signal,
      });
      await connection.send(Buffer.from(`CONNECT ${host}:${port} HTTP/1.1\r\n\r\n`));
      expect(String(await connection.read())).toContain('200');
      expect(connection.detach()).toEqual([]);
      return connection.channel;
    };

  test('may be a tunnel through a proxy', async () => {
    const proxy = await serveProxy();
    const peer = await servePeer(fixture, echoOf);
    const connection = await open(fixture, peer.url, { channel: tunnel(proxy.port) });
    connection.send('through');
    expect((await connection.messages().next()).value).toBe('through');
    expect(proxy.requests).toHaveLength(1);
  });

  test('may be a stream', async () => {
    const peer = await servePeer(fixture, echoOf);
    const socket = net.connect(Number(new URL(peer.url).port), '127.0.0.1');
    const connection = await open(fixture, peer.url, { channel: socket });
    connection.send('streamed');
    expect((await connection.messages().next()).value).toBe('streamed');
    await connection.close();
  });

  test('may come too late', async () => {
    const peer = await servePeer(fixture);
    const controller = new AbortController();
    let give: (socket: net.Socket) => void = () => {};
    const channel = () => {
      controller.abort(new Error('no longer'));
      return new Promise<net.Socket>((resolve) => {
        give = resolve;
      });
    };
    const error = await failureOf(open(fixture, peer.url, { channel, signal: controller.signal }));
    expect(error.message).toBe('no longer');
    const late = net.connect(Number(new URL(peer.url).port), '127.0.0.1');
    give(late);
    await once(late, 'close');
  });

  test('is refused when it is none, and what fails to make it is told', async () => {
    const none = () => 7 as never;
    expect(await failureOf(open(fixture, 'ws://a.example', { channel: none }))).toMatchObject({
      code: 'ERR_INVALID_ARG_TYPE',
    });
    const boom = new Error('boom');
    const fails = () => Promise.reject(boom);
    expect(await failureOf(open(fixture, 'ws://a.example', { channel: fails }))).toBe(boom);
  });
});

onEachBackend('wss:', (fixture) => {
  const serveSecure = async () => {
    const server = https.createServer(fixture.certificates.server);
    const peer = new PeerServer({ server });
    peer.on('connection', echoOf);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    fixture.after(async () => {
      for (const socket of peer.clients) socket.terminate();
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    });
    return `wss://localhost:${(server.address() as net.AddressInfo).port}/`;
  };

  const ipv4 = (options = {}) => ({ tcp: { family: 4 as const }, ...options });

  test('is spoken with a server of ws', async () => {
    const url = await serveSecure();
    const { cert: ca } = fixture.certificates.ca;
    for (const secure of [{ ca }, tls({ ca })]) {
      const connection = await open(fixture, url, ipv4({ tls: secure }));
      expect(connection.info.protocols).toEqual(['tcp', 'tls']);
      connection.send('secret');
      expect((await connection.messages().next()).value).toBe('secret');
      expect((await connection.close()).code).toBe(1000);
    }
  });

  test('is refused with a certificate of somebody else', async () => {
    const url = await serveSecure();
    const error = await failureOf(open(fixture, url, ipv4()));
    expect(error.code).toMatch(/UNABLE_TO|SELF_SIGNED/);
    const plain = await servePeer(fixture);
    expect(await failureOf(open(fixture, plain.url.replace('ws:', 'wss:'), ipv4()))).toHaveProperty('code');
  });

  test('never becomes ws: by a redirect', async () => {
    const { cert, key } = fixture.certificates.server;
    const server = https.createServer({ cert, key }, (_request, response) => {
      response.writeHead(302, { Location: 'http://localhost/' }).end();
    });
    server.on('upgrade', (_request, socket) =>
      socket.end('HTTP/1.1 302 Found\r\nLocation: http://localhost/\r\n\r\n'),
    );
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    fixture.after(async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    });
    const url = `wss://localhost:${(server.address() as net.AddressInfo).port}`;
    const options = ipv4({ redirectsMax: 5, tls: { ca: fixture.certificates.ca.cert } });
    const error = await failureOf(connect(url, on(fixture, options)));
    expect(error.message).toContain('from TLS to plain text');
  });
});
