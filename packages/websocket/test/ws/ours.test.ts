/** What `ws` has on our sockets only, or elsewhere. */

import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, createServer as createHttpServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { ChannelDuplex } from '@iocp/core/layer';
import { listen as listenTcp } from '@iocp/tcp';
import { testCertificates } from '@iocp/testkit';
import { listen as listenTls } from '@iocp/tls';
import { describe, expect, test, vi } from 'vitest';
import type { WebSocket } from 'ws';
import { pathKind } from '../../../../system.shared.js';
import { installedTls } from '../../src/tls-layer.js';
import ours, * as named from '../../src/ws/index.js';
import { echo, next, onEach, type Scene } from './scene.js';

/** What a `WebSocket` is on: private to ws, and looked at by many. */
const streamOf = (socket: WebSocket) => (socket as unknown as { _socket: Duplex })._socket;

function echoOver(scene: Scene, http: Server): Promise<unknown> {
  return scene.serve({ server: http }).then(echo);
}

async function saysBack(client: WebSocket, message: string): Promise<void> {
  client.send(message);
  expect(String((await next(client, 'message'))[0])).toBe(message);
}

onEach(
  'ws over ours',
  (scene) => {
    test('has our streams below', async () => {
      const server = await scene.serve();
      const accepted = next(server, 'connection');
      const client = await scene.open(server);
      const [served] = (await accepted) as [WebSocket];
      expect(streamOf(client)).toBeInstanceOf(ChannelDuplex);
      expect(streamOf(served)).toBeInstanceOf(ChannelDuplex);
    });

    test('what is sent in one turn is one write, from either side', async () => {
      const server = await scene.serve();
      const accepted = next(server, 'connection');
      const client = await scene.open(server);
      const [served] = (await accepted) as [WebSocket];
      for (const [from, to] of [
        [client, served],
        [served, client],
      ] as const) {
        const stream = streamOf(from) as ChannelDuplex;
        const writes = [vi.spyOn(stream, '_write'), vi.spyOn(stream, '_writev')];
        const received: string[] = [];
        const all = new Promise<void>((resolve) => {
          to.on('message', (data) => {
            if (received.push(data.toString()) === 20) resolve();
          });
        });
        const sent = Array.from({ length: 20 }, (_, index) => `message ${index}`);
        for (const message of sent) from.send(message);
        await all;
        expect(received).toEqual(sent);
        expect(writes.map((write) => write.mock.calls.length)).toEqual([0, 1]);
      }
    });

    test('wss:', async () => {
      const { ca, server: credentials } = await testCertificates();
      const http = createHttpServer();
      const { cert, key } = credentials;
      const listener = await listenTls({ cert, key, host: '127.0.0.1', completionPort: scene.port });
      scene.after(() => listener.close({ graceMs: 0 }));
      listener.attachTo(http);
      await echoOver(scene, http);
      const url = `wss://localhost:${listener.address().port}`;
      const client = await scene.open(url, { ca: ca.cert, family: 4 });
      await saysBack(client, 'over TLS');
      const distrustful = scene.dial(url, { family: 4 });
      expect((await next(distrustful, 'error'))[0]).toHaveProperty('code', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE');
    });

    test('given up in the middle of a handshake of TLS', async () => {
      const listener = await listenTcp({ host: '127.0.0.1', completionPort: scene.port });
      scene.after(() => listener.close({ graceMs: 0 }));
      const url = `wss://127.0.0.1:${listener.address().port}`;
      const client = scene.dial(url, { handshakeTimeout: 50 });
      expect(String((await next(client, 'error'))[0])).toContain('timed out');
      const stopped = scene.dial(url);
      const accepted = await listener.accept();
      stopped.terminate();
      expect(String((await next(stopped, 'error'))[0])).toContain('closed before');
      accepted?.abort();
    });

    test.skipIf(pathKind(scene.backend) !== 'unix')('ws+unix:', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'iocp-ws-'));
      scene.after(() => rm(folder, { recursive: true }));
      const path = join(folder, 'socket');
      const http = createHttpServer();
      const listener = await listenTcp({ path, completionPort: scene.port });
      scene.after(() => listener.close({ graceMs: 0 }));
      listener.attachTo(http);
      await echoOver(scene, http);
      await saysBack(await scene.open(`ws+unix:${path}:/chat`), 'by a path');
    });

    test('an agent of yours connects itself', async () => {
      const agent = new Agent();
      scene.after(() => agent.destroy());
      const client = await scene.open(echo(await scene.serve()), { agent });
      expect(streamOf(client)).not.toBeInstanceOf(ChannelDuplex);
      await saysBack(client, 'over its socket');
    });
  },
  false,
);

test('the names of ws lead to ours', () => {
  const { WebSocket: itself, Server, WebSocketServer, createWebSocketStream } = ours as never as typeof named;
  expect(ours).toBe(named.WebSocket);
  expect(named.Server).toBe(named.WebSocketServer);
  expect(itself).toBe(ours);
  expect([Server, WebSocketServer]).toEqual([named.WebSocketServer, named.WebSocketServer]);
  expect(createWebSocketStream).toBe(named.createWebSocketStream);
});

describe('without @iocp/tls', () => {
  const missing = (name: string) =>
    Object.assign(new Error(`Cannot find package '${name}'`), { code: 'ERR_MODULE_NOT_FOUND' });

  test('what is missing is said', async () => {
    await expect(installedTls(Promise.reject(missing('@iocp/tls')))).rejects.toMatchObject({
      code: 'ERR_WS_NO_TLS',
      message: 'TLS is asked for: install @iocp/tls',
    });
  });

  test('what it misses itself is no business of ours', async () => {
    const other = missing('something');
    await expect(installedTls(Promise.reject(other))).rejects.toBe(other);
  });
});
