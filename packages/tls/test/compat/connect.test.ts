/** From `connect` to `'secureConnect'`, or to an error. */

import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PeerCertificate } from 'node:tls';
import { expect, test } from 'vitest';
import { pathKind, underWine } from '../../../../system.shared.js';
import {
  closed,
  closeOf,
  echo,
  type Module,
  nextCode,
  nextText,
  onEachModule,
  pair,
  type Scene,
  type Served,
  type Socket,
  textOf,
  thrown,
} from './support.js';

/** Connects with arguments of any form. */
const connect = (module: Module, args: readonly unknown[]) =>
  (module.connect as (...all: unknown[]) => Socket)(...args);

/** A TCP server that does as told with its connections. */
async function serveNet(scene: Scene, onConnection: (socket: net.Socket) => void): Promise<number> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
    onConnection(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  scene.after(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  return (server.address() as AddressInfo).port;
}

/** A port where nobody listens. */
async function deadPort(scene: Scene): Promise<number> {
  const { server, port } = await scene.serve();
  await closed(server);
  return port;
}

onEachModule('connecting', (scene) => {
  const tls = (port: number) => ({
    port,
    host: '127.0.0.1',
    servername: 'localhost',
    ca: scene.certificates.ca.cert,
  });

  const forms: readonly (readonly [string, (port: number) => unknown[]])[] = [
    ['(options)', (port) => [tls(port)]],
    ['(port, options)', (port) => [port, tls(port)]],
    [
      '(port, host, options)',
      (port) => [port, '127.0.0.1', { servername: 'localhost', ca: scene.certificates.ca.cert }],
    ],
    ['(port as text, options)', (port) => [String(port), { ...tls(port) }]],
  ];
  test.each(forms)('connect%s', async (_form, argumentsFor) => {
    const { port } = await scene.serve({}, echo);
    const self = await new Promise<unknown>((resolve) => {
      const socket = connect(scene.tls, [
        ...argumentsFor(port),
        function (this: unknown) {
          resolve(this);
        },
      ]);
      scene.after(() => socket.destroy());
    });
    const socket = self as Socket;
    expect(socket.authorized).toBe(true);
    socket.end('hello');
    expect(await textOf(socket)).toBe('hello');
  });

  test.runIf(pathKind(scene.backend) === 'unix')('connect(path, options)', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'iocp-'));
    scene.after(() => rmSync(folder, { recursive: true }));
    const path = join(folder, 'socket');
    const { cert, key } = scene.certificates.server;
    const server = scene.tls.createServer({ cert, key }, echo);
    await new Promise<void>((resolve) => server.listen(path, resolve));
    scene.after(() => closed(server));
    expect(server.address()).toBe(path);
    const socket = connect(scene.tls, [path, { ca: scene.certificates.ca.cert }]);
    await once(socket, 'secureConnect');
    socket.end('through a path');
    expect(await textOf(socket)).toBe('through a path');
  });

  test('what is told before, between and after', async () => {
    const served = await scene.serve({}, echo);
    const log: string[] = [];
    const lookup: net.LookupFunction = (host, options, callback) => {
      log.push(`asked for ${host}`);
      const { all } = options;
      process.nextTick(() => {
        if (all) callback(null, [{ address: '127.0.0.1', family: 4 }]);
        else callback(null, '127.0.0.1', 4);
      });
    };
    const socket = scene.dial(served, { host: 'localhost', lookup });
    const state = () => `${socket.connecting} ${socket.pending} ${socket.readyState}`;
    for (const event of ['lookup', 'connect', 'ready', 'secureConnect', 'end', 'close']) {
      socket.on(event, () => log.push(`${event}: ${state()}`));
    }
    expect(state()).toBe('true true opening');
    expect(socket.encrypted).toBe(true);
    expect(socket.authorized).toBe(false);
    expect(socket.authorizationError).toBeNull();
    expect(socket.alpnProtocol).toBeNull();
    expect(socket.isSessionReused()).toBe(false);
    await once(socket, 'secureConnect');
    expect(socket.authorized).toBe(true);
    expect(socket.authorizationError).toBeNull();
    expect(socket.alpnProtocol).toBe(false);
    expect(socket.getProtocol()).toBe('TLSv1.3');
    expect(socket.remotePort).toBe(served.port);
    expect(socket.remoteAddress).toBe('127.0.0.1');
    expect(socket.remoteFamily).toBe('IPv4');
    expect(socket.localAddress).toBe('127.0.0.1');
    expect(socket.address()).toEqual({ address: '127.0.0.1', family: 'IPv4', port: socket.localPort });
    socket.resume().end();
    await once(socket, 'close');
    expect(log).toEqual([
      'asked for localhost',
      'lookup: true true opening',
      'connect: false false open',
      'ready: false false open',
      'secureConnect: false false open',
      'end: false false closed',
      'close: false true closed',
    ]);
  });

  test('what is written and ended before is sent then', async () => {
    const served = await scene.serve({}, echo);
    const socket = scene.dial(served);
    socket.setNoDelay(true);
    // Wine has no times of keep-alive: the addon says so, and libuv does not connect then.
    if (!underWine) socket.setKeepAlive(true, 5000);
    socket.write('one ');
    socket.write('two ');
    socket.end('three');
    expect(await textOf(socket)).toBe('one two three');
  });

  test('a megabyte there and back', async () => {
    const served = await scene.serve({}, echo);
    const socket = await scene.connected(served);
    const sent = Buffer.alloc(1_000_000, 'abcdefghij');
    socket.end(sent);
    const received: Buffer[] = [];
    for await (const chunk of socket) received.push(chunk);
    expect(Buffer.concat(received).equals(sent)).toBe(true);
    expect(socket.bytesWritten).toBe(sent.length);
    expect(socket.bytesRead).toBeGreaterThanOrEqual(sent.length);
  });

  test('nobody listens', async () => {
    const port = await deadPort(scene);
    const socket = scene.dial(port);
    const closing = closeOf(socket);
    const error = await new Promise((resolve) => socket.once('error', resolve));
    expect(error).toMatchObject({ code: 'ECONNREFUSED', syscall: 'connect', address: '127.0.0.1', port });
    await closing;
    expect(socket.destroyed).toBe(true);
  });

  const refusals = [
    ['itself vouches for it', 'selfSigned', 'DEPTH_ZERO_SELF_SIGNED_CERT'],
    ['nobody known does', 'unknownIssuer', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    ['its time is over', 'expired', 'CERT_HAS_EXPIRED'],
    ['its time has not begun', 'notYetValid', 'CERT_NOT_YET_VALID'],
    ['it is for another host', 'otherHost', 'ERR_TLS_CERT_ALTNAME_INVALID'],
  ] as const;
  test.each(refusals)('a certificate is refused when %s', async (_why, which, code) => {
    const { cert, key } = scene.certificates[which];
    const served = await scene.serve({ cert, key }, echo);
    served.server.on('tlsClientError', () => {});
    const refused = scene.dial(served);
    expect(await nextCode(refused)).toBe(code);
    expect(refused.authorized).toBe(false);
    const taken = await scene.connected(served, { rejectUnauthorized: false });
    expect(taken.authorized).toBe(false);
    expect(taken.authorizationError).toBe(code);
    taken.end('anyway');
    expect(await textOf(taken)).toBe('anyway');
  });

  test('the name of the certificate is that of the host, when none is asked for', async () => {
    const served = await scene.serve({}, echo);
    const seen: string[] = [];
    const checkServerIdentity = (host: string, certificate: PeerCertificate) => {
      seen.push(`${host}: ${certificate.subjectaltname}`);
      return undefined;
    };
    await scene.connected(served, { servername: undefined, checkServerIdentity });
    await scene.connected(served, { servername: 'a.test', checkServerIdentity });
    const names = expect.stringContaining('DNS:localhost, IP Address:127.0.0.1');
    expect(seen).toHaveLength(2);
    expect(seen[0]).toMatch(/^127\.0\.0\.1: /);
    expect(seen[1]).toMatch(/^a\.test: /);
    expect(seen[0]).toEqual(names);
    // Without a check of one's own the address is looked for among the names.
    const plain = await scene.connected(served, { servername: undefined });
    expect(plain.authorized).toBe(true);
  });

  test('what checkServerIdentity returns is the error', async () => {
    const served = await scene.serve({}, echo);
    const reason = Object.assign(new Error('not to my taste'), { code: 'ERR_TASTE' });
    const refused = scene.dial(served, { checkServerIdentity: () => reason });
    const [error] = await new Promise<unknown[]>((resolve) =>
      refused.once('error', (...all) => resolve(all)),
    );
    expect(error).toBe(reason);
    const taken = await scene.connected(served, {
      checkServerIdentity: () => reason,
      rejectUnauthorized: false,
    });
    expect(taken.authorizationError).toBe('ERR_TASTE');
  });

  test('a server that hangs up', async () => {
    const port = await serveNet(scene, (socket) => socket.end());
    const socket = scene.dial(port);
    const error = await new Promise<Error>((resolve) => socket.once('error', resolve));
    expect(error).toMatchObject({
      code: 'ECONNRESET',
      message: 'Client network socket disconnected before secure TLS connection was established',
    });
  });

  test('a server that speaks something else', async () => {
    const port = await serveNet(scene, (socket) => socket.write('220 mail.test ESMTP\r\n'));
    const socket = scene.dial(port);
    expect(await nextCode(socket)).toMatch(/^ERR_SSL_/);
  });

  test('destroyed before it is connected, and before it is secure', async () => {
    const served = await scene.serve();
    const early = scene.dial(served);
    early.destroy();
    await once(early, 'close');
    const log: string[] = [];
    const late = scene.dial(served);
    late.on('secureConnect', () => log.push('secureConnect')).on('error', () => log.push('error'));
    await once(late, 'connect');
    late.destroy();
    await once(late, 'close');
    expect(log).toEqual([]);
  });

  test('a signal ends it, before and after', async () => {
    const served = await scene.serve();
    const first = new AbortController();
    const early = scene.dial(served, { signal: first.signal });
    const failed = new Promise<Error>((resolve) => early.once('error', resolve));
    first.abort();
    expect(await failed).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR' });
    const second = new AbortController();
    const late = await scene.connected(served, { signal: second.signal });
    const failedLate = new Promise<Error>((resolve) => late.once('error', resolve));
    second.abort();
    expect(await failedLate).toMatchObject({ name: 'AbortError' });
  });

  test('timeout tells of silence', async () => {
    const port = await serveNet(scene, () => {});
    const socket = scene.dial(port, { timeout: 30 });
    await once(socket, 'timeout');
    expect(socket.destroyed).toBe(false);
    expect(socket.timeout).toBe(30);
  });

  test('ways not to call it', () => {
    const wrong = (...args: unknown[]) => thrown(() => connect(scene.tls, args));
    expect(wrong({ port: 65_536 })).toEqual({ kind: 'RangeError', code: 'ERR_SOCKET_BAD_PORT' });
    expect(wrong({ port: 'x'.repeat(3) })).toEqual({ kind: 'RangeError', code: 'ERR_SOCKET_BAD_PORT' });
    expect(wrong({ port: {} })).toEqual({ kind: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
    expect(wrong({})).toEqual({ kind: 'TypeError', code: 'ERR_MISSING_ARGS' });
    expect(wrong({ port: 1, ciphers: 5 })).toEqual({ kind: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
    expect(wrong({ port: 1, minVersion: 'x' })).toEqual({
      kind: 'TypeError',
      code: 'ERR_TLS_INVALID_PROTOCOL_VERSION',
    });
    expect(wrong({ port: 1, ciphers: 'nothing-like-it' })).toEqual({
      kind: 'Error',
      code: 'ERR_SSL_NO_CIPHER_MATCH',
    });
    expect(wrong({ port: 1, enableTrace: 5 })).toEqual({ kind: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
  });
});

onEachModule('ending', (scene) => {
  test('end, and the other side ends as well', async () => {
    const served = await scene.serve();
    const [client, server] = await pair(scene, served);
    server.resume();
    client.resume().end();
    await Promise.all([once(client, 'close'), once(server, 'close')]);
    expect(client.readableEnded && client.writableFinished).toBe(true);
    expect(server.readableEnded && server.writableFinished).toBe(true);
  });

  test('allowHalfOpen leaves our side open', async () => {
    const served = await scene.serve({}, (socket) => socket.end('bye'));
    const client = await scene.connected(served, { allowHalfOpen: true });
    expect(client.allowHalfOpen).toBe(true);
    expect(await textOf(client)).toBe('bye');
    expect(client.writable).toBe(true);
    client.end();
    await once(client, 'close');
  });

  test('an end without a close_notify is an end', async () => {
    const served = await scene.serve();
    const raw = net.connect({ port: served.port, host: '127.0.0.1', allowHalfOpen: true });
    const accepting = once(served.server, 'secureConnection');
    const client = scene.dial(served, { socket: raw });
    await once(client, 'secureConnect');
    const [server] = (await accepting) as [Socket];
    server.resume();
    raw.end();
    await once(server, 'end');
    await once(server, 'close');
  });

  test('destroy with an error', async () => {
    const served = await scene.serve();
    const [client, server] = await pair(scene, served);
    server.resume().on('error', () => {});
    const ending = closeOf(server);
    const failure = new Error('enough');
    const failed = new Promise((resolve) => client.once('error', resolve));
    client.destroy(failure);
    expect(await failed).toBe(failure);
    await ending;
  });

  test('backpressure: write says false, and drain follows', async () => {
    const served = await scene.serve();
    const [client, server] = await pair(scene, served);
    let written = 0;
    const chunk = Buffer.alloc(256 * 1024, 1);
    while (client.write(chunk)) written += chunk.length;
    written += chunk.length;
    expect(client.writableNeedDrain).toBe(true);
    let read = 0;
    server.on('data', (data) => (read += data.length));
    await once(client, 'drain');
    client.end();
    await once(server, 'end');
    expect(read).toBe(written);
  });

  test('pause and resume', async () => {
    const served = await scene.serve({}, (socket) => socket.end('later'));
    const client = await scene.connected(served);
    const texts: string[] = [];
    client.pause();
    client.on('data', (data) => texts.push(data.toString()));
    await new Promise((resolve) => setImmediate(resolve));
    expect(texts).toEqual([]);
    client.resume();
    await once(client, 'end');
    expect(texts).toEqual(['later']);
  });

  test('setEncoding', async () => {
    const served: Served = await scene.serve({}, (socket) => socket.end('hé'));
    const client = await scene.connected(served);
    client.setEncoding('utf8');
    expect(await nextText(client)).toBe('hé');
  });
});
