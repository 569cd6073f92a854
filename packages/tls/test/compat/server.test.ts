/** Servers: from `listen` to `'close'`, and what they tell of. */

import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { duplexPair } from 'node:stream';
import { expect, test } from 'vitest';
import {
  closed,
  closeOf,
  echo,
  nextSocket,
  onEachModule,
  pair,
  type Server,
  type Socket,
  textOf,
  thrown,
} from './support.js';

onEachModule('listening', (scene) => {
  /** A server that is closed after the test. */
  const server = (options?: object, listener?: (socket: Socket) => void): Server => {
    const { cert, key } = scene.certificates.server;
    const made = scene.tls.createServer({ cert, key, ...options }, listener);
    scene.after(() => closed(made));
    return made;
  };

  const forms: readonly (readonly [string, readonly unknown[]])[] = [
    ['()', []],
    ['(port)', [0]],
    ['(port, host)', [0, '127.0.0.1']],
    ['(port, host, backlog)', [0, '127.0.0.1', 10]],
    ['(port, backlog)', [0, 10]],
    ['(options)', [{ port: 0, host: '127.0.0.1', backlog: 5, exclusive: true }]],
    ['({ port: undefined })', [{ port: undefined }]],
    ['(undefined, host)', [undefined, '127.0.0.1']],
  ];
  test.each(forms)('listen%s', async (_form, args) => {
    const made = server();
    expect(made.listening).toBe(false);
    expect(made.address()).toBeNull();
    const self = await new Promise((resolve) => {
      (made.listen as (...all: unknown[]) => unknown).call(made, ...args, function (this: unknown) {
        resolve(this);
      });
    });
    expect(self).toBe(made);
    expect(made.listening).toBe(true);
    const isLocal = JSON.stringify(args).includes('127');
    const address = made.address() as AddressInfo;
    expect(address.port).toBeGreaterThan(0);
    if (isLocal) expect(address).toEqual({ address: '127.0.0.1', family: 'IPv4', port: address.port });
    else expect(address.family).toMatch(/^IPv[46]$/);
  });

  test('ways not to listen', () => {
    expect(thrown(() => server().listen({ port: -1 }))).toEqual({
      kind: 'RangeError',
      code: 'ERR_SOCKET_BAD_PORT',
    });
    expect(thrown(() => server().listen({}))).toEqual({ kind: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' });
    expect(thrown(() => server().listen({ path: 5 as unknown as string }))).toMatchObject({
      kind: 'TypeError',
    });
    const twice = server();
    twice.listen(0);
    expect(thrown(() => twice.listen(0))).toEqual({ kind: 'Error', code: 'ERR_SERVER_ALREADY_LISTEN' });
  });

  test('a port in use', async () => {
    const { port } = await scene.serve();
    const second = server();
    second.listen(port, '127.0.0.1');
    const [error] = await new Promise<unknown[]>((resolve) => second.once('error', (...all) => resolve(all)));
    expect(error).toMatchObject({ code: 'EADDRINUSE', syscall: 'listen', address: '127.0.0.1', port });
    expect(second.listening).toBe(false);
    second.listen(0, '127.0.0.1');
    await once(second, 'listening');
  });

  test('closing waits for connections, and tells once', async () => {
    const served = await scene.serve();
    const [client, accepted] = await pair(scene, served);
    const log: string[] = [];
    served.server.on('close', () => log.push('close'));
    served.server.close((error) => log.push(`callback ${error}`));
    expect(served.server.listening).toBe(false);
    await new Promise((resolve) => setImmediate(resolve));
    expect(log).toEqual([]);
    const ended = once(served.server, 'close');
    accepted.resume();
    client.resume().end();
    await ended;
    expect(log).toEqual(['close', 'callback undefined']);
  });

  test('closing what does not run', async () => {
    const made = server();
    const error = await new Promise<Error | undefined>((resolve) => made.close(resolve));
    expect(error).toMatchObject({ code: 'ERR_SERVER_NOT_RUNNING' });
  });

  test('it can listen again', async () => {
    const made = server({}, echo);
    for (let round = 0; round < 2; round++) {
      made.listen(0, '127.0.0.1');
      await once(made, 'listening');
      const socket = await scene.connected((made.address() as AddressInfo).port);
      socket.end(`round ${round}`);
      expect(await textOf(socket)).toBe(`round ${round}`);
      await closed(made);
    }
  });

  test('a signal closes it', async () => {
    const controller = new AbortController();
    const made = server();
    made.listen({ port: 0, host: '127.0.0.1', signal: controller.signal });
    await once(made, 'listening');
    controller.abort();
    await once(made, 'close');
  });

  test('getConnections, maxConnections and drop', async () => {
    const served = await scene.serve();
    const count = () =>
      new Promise<number>((resolve, reject) =>
        served.server.getConnections((error, number) => (error ? reject(error) : resolve(number))),
      );
    expect(await count()).toBe(0);
    await pair(scene, served);
    expect(await count()).toBe(1);
    served.server.maxConnections = 1;
    const dropped = once(served.server, 'drop');
    const refused = scene.dial(served);
    refused.on('error', () => {});
    const closing = closeOf(refused);
    await dropped;
    await closing;
  });

  test('listeners and options of other forms', () => {
    const listener = () => {};
    expect(scene.tls.createServer(listener).listeners('secureConnection')).toEqual([listener]);
    expect(scene.tls.createServer({}, listener).listeners('secureConnection')).toEqual([listener]);
    const wrong = (options: unknown) => thrown(() => scene.tls.createServer(options as object));
    expect(wrong(5)).toEqual({ kind: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
    expect(wrong({ handshakeTimeout: 'long' })).toEqual({ kind: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
    expect(wrong({ SNICallback: 5 })).toEqual({ kind: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
    expect(wrong({ ticketKeys: Buffer.alloc(5) })).toEqual({
      kind: 'TypeError',
      code: 'ERR_INVALID_ARG_VALUE',
    });
    expect(wrong({ cert: 5 })).toEqual({ kind: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
    expect(wrong({ ALPNProtocols: ['a'], ALPNCallback: () => undefined })).toEqual({
      kind: 'TypeError',
      code: 'ERR_TLS_ALPN_CALLBACK_WITH_PROTOCOLS',
    });
    const { cert } = scene.certificates.server;
    const { key } = scene.certificates.client;
    expect(wrong({ cert, key }).code).toBe('ERR_OSSL_X509_KEY_VALUES_MISMATCH');
  });
});

onEachModule('accepting', (scene) => {
  test('the socket of a connection', async () => {
    const served = await scene.serve();
    const [client, server] = await pair(scene, served);
    expect(server).toBeInstanceOf(scene.tls.TLSSocket);
    expect(server.encrypted).toBe(true);
    expect(server.authorized).toBe(false);
    expect(server.authorizationError).toBeNull();
    expect((server as unknown as { servername: unknown }).servername).toBe('localhost');
    expect(server.remotePort).toBe(client.localPort);
    expect(server.localPort).toBe(served.port);
    expect(server.getPeerCertificate()).toEqual({});
    expect(server.getProtocol()).toBe('TLSv1.3');
  });

  test('connection comes before, with what is below', async () => {
    const served = await scene.serve({}, echo);
    const log: string[] = [];
    let remotePort: number | undefined;
    served.server.on('connection', (socket: net.Socket) => {
      remotePort = socket.remotePort;
      log.push('connection');
    });
    served.server.on('secureConnection', (socket) => log.push(`secureConnection ${socket.allowHalfOpen}`));
    const client = await scene.connected(served);
    expect(remotePort).toBe(client.localPort);
    client.end('hello');
    expect(await textOf(client)).toBe('hello');
    expect(log).toEqual(['connection', 'secureConnection false']);
  });

  test('a stream that something else accepted', async () => {
    const { cert, key } = scene.certificates.server;
    const server = scene.tls.createServer({ cert, key }, echo);
    const [near, far] = duplexPair();
    server.emit('connection', far);
    const client = scene.dial(0, { socket: near });
    await once(client, 'secureConnect');
    client.end('in memory');
    expect(await textOf(client)).toBe('in memory');
  });

  test('a client that says nothing is told of', async () => {
    const served = await scene.serve({ handshakeTimeout: 50 });
    const failed = once(served.server, 'tlsClientError');
    const raw = net.connect(served.port, '127.0.0.1').on('error', () => {});
    const closing = closeOf(raw as Socket);
    raw.resume();
    const [error, socket] = await failed;
    expect(error).toMatchObject({ code: 'ERR_TLS_HANDSHAKE_TIMEOUT' });
    expect(socket).toBeInstanceOf(scene.tls.TLSSocket);
    (socket as Socket).destroy();
    await closing;
  });

  test('a client that hangs up', async () => {
    const served = await scene.serve();
    const failed = once(served.server, 'tlsClientError');
    const raw = net.connect(served.port, '127.0.0.1', () => raw.end());
    raw.on('error', () => {});
    const [error] = await failed;
    expect(error).toMatchObject({ code: 'ECONNRESET' });
  });

  test('a client that speaks HTTP', async () => {
    const served = await scene.serve();
    const failed = once(served.server, 'tlsClientError');
    const raw = net.connect(served.port, '127.0.0.1', () => raw.write('GET / HTTP/1.1\r\n\r\n'));
    raw.on('error', () => {});
    scene.after(() => raw.destroy());
    const [error] = await failed;
    expect(error).toMatchObject({
      code: 'ERR_SSL_HTTP_REQUEST',
      reason: 'http request',
      library: 'SSL routines',
    });
  });

  test('versions that do not meet', async () => {
    const served = await scene.serve({ minVersion: 'TLSv1.3' });
    const failed = once(served.server, 'tlsClientError');
    const client = scene.dial(served, { maxVersion: 'TLSv1.2' });
    const refusal = once(client, 'error').catch((error) => [error]);
    expect((await failed)[0]).toMatchObject({ code: 'ERR_SSL_UNSUPPORTED_PROTOCOL' });
    expect((await refusal)[0]).toMatchObject({ code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' });
  });

  test('other certificates for connections to come', async () => {
    const served = await scene.serve({}, echo);
    const before = await scene.connected(served);
    served.server.setSecureContext(scene.certificates.wildcard);
    const after = await scene.connected(served, { servername: 'a.example.test' });
    expect(after.getPeerCertificate().subjectaltname).toBe('DNS:*.example.test');
    before.end('still here');
    expect(await textOf(before)).toBe('still here');
    expect(thrown(() => served.server.setSecureContext(5 as unknown as object)).code).toBe(
      'ERR_INVALID_ARG_TYPE',
    );
  });

  test('contexts by name', async () => {
    const served = await scene.serve({}, echo);
    const { otherHost, wildcard } = scene.certificates;
    served.server.addContext('other.test', otherHost);
    served.server.addContext('*.example.test', scene.tls.createSecureContext(wildcard));
    const names = async (servername: string) => {
      const socket = await scene.connected(served, { servername, checkServerIdentity: () => undefined });
      return socket.getPeerCertificate().subjectaltname;
    };
    expect(await names('other.test')).toBe('DNS:other.test');
    expect(await names('a.example.test')).toBe('DNS:*.example.test');
    expect(await names('a.b.example.test')).toContain('DNS:localhost');
    expect(await names('localhost')).toContain('DNS:localhost');
    expect(thrown(() => served.server.addContext('', {}))).toEqual({
      kind: 'Error',
      code: 'ERR_TLS_REQUIRED_SERVER_NAME',
    });
  });

  test('a context by callback', async () => {
    const asked: string[] = [];
    const context = scene.tls.createSecureContext(scene.certificates.otherHost);
    const served = await scene.serve({
      SNICallback: (name, callback) => {
        asked.push(name);
        if (name === 'refused.test') setImmediate(callback, new Error('nobody'));
        else setImmediate(callback, null, name === 'other.test' ? context : undefined);
      },
    });
    const socket = await scene.connected(served, { servername: 'other.test' });
    expect(socket.getPeerCertificate().subjectaltname).toBe('DNS:other.test');
    await scene.connected(served);
    await scene.connected(served, { servername: undefined });
    const failed = once(served.server, 'tlsClientError');
    scene.dial(served, { servername: 'refused.test' }).on('error', () => {});
    expect((await failed)[0]).toMatchObject({ message: 'nobody' });
    expect(asked).toEqual(['other.test', 'localhost', 'refused.test']);
  });

  test('a new listener each: secureConnection comes once for a connection', async () => {
    const served = await scene.serve();
    const accepting = nextSocket(served);
    await scene.connected(served);
    await accepting;
    expect(served.server.listenerCount('connection')).toBe(1);
  });
});
