/** What `ws` does, on Node's sockets and on ours. */

import { once } from 'node:events';
import { createServer, type IncomingMessage, request } from 'node:http';
import {
  type AddressInfo,
  createServer as createNetServer,
  connect as netConnect,
  type Socket,
} from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import type { WebSocketServer as WsServer } from 'ws';
import { resetRetries } from '../../../../system.shared.js';
import { deadlineMs, echo, next, onEach, type Scene, urlOf } from './scene.js';

const portOf = (server: WsServer) => (server.address() as AddressInfo).port;

/** What a request on the same port gets. */
async function answerTo(server: WsServer, headers: Record<string, string> = {}, method = 'GET') {
  const asked = request({ port: portOf(server), host: '127.0.0.1', headers, method, agent: false });
  asked.end();
  const [response] = (await next(asked, 'response')) as [IncomingMessage];
  return { status: response.statusCode, headers: response.headers, body: await text(response) };
}

/** A peer that has done the handshake and then sends what it likes. */
async function rawPeer(scene: Scene, server: WsServer): Promise<Socket> {
  const socket = netConnect(portOf(server), '127.0.0.1');
  scene.after(() => socket.destroy());
  socket.on('error', () => {});
  socket.write(
    'GET / HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  );
  await once(socket, 'data');
  return socket;
}

onEach('messages', (scene) => {
  test('text, bytes, nothing and much come back, in order', async () => {
    const socket = await scene.open(echo(await scene.serve()));
    const large = Buffer.alloc(1 << 20, 'large ');
    const sent = ['text', Buffer.from([0, 1, 255]), '', Buffer.alloc(0), 'ä€😀', large, 'last'];
    const received: (string | Buffer)[] = [];
    const all = new Promise<void>((resolve) => {
      socket.on('message', (data, binary) => {
        received.push(binary ? (data as Buffer) : data.toString());
        if (received.length === sent.length) resolve();
      });
    });
    for (const data of sent) socket.send(data);
    await all;
    expect(received.map(String)).toEqual(sent.map(String));
    expect(received.map((data) => typeof data)).toEqual(sent.map((data) => typeof data));
  });

  test('compressed ones', async () => {
    const server = echo(await scene.serve({ perMessageDeflate: { threshold: 0 } }));
    const socket = await scene.open(server);
    expect(socket.extensions).toContain('permessage-deflate');
    for (const message of ['short', 'long '.repeat(50_000)]) {
      socket.send(message);
      expect(String((await next(socket, 'message'))[0])).toBe(message);
    }
  });

  test('a message longer than maxPayload is refused with 1009', async () => {
    const socket = await scene.open(echo(await scene.serve({ maxPayload: 1000 })));
    socket.send(Buffer.alloc(1001));
    expect((await next(socket, 'close'))[0]).toBe(1009);
  });

  test('fragments become one message', async () => {
    const socket = await scene.open(echo(await scene.serve()));
    socket.send('in ', { fin: false });
    socket.send('two parts', { fin: true });
    expect(String((await next(socket, 'message'))[0])).toBe('in two parts');
  });

  test('pings are answered', async () => {
    const server = await scene.serve();
    const accepted = next(server, 'connection');
    const client = await scene.open(server);
    const [served] = (await accepted) as [typeof client];
    const pong = next(served, 'pong');
    served.ping('are you there');
    expect(String((await pong)[0])).toBe('are you there');
    client.ping();
    await next(client, 'pong');
  });

  test('as a stream', { timeout: deadlineMs }, async () => {
    const server = await scene.serve();
    server.on('connection', (socket) => {
      const stream = scene.module.createWebSocketStream(socket);
      stream.pipe(stream);
    });
    const stream = scene.module.createWebSocketStream(await scene.open(server), { encoding: 'utf8' });
    const sent = 'much of it '.repeat(100_000);
    stream.end(sent);
    expect(await text(stream)).toBe(sent);
  });

  test('a sender waits for a reader who pauses', async () => {
    const server = await scene.serve();
    const accepted = next(server, 'connection');
    const client = await scene.open(server);
    const [served] = (await accepted) as [typeof client];
    client.pause();
    const chunk = Buffer.alloc(1 << 20);
    for (let sent = 0; sent < 32; sent += 1) served.send(chunk);
    expect(served.bufferedAmount).toBeGreaterThan(0);
    let received = 0;
    client.on('message', (data) => (received += (data as Buffer).length));
    client.resume();
    served.close();
    await next(client, 'close');
    expect(received).toBe(32 * chunk.length);
    expect(served.bufferedAmount).toBe(0);
  });
});

onEach('the end', (scene) => {
  test.each([
    [undefined, undefined, 1005, ''],
    [1000, 'done', 1000, 'done'],
    [4321, 'own words', 4321, 'own words'],
  ])('close(%s, %s) is heard by both', async (code, reason, heard, text) => {
    const server = await scene.serve();
    const accepted = next(server, 'connection');
    const client = await scene.open(server);
    const [served] = (await accepted) as [typeof client];
    const both = [next(client, 'close'), next(served, 'close')];
    served.close(code, reason);
    for (const closed of both) expect((await closed).map(String)).toEqual([String(heard), text]);
    expect(server.clients.size).toBe(0);
  });

  test('terminate() leaves the other with 1006', async () => {
    const server = await scene.serve();
    const accepted = next(server, 'connection');
    const client = await scene.open(server);
    const [served] = (await accepted) as [typeof client];
    served.on('error', () => {});
    client.terminate();
    expect((await next(served, 'close'))[0]).toBe(1006);
  });

  test.each([
    ['a frame without a mask', [0x81, 0x01, 0x61], 1002],
    ['an opcode that means nothing', [0x83, 0x80, 0, 0, 0, 0], 1002],
    ['text that is no UTF-8', [0x81, 0x81, 0, 0, 0, 0, 0xff], 1007],
  ])('a peer that sends %s hears why not', async (_, frame, code) => {
    const server = await scene.serve();
    const accepted = next(server, 'connection');
    const peer = await rawPeer(scene, server);
    const [served] = (await accepted) as [import('ws').WebSocket];
    const failed = next(served, 'error');
    const closed = new Promise((resolve) => served.once('close', resolve));
    peer.write(Buffer.from(frame));
    const [answer] = (await once(peer, 'data')) as [Buffer];
    expect(answer.readUInt16BE(2)).toBe(code);
    expect((await failed)[0]).toHaveProperty('code', expect.stringMatching(/^WS_ERR_/));
    peer.end();
    await closed;
  });

  test('a peer that is gone in the middle of a message', { retry: resetRetries }, async () => {
    const server = await scene.serve();
    const accepted = next(server, 'connection');
    const peer = await rawPeer(scene, server);
    const [served] = (await accepted) as [import('ws').WebSocket];
    served.on('error', () => {});
    const closed = next(served, 'close');
    peer.write(Buffer.from([0x81, 0x85, 0, 0, 0, 0, 0x61]));
    peer.resetAndDestroy();
    expect((await closed)[0]).toBe(1006);
  });

  test('close() of the server takes no more, and waits for those that are there', async () => {
    const server = await scene.serve();
    const url = urlOf(server);
    const client = await scene.open(server);
    let closed = false;
    const done = new Promise<void>((resolve) =>
      server.close(() => {
        closed = true;
        resolve();
      }),
    );
    const late = scene.dial(url);
    // Ours gives the system its socket back a moment later, and resets what came in between.
    const refused = expect.stringMatching(scene.isWs ? /^ECONNREFUSED$/ : /^ECONN(REFUSED|RESET)$/);
    expect((await next(late, 'error'))[0]).toHaveProperty('code', refused);
    expect(closed).toBe(false);
    client.close();
    await done;
    await expect(new Promise((_, reject) => server.close((error) => reject(error)))).rejects.toThrow(
      'not running',
    );
  });
});

onEach('a server', (scene) => {
  test('says where it listens, and nothing after', async () => {
    const server = await scene.serve();
    expect(server.address()).toEqual({ address: '127.0.0.1', family: 'IPv4', port: expect.any(Number) });
    server.close();
    expect(server.address()).toBeNull();
    await next(server, 'close');
  });

  test('emits why it cannot listen', async () => {
    const { WebSocketServer } = scene.module;
    const taken = portOf(await scene.serve());
    const options = { port: taken, host: '127.0.0.1', completionPort: scene.port };
    const [error] = await next(new WebSocketServer(options), 'error');
    expect(error).toMatchObject({ code: 'EADDRINUSE', syscall: expect.any(String), port: taken });
    expect(() => new WebSocketServer({ port: 65_536 })).toThrow(
      expect.objectContaining({ code: 'ERR_SOCKET_BAD_PORT' }),
    );
    expect(() => new WebSocketServer({})).toThrow(TypeError);
  });

  test('closed before it listens, it never does', async () => {
    const { WebSocketServer } = scene.module;
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', completionPort: scene.port } as object);
    server.once('listening', () => expect.unreachable());
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });

  test('calls back when it listens', async () => {
    const { WebSocketServer } = scene.module;
    const options = { port: 0, host: '127.0.0.1', completionPort: scene.port };
    await new Promise<void>((resolve) => {
      const server = new WebSocketServer(options as object, () => {
        server.close();
        resolve();
      });
    });
  });

  test('answers what is no WebSocket', async () => {
    const verifyClient = ({ origin }: { origin: string }) => origin !== 'http://bad';
    const server = await scene.serve({ path: '/here', verifyClient });
    const upgrade = { connection: 'upgrade', upgrade: 'websocket' };
    const complete = {
      ...upgrade,
      'sec-websocket-version': '13',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    };
    expect(await answerTo(server)).toMatchObject({ status: 426, body: 'Upgrade Required' });
    expect(await answerTo(server, upgrade)).toMatchObject({ status: 400 });
    expect(await answerTo(server, complete)).toMatchObject({ status: 400 });
    const refused = scene.dial(`${urlOf(server)}/here`, { origin: 'http://bad' });
    const [, response] = (await next(refused, 'unexpected-response')) as [unknown, IncomingMessage];
    expect(response.statusCode).toBe(401);
  });

  test('chooses a protocol, and adds headers', async () => {
    const server = await scene.serve({ handleProtocols: (offered) => [...offered][1] ?? false });
    server.on('headers', (headers) => headers.push('X-Said: hello'));
    const accepted = next(server, 'connection');
    const client = scene.dial(server, {}, ['one', 'two']);
    const [response] = (await next(client, 'upgrade')) as [IncomingMessage];
    expect(response.headers['x-said']).toBe('hello');
    const [served] = (await accepted) as [typeof client];
    expect([client.protocol, served.protocol]).toEqual(['two', 'two']);
  });

  test('of its own sockets are those of the module', async () => {
    const server = await scene.serve();
    const accepted = next(server, 'connection');
    await scene.open(server);
    const [served, asked] = (await accepted) as [import('ws').WebSocket, IncomingMessage];
    expect(served).toBeInstanceOf(scene.module.WebSocket);
    expect(server.clients.has(served)).toBe(true);
    expect(asked.socket.remoteAddress).toBe('127.0.0.1');
  });

  test('with an http.Server of yours', async () => {
    const http = createServer((_, response) => response.end('plain'));
    scene.after(() => http.close());
    http.listen(0, '127.0.0.1');
    await next(http, 'listening');
    const server = echo(await scene.serve({ server: http }));
    const client = await scene.open(server);
    client.send('over it');
    expect(String((await next(client, 'message'))[0])).toBe('over it');
    expect((await answerTo(server)).body).toBe('plain');
  });

  test('without a server, by handleUpgrade', async () => {
    const server = await scene.serve({ noServer: true });
    const http = createServer();
    scene.after(() => http.close());
    http.on('upgrade', (asked, socket, head) => {
      server.handleUpgrade(asked, socket, head, (upgraded) => upgraded.send('welcome'));
    });
    http.listen(0, '127.0.0.1');
    await next(http, 'listening');
    const client = scene.dial(`ws://127.0.0.1:${(http.address() as AddressInfo).port}`);
    expect(String((await next(client, 'message'))[0])).toBe('welcome');
  });
});

onEach('a client', (scene) => {
  test('is refused by nobody', async () => {
    const server = await scene.serve();
    const url = urlOf(server);
    server.close();
    await next(server, 'close');
    const client = scene.dial(url);
    const [error] = await next(client, 'error');
    expect(error).toMatchObject({ code: 'ECONNREFUSED' });
    expect(client.readyState).toBe(client.CLOSED);
  });

  test('gives up after handshakeTimeout, and when told', async () => {
    const silent = createNetServer().listen(0, '127.0.0.1');
    await next(silent, 'listening');
    const peers: Socket[] = [];
    silent.on('connection', (peer) => peers.push(peer.on('error', () => {})));
    scene.after(() => {
      for (const peer of peers) peer.destroy();
      silent.close();
    });
    const url = `ws://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const patient = scene.dial(url, { handshakeTimeout: 50 });
    expect(String((await next(patient, 'error'))[0])).toContain('timed out');
    const stopped = scene.dial(url);
    stopped.close();
    expect(String((await next(stopped, 'error'))[0])).toContain('closed before');
  });

  test('follows redirects', async () => {
    const server = echo(await scene.serve());
    const elsewhere = createServer((_, response) => {
      response.writeHead(302, { location: urlOf(server) }).end();
    });
    scene.after(() => elsewhere.close());
    elsewhere.listen(0, '127.0.0.1');
    await next(elsewhere, 'listening');
    const url = `ws://127.0.0.1:${(elsewhere.address() as AddressInfo).port}`;
    const client = await scene.open(url, { followRedirects: true });
    expect(client.url).toBe(`${urlOf(server)}/`);
  });

  test('asks its own lookup for a name', async () => {
    const server = await scene.serve();
    const asked: string[] = [];
    const lookup = (host: string, { all }: { all?: boolean }, done: (...args: unknown[]) => void) => {
      asked.push(host);
      if (all) done(null, [{ address: '127.0.0.1', family: 4 }]);
      else done(null, '127.0.0.1', 4);
    };
    await scene.open(`ws://name.test:${portOf(server)}`, { lookup } as object);
    expect(asked).toEqual(['name.test']);
  });

  test('has the events and constants of the standard', async () => {
    const server = echo(await scene.serve());
    const client = scene.dial(server);
    const opened = new Promise((resolve) => (client.onopen = resolve));
    await opened;
    const event = new Promise<{ data: unknown }>((resolve) => (client.onmessage = resolve));
    client.binaryType = 'arraybuffer';
    client.send(new Uint8Array([1, 2]));
    expect((await event).data).toEqual(new Uint8Array([1, 2]).buffer);
    expect(scene.module.WebSocket.OPEN).toBe(1);
  });
});
