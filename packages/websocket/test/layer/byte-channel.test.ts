/** The byte layer over real connections, and with peers that are not ours. */

import { once } from 'node:events';
import type { Channel } from '@iocp/core/layer';
import { connect, listen } from '@iocp/tcp';
import { ChannelProbe, pattern } from '@iocp/testkit';
import { tls } from '@iocp/tls';
import { describe, expect, test } from 'vitest';
import { WebSocket as PeerSocket } from 'ws';
import type { WebSocketLayerOptions } from '../../src/layer/layer.js';
import { byteStreamProtocol, webSocket } from '../../src/layer/layer.js';
import { accepted, echoOf, failureOf, servePeer, serveRaw } from '../client/scene.js';
import { onEachBackend, until } from '../server/fixture.js';

onEachBackend('the byte layer', (fixture) => {
  const dial = async (port: number, options?: WebSocketLayerOptions): Promise<ChannelProbe> => {
    const layers = [webSocket(options)];
    const where = { host: '127.0.0.1', port, completionPort: fixture.port };
    const { channel } = await connect({ ...where, layers });
    return probed(channel);
  };
  const probed = (channel: Channel): ChannelProbe => {
    const probe = new ChannelProbe(channel);
    fixture.after(async () => {
      probe.abort();
      await probe.untilClosed();
      probe.verify();
    });
    return probe;
  };

  test.each([false, true])(
    'carries a stream whose directions end on their own, with TLS below: %s',
    async (secure) => {
      const { ca, server } = fixture.certificates;
      const below = secure
        ? { server: [tls(server)], client: [tls({ ca: ca.cert, servername: 'localhost' })] }
        : { server: [], client: [] };
      const shared = { host: '127.0.0.1', completionPort: fixture.port };
      const listener = await listen({ ...shared, layers: [...below.server, webSocket()] });
      fixture.after(() => listener.close({ graceMs: 0 }));
      const { port } = listener.address();
      const [dialed, taken] = await Promise.all([
        connect({ ...shared, port, layers: [...below.client, webSocket()] }),
        listener.accept(),
      ]);
      const near = probed(dialed.channel);
      const far = probed(taken?.channel as Channel);
      expect(near.channel.info.protocols).toEqual(
        secure ? ['tcp', 'tls', 'websocket'] : ['tcp', 'websocket'],
      );
      near.write(pattern(300_000));
      near.end();
      await far.untilEnded();
      expect(Buffer.compare(far.received(), pattern(300_000))).toBe(0);
      await far.writeAll(pattern(1_000_000), 50_000);
      far.end();
      expect([await near.untilClosed(), await far.untilClosed()]).toEqual([null, null]);
      expect(Buffer.compare(near.received(), pattern(1_000_000))).toBe(0);
    },
  );

  test('talks to ws in messages of at most 64 KiB, and ends with a close frame', async () => {
    const lengths: number[] = [];
    const peer = await servePeer(fixture, (socket) => {
      echoOf(socket);
      socket.on('message', (data: Buffer) => lengths.push(data.length));
    });
    const probe = await dial(Number(new URL(peer.url).port), { halfClose: false });
    expect(peer.sockets[0]?.protocol).toBe('');
    probe.write([pattern(10), pattern(150_000, 10)]);
    await probe.untilReceived(150_010);
    expect(Buffer.compare(probe.received(), pattern(150_010))).toBe(0);
    expect(lengths).toEqual([10, 65_536, 65_536, 18_928]);
    const closed = once(peer.sockets[0] as never, 'close');
    probe.end();
    expect(await probe.untilClosed()).toBeNull();
    expect(probe.ended).toBe(true);
    expect((await closed)[0]).toBe(1000);
  });

  test('serves ws', async () => {
    const listener = await listen({
      host: '127.0.0.1',
      completionPort: fixture.port,
      layers: [webSocket({ protocols: ['binary'], serve: { paths: '/bytes' } })],
    });
    fixture.after(() => listener.close({ graceMs: 0 }));
    const accepting = listener.accept();
    const socket = new PeerSocket(`ws://127.0.0.1:${listener.address().port}/bytes`, ['binary']);
    fixture.after(() => socket.terminate());
    await once(socket, 'open');
    expect(socket.protocol).toBe('binary');
    const probe = probed((await accepting)?.channel as Channel);
    socket.send(Buffer.from('hello '));
    socket.ping();
    socket.send(Buffer.from('world'));
    await probe.untilReceived(11);
    expect(Buffer.from(probe.received()).toString()).toBe('hello world');
    probe.write(Buffer.from('answer'));
    expect(String(((await once(socket, 'message')) as [Buffer])[0])).toBe('answer');
    socket.close(1001);
    await probe.untilEnded();
    expect(await probe.untilClosed()).toBeNull();
  });

  test.each<[string, (socket: PeerSocket) => void, string, number]>([
    ['closes with a code of an error', (socket) => socket.close(1011, 'oops'), 'ERR_WS_CLOSED', 1011],
    ['sends text', (socket) => socket.send('text'), 'ERR_WS_UNSUPPORTED_DATA', 1003],
    [
      'closes in the middle of a message',
      (socket) => {
        socket.send(Buffer.from('part'), { fin: false });
        socket.close();
      },
      'ERR_WS_CLOSED',
      1005,
    ],
  ])('fails when the peer %s', async (_, misbehave, code, answer) => {
    const peer = await servePeer(fixture);
    const probe = await dial(Number(new URL(peer.url).port), { halfClose: false });
    const closed = once(peer.sockets[0] as never, 'close');
    misbehave(peer.sockets[0] as PeerSocket);
    expect(await probe.untilClosed()).toMatchObject({ code });
    expect(probe.ended).toBe(false);
    expect((await closed)[0]).toBe(answer);
  });

  test('gives up a peer that does not end what is below', async () => {
    const server = await serveRaw(fixture, (socket, key) => {
      socket.write(accepted(key));
      socket.once('data', () => socket.write(Buffer.from([0x88, 2, 3, 232])));
    });
    const probe = await dial(server.port, { halfClose: false, closeTimeoutMs: 50 });
    probe.end();
    expect(await probe.untilClosed()).toBeNull();
    await until(() => server.sockets[0]?.destroyed === true);
  });

  test('answers pings', async () => {
    const pongs: string[] = [];
    const peer = await servePeer(fixture, (socket) => socket.on('pong', (data) => pongs.push(String(data))));
    const probe = await dial(Number(new URL(peer.url).port), { halfClose: false });
    for (let index = 0; index < 3; index++) peer.sockets[0]?.ping(String(index));
    await until(() => pongs.length === 3);
    expect(pongs).toEqual(['0', '1', '2']);
    expect(probe.bytesReceived).toBe(0);
  });

  test('rejects where there is no WebSocket', async () => {
    const peer = await servePeer(fixture, undefined, { path: '/elsewhere' });
    const error = await failureOf(dial(Number(new URL(peer.url).port)));
    expect(error).toMatchObject({ code: 'ERR_WS_HANDSHAKE', statusCode: 400 });
  });
});

describe('options of the byte layer', () => {
  test.each<[object | null, string]>([
    [null, 'ERR_INVALID_ARG_TYPE'],
    [{ halfClose: 1 }, 'ERR_INVALID_ARG_TYPE'],
    [{ protocols: [byteStreamProtocol] }, 'ERR_INVALID_ARG_VALUE'],
    [{ protocols: ['a b'] }, 'ERR_INVALID_ARG_VALUE'],
    [{ request: { path: 7 } }, 'ERR_INVALID_ARG_TYPE'],
    [{ request: { host: 'a b' } }, 'ERR_INVALID_URL'],
    [{ request: { path: '/#a' } }, 'ERR_INVALID_ARG_VALUE'],
    [{ request: { headers: { a: '\n' } } }, 'ERR_INVALID_ARG_VALUE'],
    [{ serve: 7 }, 'ERR_INVALID_ARG_TYPE'],
    [{ handshakeTimeoutMs: 0 }, 'ERR_OUT_OF_RANGE'],
    [{ closeTimeoutMs: -1 }, 'ERR_OUT_OF_RANGE'],
    [{ highWaterMark: 0 }, 'ERR_OUT_OF_RANGE'],
  ])('refuses %j', (options, code) => {
    expect(() => webSocket(options as WebSocketLayerOptions)).toThrow(expect.objectContaining({ code }));
  });
});
