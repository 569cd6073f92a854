/** Queues that fill up, messages in the making, hearts that stop, and handlers that throw. */

import { setImmediate as turn } from 'node:timers/promises';
import { captureUncaught, concatenate } from '@iocp/testkit';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { CLOSE, closing, frame, PING, TEXT } from '../codec/frames.js';
import { recorder, Scene } from './scene.js';

let scene: Scene;

beforeEach(() => {
  scene = new Scene();
});

afterEach(() => scene.finish());

const _bytes = (text: string) => Buffer.from(text, 'latin1');
const plain = (opcode: number, payload: Uint8Array | string = '') => frame({ opcode, payload, key: null });

describe('slow consumers', () => {
  const message = Buffer.alloc(10_000, 1);
  const bufferedBytesMax = 100_000;

  function full(slowConsumer: 'close' | 'skip' | 'block') {
    const { socket, peer } = scene.withRawPeer('server', { bufferedBytesMax, slowConsumer });
    const { told, handlers } = recorder();
    socket.handle(handlers);
    peer.pause();
    let taken = 0;
    while (socket.send(message) !== 'refused') {
      expect(socket.bufferedAmount).toBeLessThanOrEqual(bufferedBytesMax);
      taken++;
    }
    return { socket, peer, told, taken };
  }

  test("'close' resets, and sends nothing more", async () => {
    const { socket, peer, told } = full('close');
    expect(socket.send('more')).toBe('refused');
    await socket.whenClosed();
    expect(told).toEqual([['open'], ['error', 'ERR_WS_SLOW_CONSUMER'], ['close', 1006, '']]);
    peer.resume();
    await peer.untilClosed();
    expect(peer.received().length).toBeLessThan(bufferedBytesMax + 64 * 1024);
  });

  test("'skip' refuses, and goes on when there is room", async () => {
    const { socket, peer, told, taken } = full('skip');
    expect(socket.send(message)).toBe('refused');
    expect(socket.readyState).toBe(1);
    const drained = socket.drained();
    peer.resume();
    await drained;
    expect(told).toEqual([['open'], ['drain']]);
    expect(socket.send('now')).toBe('sent');
    await peer.untilReceived(taken * (message.length + 4) + 5);
  });

  test("'skip' with a cap below the marks of the channel below tells of room, too", async () => {
    const { socket, peer } = scene.withRawPeer('server', { bufferedBytesMax: 1000, slowConsumer: 'skip' });
    socket.handle({});
    peer.pause();
    while (socket.send(Buffer.alloc(900)) !== 'refused') await turn();
    const drained = socket.drained();
    peer.resume();
    await drained;
    expect(socket.send('now')).toBe('sent');
  });

  test("'block' reads nothing from who does not read", async () => {
    const { socket, peer } = scene.withRawPeer('server', { bufferedBytesMax, slowConsumer: 'block' });
    const { told, handlers } = recorder();
    socket.handle(handlers);
    peer.pause();
    while (socket.send(message) !== 'full');
    peer.write(frame({ opcode: TEXT, payload: 'asks' }));
    for (let count = 0; count < 5; count++) await turn();
    expect(told).toEqual([['open']]);
    peer.resume();
    await socket.drained();
    peer.write(frame({ opcode: CLOSE, payload: closing(1000) }));
    peer.end();
    await socket.whenClosed();
    expect(told).toEqual([['open'], ['drain'], ['message', 'asks', false], ['close', 1000, '']]);
  });

  test('one message to an empty queue is taken whatever its size', async () => {
    const { client, server } = scene.pair({ bufferedBytesMax: 1000 });
    server.handle({ message: (socket, data) => void socket.send(`${data.length}`) });
    expect(client.send(Buffer.alloc(1_000_000))).not.toBe('refused');
    expect((await client.messages().next()).value).toBe('1000000');
  });
});

describe('messages in the making', () => {
  test('others wait until it has ended, pings do not', async () => {
    const { client, server } = scene.pair();
    const { told, handlers } = recorder();
    server.handle(handlers);
    const message = client.startMessage();
    message.write('one ');
    client.send('behind');
    client.ping('between');
    const next = client.startMessage(false);
    next.write('three ');
    next.end();
    message.end('two');
    expect(() => message.write('more')).toThrow(expect.objectContaining({ code: 'ERR_WS_MESSAGE_ENDED' }));
    await client.close();
    await server.whenClosed();
    expect(told).toEqual([
      ['open'],
      ['ping', 'between'],
      ['message', 'one two', true],
      ['message', 'behind', false],
      ['message', 'three ', false],
      ['close', 1000, ''],
    ]);
  });

  test('a close waits for it, too', async () => {
    const { client, server } = scene.pair();
    const { told, handlers } = recorder();
    server.handle(handlers);
    const message = client.startMessage(false);
    message.write('one ');
    const closed = client.close();
    message.end('two');
    await closed;
    await server.whenClosed();
    expect(told).toEqual([['open'], ['message', 'one two', false], ['close', 1000, '']]);
  });

  test('an answer to a close does not', async () => {
    const { socket, peer } = scene.withRawPeer('server');
    socket.handle({});
    const message = socket.startMessage(false);
    message.write('one ');
    socket.send('behind');
    peer.write(frame({ opcode: CLOSE, payload: closing(1000) }));
    await peer.untilEnded();
    const fragment = frame({ opcode: TEXT, payload: 'one ', key: null, fin: false });
    expect(Buffer.from(peer.received())).toEqual(
      Buffer.from(concatenate([fragment, plain(CLOSE, closing(1000))])),
    );
    expect(message.write('two')).toBe('refused');
    peer.end();
    expect(await socket.whenClosed()).toEqual({ code: 1000, reason: '' });
  });

  test('is refused when the connection has closed', async () => {
    const { client, server } = scene.pair();
    server.handle({});
    const message = client.startMessage();
    message.write('one ');
    client.terminate();
    expect(message.write('two')).toBe('refused');
    await client.whenClosed();
  });
});

describe('heartbeat', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const heartbeat = { intervalMs: 1000, timeoutMs: 400 };

  test('asks who is silent, and gives up who does not answer', async () => {
    const { socket, peer } = scene.withRawPeer('server', { heartbeat });
    const { told, handlers } = recorder();
    socket.handle(handlers);
    vi.advanceTimersByTime(1000);
    await turn();
    expect(peer.received().length).toBe(0);
    vi.advanceTimersByTime(100);
    await peer.untilReceived(2);
    expect(Buffer.from(peer.received())).toEqual(Buffer.from(plain(PING)));
    vi.advanceTimersByTime(400);
    expect(socket.readyState).toBe(1);
    vi.advanceTimersByTime(200);
    await socket.whenClosed();
    expect(told).toEqual([['open'], ['error', 'ERR_WS_HEARTBEAT_TIMEOUT'], ['close', 1006, '']]);
  });

  test('leaves alone who answers, and who is paused', async () => {
    const { client, server } = scene.pair({ heartbeat: false }, { heartbeat });
    client.handle({});
    server.handle({});
    for (let count = 0; count < 40; count++) {
      vi.advanceTimersByTime(100);
      for (let turns = 0; turns < 3; turns++) await turn();
    }
    expect(server.readyState).toBe(1);
    server.pause();
    vi.advanceTimersByTime(10_000);
    expect(server.readyState).toBe(1);
  });
});

describe('handlers that throw', () => {
  test('end the connection when there is a handler for errors', async () => {
    const { socket, peer } = scene.withRawPeer('server');
    const { told, handlers } = recorder();
    socket.handle({
      ...handlers,
      message: () => {
        throw new Error('mine');
      },
    });
    peer.write(frame({ opcode: TEXT, payload: 'one' }));
    await socket.whenClosed();
    expect(told).toEqual([['open'], ['error', 'mine'], ['close', 1006, '']]);
  });

  test('are uncaught otherwise, and the connection lives on', async () => {
    const { socket, peer } = scene.withRawPeer('server');
    const got: string[] = [];
    socket.handle({
      message: (_socket, data) => {
        got.push(data.toString());
        throw new Error(`mine ${got.length}`);
      },
    });
    const uncaught = await captureUncaught(async () => {
      peer.write(
        concatenate([frame({ opcode: TEXT, payload: 'one' }), frame({ opcode: TEXT, payload: 'two' })]),
      );
      for (let count = 0; count < 5; count++) await turn();
    });
    expect(got).toEqual(['one', 'two']);
    expect(uncaught.map((error) => (error as Error).message)).toEqual(['mine 1', 'mine 2']);
    expect(socket.readyState).toBe(1);
  });
});
