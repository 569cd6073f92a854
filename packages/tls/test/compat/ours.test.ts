/** Where ours differs from `node:tls` on purpose, and what only ours has. */

import { AsyncLocalStorage } from 'node:async_hooks';
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import nodeTls from 'node:tls';
import { fileURLToPath } from 'node:url';
import { captureUncaught, memoryPair } from '@iocp/testkit';
import { expect, test } from 'vitest';
import { spawnRetries, underWine } from '../../../../system.shared.js';
import tls, { TLSSocket } from '../../src/tls/index.js';
import { run } from '../support/backends.js';
import {
  closed,
  closeOf,
  deadlineMs,
  echo,
  onOurs,
  pair,
  type Server,
  type Socket,
  textOf,
  thrown,
} from './support.js';

const value = { kind: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' };

onOurs('differences', (scene) => {
  test('what there is not is refused', () => {
    const refused = (options: object) => thrown(() => scene.tls.connect({ port: 1, ...options }));
    expect(refused({ pskCallback: () => null })).toEqual(value);
    expect(refused({ onread: { buffer: Buffer.alloc(1), callback: () => true } })).toEqual(value);
    expect(refused({ clientCertEngine: 'engine' })).toEqual(value);
    expect(thrown(() => scene.tls.createServer({ pskCallback: () => null }))).toEqual(value);
    const server = scene.tls.createServer();
    expect(thrown(() => server.listen({ fd: 5 }))).toEqual(value);
    expect(thrown(() => server.listen(net.createServer()))).toEqual(value);
    const context = nodeTls.createSecureContext();
    expect(refused({ secureContext: context })).toEqual({
      kind: 'TypeError',
      code: 'ERR_TLS_INVALID_CONTEXT',
    });
  });

  test('nothing older than TLS 1.2', () => {
    const { settings } = tls.createSecureContext({ minVersion: 'TLSv1' });
    expect(settings.minVersion).toBe('TLSv1.2');
    const invalid = { kind: 'TypeError', code: 'ERR_TLS_INVALID_PROTOCOL_VERSION' };
    expect(thrown(() => tls.createSecureContext({ maxVersion: 'TLSv1.1' }))).toEqual(invalid);
    const { settings: old } = tls.createSecureContext({ secureProtocol: 'TLSv1_2_client_method' });
    expect([old.minVersion, old.maxVersion]).toEqual(['TLSv1.2', 'TLSv1.2']);
    const { settings: any } = tls.createSecureContext({ secureProtocol: 'TLS_method' });
    expect([any.minVersion, any.maxVersion]).toEqual(['TLSv1.2', 'TLSv1.3']);
    expect(thrown(() => tls.createSecureContext({ secureProtocol: 'TLSv1_method' }))).toEqual({
      kind: 'TypeError',
      code: 'ERR_TLS_INVALID_PROTOCOL_METHOD',
    });
    const conflict = { secureProtocol: 'TLS_method', minVersion: 'TLSv1.3' } as const;
    expect(thrown(() => tls.createSecureContext(conflict)).code).toBe('ERR_TLS_PROTOCOL_VERSION_CONFLICT');
  });

  test('tlsClientError says what was wrong with a certificate', async () => {
    const { ca, clientOfOtherCa } = scene.certificates;
    const served = await scene.serve({ requestCert: true, ca: ca.cert });
    const failed = once(served.server, 'tlsClientError');
    const client = scene.dial(served, clientOfOtherCa).on('error', () => {});
    const [error, socket] = (await failed) as [Error, Socket];
    expect(error).toMatchObject({ code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' });
    expect(socket.remotePort).toBeGreaterThan(0);
    await Promise.all([closeOf(socket), closeOf(client.resume())]);
  });

  test('a handshake that fails is closed without a listener', async () => {
    const served = await scene.serve({ handshakeTimeout: 30 });
    const raw = net.connect(served.port, '127.0.0.1').on('error', () => {});
    await closeOf(raw.resume() as Socket);
  });

  test('a client made by hand checks whom it is told to', async () => {
    const { cert, key } = scene.certificates.server;
    const make = () => {
      const { near, far } = memoryPair();
      const server = new TLSSocket(far, { isServer: true, cert, key });
      server.resume().on('error', () => {});
      const client = new TLSSocket(near, { ca: scene.certificates.ca.cert });
      scene.after(() => {
        server.destroy();
        client.destroy();
      });
      return client;
    };
    const failure = (client: TLSSocket) => new Promise((resolve) => client.once('error', resolve));
    expect(await failure(make())).toMatchObject({ code: 'ERR_MISSING_OPTION' });
    const wrong = make();
    wrong.setServername('elsewhere.test');
    expect(await failure(wrong)).toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
    const right = make();
    right.setServername('localhost');
    await once(right, 'secure');
    expect(right.authorized).toBe(true);
  });

  test('facts outlive the connection', async () => {
    const [client] = await pair(scene, await scene.serve({}, echo));
    client.end();
    await textOf(client);
    await closeOf(client);
    expect(client.getPeerCertificate().subject.CN).toBe('localhost');
    expect(client.getProtocol()).toBe('TLSv1.3');
  });

  test('calls without effect', async () => {
    const [client] = await pair(scene, await scene.serve());
    expect(client.setMaxSendFragment(1000)).toBe(false);
    const error = await new Promise((resolve) => client.renegotiate({}, resolve));
    expect(error).toMatchObject({ code: 'ERR_TLS_RENEGOTIATION_DISABLED' });
  });

  // Under Wine a reset comes as an end first.
  test.skipIf(underWine)('resetAndDestroy resets', async () => {
    const served = await scene.serve();
    const [client, server] = await pair(scene, served);
    const failed = new Promise<NodeJS.ErrnoException>((resolve) => server.resume().once('error', resolve));
    expect(client.resetAndDestroy()).toBe(client);
    expect(await failed).toMatchObject({ code: 'ECONNRESET' });
  });
});

onOurs('only ours', (scene) => {
  test('a channel in the place of a stream', async () => {
    const { cert, key } = scene.certificates.server;
    const { near, far } = memoryPair();
    const server = new TLSSocket(far, { isServer: true, cert, key });
    echo(server as unknown as Socket);
    const client = new TLSSocket(near, { ca: scene.certificates.ca.cert });
    client.setServername('localhost');
    client.end('over a channel');
    expect(await textOf(client as unknown as Socket)).toBe('over a channel');
    expect(client.info.protocols).toEqual(['memory', 'tls']);
  });

  test('connections can be sorted before TLS', async () => {
    const served = await scene.serve({}, echo);
    const { server } = served;
    const [secure] = server.listeners('connection') as ((socket: net.Socket) => void)[];
    server.removeAllListeners('connection');
    const plain: string[] = [];
    server.on('connection', (socket: net.Socket) => {
      socket.once('readable', () => {
        const first: Buffer = socket.read();
        if (first[0] === 0x16) {
          socket.unshift(first);
          secure?.call(server, socket);
        } else {
          plain.push(first.toString());
          socket.end();
        }
      });
    });
    const client = scene.dial(served);
    client.end('with TLS');
    expect(await textOf(client)).toBe('with TLS');
    const raw = net.connect(served.port, '127.0.0.1', () => raw.write('without'));
    await closeOf(raw.resume() as Socket);
    expect(plain).toEqual(['without']);
  });

  test('the async context of the caller', async () => {
    const storage = new AsyncLocalStorage<string>();
    const served = await scene.serve({}, echo);
    const seen: unknown[] = [];
    const socket = storage.run('mine', () => {
      const made = scene.dial(served);
      for (const event of ['connect', 'secureConnect', 'data', 'end']) {
        made.on(event, () => seen.push(`${event} ${storage.getStore()}`));
      }
      made.end('x');
      return made;
    });
    await once(socket, 'end');
    expect(seen).toEqual(['connect mine', 'secureConnect mine', 'data mine', 'end mine']);
  });

  test('what listeners throw is uncaught, and ends nothing else', async () => {
    const served = await scene.serve({}, echo);
    const failure = new Error('thrown by a listener');
    const uncaught = await captureUncaught(async () => {
      const client = scene.dial(served, {}, () => {
        throw failure;
      });
      client.end('still there');
      expect(await textOf(client)).toBe('still there');
    });
    expect(uncaught).toEqual([failure]);
  });

  test('what listeners of connection throw ends no accepting', async () => {
    const served = await scene.serve({}, echo);
    const failure = new Error('thrown by a listener');
    served.server.prependOnceListener('connection', (socket) => {
      socket.destroy();
      throw failure;
    });
    const uncaught = await captureUncaught(async () => {
      const refused = net.connect(served.port, '127.0.0.1').resume();
      await once(refused, 'close');
      const client = scene.dial(served);
      client.end('still there');
      expect(await textOf(client)).toBe('still there');
    });
    expect(uncaught).toEqual([failure]);
  });

  test('closing a server that cannot listen', async () => {
    const { port } = await scene.serve();
    const { cert, key } = scene.certificates.server;
    const server = scene.tls.createServer({ cert, key });
    const log: string[] = [];
    server.on('error', () => log.push('error')).on('close', () => log.push('close'));
    server.listen(port, '127.0.0.1');
    await closed(server);
    expect(log).toEqual(['close']);
  });

  test('a server can be awaited', async () => {
    const { cert, key } = scene.certificates.server;
    const server = scene.tls.createServer({ cert, key }) as Server & AsyncDisposable;
    await server[Symbol.asyncDispose]();
    server.listen(0, '127.0.0.1');
    expect(server.unref().ref()).toBe(server);
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await server[Symbol.asyncDispose]();
    expect(server.address()).toBeNull();
    const refused = scene.dial(port);
    const error = await new Promise((resolve) => refused.once('error', resolve));
    expect(error).toMatchObject({ code: 'ECONNREFUSED' });
    await closed(server);
  });

  test('closing before it listens', async () => {
    const { cert, key } = scene.certificates.server;
    const server = scene.tls.createServer({ cert, key });
    const log: string[] = [];
    server.on('listening', () => log.push('listening')).on('close', () => log.push('close'));
    server.listen(0, '127.0.0.1');
    await closed(server);
    expect(log).toEqual(['close']);
  });

  test('unref lets the process end', { retry: spawnRetries, timeout: deadlineMs }, async () => {
    const program = fileURLToPath(new URL('programs/unref.mjs', import.meta.url));
    const env = { ...process.env, IOCP_BACKEND: scene.backend };
    const { code, stdout, stderr } = await run(process.execPath, [program], { env });
    expect({ code, stdout: stdout.trim(), stderr }).toEqual({ code: 0, stdout: 'connected', stderr: '' });
  });

  test('a module that cannot carry it is an error', async () => {
    const socket = scene.tls.connect({ port: 1, tcp: {} } as object);
    const error = await new Promise((resolve) => socket.once('error', resolve));
    expect(error).toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' });
  });
});
