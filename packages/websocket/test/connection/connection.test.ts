/** Messages, control frames, the close handshake, and what handlers and loops see of them. */

import { randomBytes } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { type Lease, lease } from '@iocp/core/layer';
import { concatenate } from '@iocp/testkit';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { prepare } from '../../src/prepared.js';
import { BINARY, CLOSE, closing, frame, PING, PONG, TEXT } from '../codec/frames.js';
import { recorder, Scene } from './scene.js';

let scene: Scene;

beforeEach(() => {
  scene = new Scene();
});

afterEach(() => scene.finish());

const bytes = (text: string) => Buffer.from(text, 'latin1');
const plain = (opcode: number, payload: Uint8Array | string = '') => frame({ opcode, payload, key: null });

describe('messages', () => {
  test('text and bytes of every kind of length, both ways, in order', async () => {
    const { client, server } = scene.pair();
    const lengths = [0, 1, 125, 126, 4000, 4091, 4092, 4096, 5000, 65535, 65536, 200_000];
    server.handle({ message: (socket, data, binary) => void socket.send(data, binary) });
    for (const length of lengths) {
      client.send('x'.repeat(length));
      client.send(Buffer.alloc(length, length));
      await client.drained();
    }
    const got: unknown[] = [];
    for await (const message of client.messages()) {
      got.push(typeof message === 'string' ? `text ${message.length}` : `bytes ${message.length}`);
      if (typeof message !== 'string')
        expect(message.equals(Buffer.alloc(message.length, message.length))).toBe(true);
      if (got.length === lengths.length * 2) break;
    }
    expect(got).toEqual(lengths.flatMap((length) => [`text ${length}`, `bytes ${length}`]));
    expect(await client.close()).toEqual({ code: 1000, reason: '' });
  });

  test('text is UTF-8, and may be sent as binary, and bytes as text', async () => {
    const { client, server } = scene.pair();
    const { told, handlers } = recorder();
    server.handle(handlers);
    client.send('ä€😀');
    client.send('ä', true);
    client.send(Buffer.from('ä'), false);
    await client.close(3000, 'fertig');
    const utf8 = (text: string) => Buffer.from(text).toString('latin1');
    await server.whenClosed();
    expect(told).toEqual([
      ['open'],
      ['message', utf8('ä€😀'), false],
      ['message', utf8('ä'), true],
      ['message', utf8('ä'), false],
      ['close', 3000, 'fertig'],
    ]);
  });

  test('all that is sent in one turn goes down in one write', async () => {
    const { socket, peer, lower } = scene.withRawPeer('server');
    const write = vi.spyOn(lower, 'write');
    for (let index = 0; index < 20; index++) socket.send(`message ${index}`);
    await turn();
    expect(write).toHaveBeenCalledTimes(1);
    await peer.untilReceived(20 * 11);
    expect(Buffer.from(peer.received())).toEqual(
      Buffer.from(concatenate(Array.from({ length: 20 }, (_, index) => plain(TEXT, `message ${index}`)))),
    );
  });

  test('what two connections send in turn does not get mixed up', async () => {
    const one = scene.withRawPeer('server');
    const other = scene.withRawPeer('server');
    for (let index = 0; index < 10; index++) {
      one.socket.send(`one ${index}`);
      other.socket.send(`other ${index}`);
    }
    await Promise.all([one.socket.flushed(), other.socket.flushed()]);
    const all = (name: string) =>
      Buffer.from(concatenate(Array.from({ length: 10 }, (_, index) => plain(TEXT, `${name} ${index}`))));
    await one.peer.untilReceived(all('one').length);
    await other.peer.untilReceived(all('other').length);
    expect(Buffer.from(one.peer.received())).toEqual(all('one'));
    expect(Buffer.from(other.peer.received())).toEqual(all('other'));
  });

  test('a small buffer may be used again at once', async () => {
    const { socket, peer } = scene.withRawPeer('server');
    const buffer = Buffer.from('first');
    socket.send(buffer);
    buffer.write('later');
    await peer.untilReceived(7);
    expect(Buffer.from(peer.received()).toString('latin1', 2)).toBe('first');
  });

  test('lent bytes echoed after the handler need a copy, in it they do not', async () => {
    const { client, server } = scene.pair();
    server.handle({ message: (socket, data, binary) => void socket.send(data, binary) }, { lend: true });
    const sent = Buffer.alloc(60_000, 'abcdefg');
    client.send(sent);
    const { value } = await client.messages().next();
    expect(sent.equals(value as Buffer)).toBe(true);
  });

  test('an echo goes out where it came in; what came before it and what is sent again is as it was', async () => {
    scene = new Scene({ slotBytes: 32_768 });
    const { socket, peer, lower } = scene.withRawPeer('server');
    const [before, echoed] = [Buffer.alloc(6000, 'before'), Buffer.alloc(9000, 'echoed')];
    const leases: Lease[] = [];
    socket.handle(
      {
        message: (_socket, data, binary) => {
          leases.push(lease(data));
          if (leases.length === 1) return;
          socket.send('small');
          socket.send(data, binary);
          socket.send(data, !binary);
        },
      },
      { lend: true },
    );
    const write = vi.spyOn(lower, 'write');
    peer.write(
      concatenate([frame({ opcode: TEXT, payload: before }), frame({ opcode: BINARY, payload: echoed })]),
    );
    const expected = concatenate([plain(TEXT, 'small'), plain(BINARY, echoed), plain(TEXT, echoed)]);
    await peer.untilReceived(expected.length);
    expect(Buffer.from(peer.received()).equals(expected)).toBe(true);
    expect(leases.map(({ bytes: kept }) => kept.toString())).toEqual([before.toString(), echoed.toString()]);
    for (const each of leases) each.release();
    // The small one with the echo in one piece, and the second echo with a header apart.
    expect(write.mock.calls.map(([chunks]) => (Array.isArray(chunks) ? chunks.length : 1))).toEqual([2, 2]);
    const [[, inPlace]] = write.mock.calls.map(([chunks]) => chunks as Uint8Array[]) as [Uint8Array[]];
    expect(inPlace?.length).toBe(echoed.length + 4);
  });

  test('a header that came apart from its payload leaves no room for another', async () => {
    scene = new Scene({ slotBytes: 32_768 });
    const { socket, peer } = scene.withRawPeer('server');
    socket.handle({ message: (_socket, data, binary) => void socket.send(data, binary) }, { lend: true });
    const payload = Buffer.alloc(10_000, 'payload');
    const stream = frame({ opcode: BINARY, payload });
    const echo = plain(BINARY, payload);
    for (let at = 1; at <= 8; at++) {
      peer.write(stream.subarray(0, at));
      await turn();
      peer.write(stream.subarray(at));
      await peer.untilReceived(echo.length * at);
      expect(Buffer.from(peer.received()).subarray(-echo.length).equals(echo)).toBe(true);
    }
  });

  test('what came with the handshake comes first', async () => {
    const head = [frame({ opcode: TEXT, payload: 'early' }), frame({ opcode: TEXT, payload: 'second' })];
    const { socket, peer } = scene.withRawPeer('server', {}, head);
    const { told, handlers } = recorder();
    peer.write(frame({ opcode: TEXT, payload: 'third' }));
    await turn();
    socket.handle(handlers);
    expect(told).toEqual([['open']]);
    peer.write(frame({ opcode: CLOSE, payload: closing(1001, 'off') }));
    peer.end();
    await socket.whenClosed();
    expect(told).toEqual([
      ['open'],
      ['message', 'early', false],
      ['message', 'second', false],
      ['message', 'third', false],
      ['close', 1001, 'off'],
    ]);
  });

  test('in parts, for who wants them so', async () => {
    const { client, server } = scene.pair();
    const { told, handlers } = recorder({ parts: true });
    server.handle(handlers);
    const message = client.startMessage(false);
    message.write('one ');
    message.write('two ');
    message.end('three');
    client.send('four');
    await client.close();
    const parts = told.filter(([event]) => event === 'part');
    expect(parts.map(([, text]) => text).join('|')).toBe('one |two |three|four');
    expect(parts.map(([, , , last]) => last)).toEqual([false, false, true, true]);
  });

  test('prepared ones are framed once for all', async () => {
    const message = prepare('to all');
    const peers = [1, 2, 3].map(() => scene.withRawPeer('server'));
    const client = scene.withRawPeer('client');
    for (const { socket } of peers) expect(socket.send(message)).toBe('sent');
    client.socket.send(message);
    for (const { peer } of peers) {
      await peer.untilReceived(8);
      expect(Buffer.from(peer.received())).toEqual(Buffer.from(plain(TEXT, 'to all')));
    }
    await client.peer.untilReceived(12);
    expect(client.peer.received()[1]).toBe(0x80 | 6);
  });

  test('arguments are looked at', () => {
    const { client } = scene.pair();
    expect(() => client.send(5 as never)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
    expect(() => client.ping(Buffer.alloc(126))).toThrow(
      expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }),
    );
    expect(() => client.close(1005)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
    expect(() => client.close(1000, 'x'.repeat(124))).toThrow(
      expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }),
    );
    expect(() => prepare(null as never)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
    client.handle({});
    expect(() => client.handle({})).toThrow(expect.objectContaining({ code: 'ERR_CHANNEL_CONSUMER' }));
    expect(() => client.messages()).toThrow(expect.objectContaining({ code: 'ERR_CHANNEL_CONSUMER' }));
    expect(() => client.subscribe('topic')).toThrow(
      expect.objectContaining({ code: 'ERR_CHANNEL_CONSUMER' }),
    );
  });
});

describe('compression', () => {
  test('messages stay in order, whatever is compressed among them', async () => {
    const deflate = { threshold: 100, contextTakeover: true, peerContextTakeover: true };
    const { client, server } = scene.pair({ deflate });
    expect(client.extensions).toMatch(/^permessage-deflate/);
    server.handle({ message: (socket, data, binary) => void socket.send(data, binary) });
    const sent = ['short', 'long '.repeat(500), 'x', 'y'.repeat(20_000), '', 'ä'.repeat(300)];
    for (const text of sent) client.send(text);
    client.send('never '.repeat(100), false, false);
    client.send(prepare('prepared '.repeat(100)));
    const all = [...sent, 'never '.repeat(100), 'prepared '.repeat(100)];
    const got: unknown[] = [];
    for await (const message of client.messages()) {
      got.push(message);
      if (got.length === all.length) break;
    }
    expect(got).toEqual(all);
    client.send('last '.repeat(100));
    expect((await client.close()).code).toBe(1000);
  });

  test('a bomb is refused', async () => {
    const { client, server } = scene.pair({ deflate: true }, { deflate: true, payloadBytesMax: 10_000 });
    const { told, handlers } = recorder();
    server.handle(handlers);
    client.send('a'.repeat(10_000));
    client.send('a'.repeat(10_001));
    expect((await client.close()).code).toBe(1009);
    await server.whenClosed();
    expect(
      told.map(([event, detail]) => [event, event === 'message' ? String(detail).length : detail]),
    ).toEqual([
      ['open', undefined],
      ['message', 10_000],
      ['error', 'ERR_WS_MESSAGE_TOO_LONG'],
      ['close', 1006],
    ]);
  });

  test('what cannot be compressed may be as long as anything else', async () => {
    const payloadBytesMax = 300_000;
    const { client, server } = scene.pair({ deflate: true }, { deflate: true, payloadBytesMax });
    const noise = randomBytes(payloadBytesMax);
    client.send(noise, true, true);
    const { value } = await server.messages().next();
    expect(noise.equals(value as Buffer)).toBe(true);
  });

  test('what is compressed when the connection ends is given up', async () => {
    const { client, server } = scene.pair({ deflate: true });
    server.handle({});
    client.send('a'.repeat(100_000));
    const flushed = client.flushed();
    client.terminate();
    await expect(flushed).rejects.toMatchObject({ code: 'ERR_WS_CLOSED' });
  });
});

describe('control frames', () => {
  test('a ping is answered, and told', async () => {
    const { client, server } = scene.pair();
    const { told, handlers } = recorder();
    const { told: toldToClient, handlers: clientHandlers } = recorder();
    server.handle(handlers);
    client.handle(clientHandlers);
    client.ping('are you there');
    server.pong('unasked');
    await client.close();
    await server.whenClosed();
    await server.whenClosed();
    await server.whenClosed();
    expect(told).toEqual([['open'], ['ping', 'are you there'], ['close', 1000, '']]);
    expect(toldToClient).toEqual([
      ['open'],
      ['pong', 'unasked'],
      ['pong', 'are you there'],
      ['close', 1000, ''],
    ]);
  });

  test('of many pings only the last is answered while the queue is full', async () => {
    const { socket, peer } = scene.withRawPeer('server');
    socket.handle({});
    peer.pause();
    while (socket.send(Buffer.alloc(32 * 1024)) !== 'full');
    const waiting = socket.bufferedAmount;
    for (let index = 0; index < 1000; index++) peer.write(frame({ opcode: PING, payload: `${index}` }));
    await turn();
    await turn();
    expect(socket.bufferedAmount).toBeLessThanOrEqual(waiting);
    const drained = socket.drained();
    peer.resume();
    await drained;
    await socket.flushed();
    await turn();
    const received = Buffer.from(peer.received());
    expect(received.includes(Buffer.from(plain(PONG, '999')))).toBe(true);
    expect(received.includes(Buffer.from(plain(PONG, '500')))).toBe(false);
  });
});

describe('closing', () => {
  test.each([
    { code: 1000, reason: 'done', payload: closing(1000, 'done') },
    { code: 4999, reason: '', payload: closing(4999) },
    { code: 1005, reason: '', payload: new Uint8Array(0) },
  ])('the answer to $code says the same, and the server ends first', async ({ code, reason, payload }) => {
    const { socket, peer } = scene.withRawPeer('server');
    const { told, handlers } = recorder();
    socket.handle(handlers);
    socket.send('last words');
    peer.write(concatenate([frame({ opcode: CLOSE, payload }), frame({ opcode: TEXT, payload: 'ignored' })]));
    await peer.untilEnded();
    expect(Buffer.from(peer.received())).toEqual(
      Buffer.from(concatenate([plain(TEXT, 'last words'), plain(CLOSE, payload)])),
    );
    expect(socket.readyState).toBe(2);
    peer.end();
    expect(await socket.whenClosed()).toEqual({ code, reason });
    expect(told).toEqual([['open'], ['close', code, reason]]);
    expect(socket.send('too late')).toBe('refused');
  });

  test('a client waits for the server to end', async () => {
    const { socket, peer } = scene.withRawPeer('client');
    const closed = socket.close(1000);
    await peer.untilReceived(8);
    peer.write(plain(CLOSE, closing(1000)));
    await turn();
    expect(peer.ended).toBe(false);
    peer.end();
    await peer.untilEnded();
    expect(await closed).toEqual({ code: 1000, reason: '' });
  });

  test('messages on their way are still delivered, also after a pause', async () => {
    const { client, server } = scene.pair();
    const { told, handlers } = recorder();
    client.handle(handlers);
    server.handle({});
    client.pause();
    server.send('one');
    server.send('two');
    await server.flushed();
    await client.close();
    expect(told).toEqual([
      ['open'],
      ['message', 'one', false],
      ['message', 'two', false],
      ['close', 1000, ''],
    ]);
  });

  test('a peer that does not answer is given closeTimeoutMs', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const { socket, peer } = scene.withRawPeer('server', { closeTimeoutMs: 1234 });
      const { told, handlers } = recorder();
      socket.handle(handlers);
      const closed = socket.close(1001, 'enough');
      await peer.untilReceived(2 + 2 + 6);
      vi.advanceTimersByTime(1233);
      expect(socket.closed).toBe(false);
      vi.advanceTimersByTime(1);
      expect(await closed).toEqual({ code: 1006, reason: '' });
      expect(told).toEqual([['open'], ['error', 'ERR_WS_CLOSE_TIMEOUT'], ['close', 1006, '']]);
    } finally {
      vi.useRealTimers();
    }
  });

  test.each([
    { what: 'between messages', sent: [frame({ opcode: TEXT, payload: 'one' })], error: [] },
    {
      what: 'in the middle of one',
      sent: [frame({ opcode: TEXT, payload: 'one' }), frame({ opcode: TEXT, payload: 'two' }).subarray(0, 7)],
      error: [['error', 'ERR_WS_TRUNCATED']],
    },
  ])('a stream that ends $what is 1006', async ({ sent, error }) => {
    const { socket, peer } = scene.withRawPeer('server');
    const { told, handlers } = recorder();
    socket.handle(handlers);
    peer.write(concatenate(sent));
    peer.end();
    await socket.whenClosed();
    expect(told).toEqual([['open'], ['message', 'one', false], ...error, ['close', 1006, '']]);
  });

  test('a reset is an error, and 1006', async () => {
    const { socket, peer } = scene.withRawPeer('server');
    const { told, handlers } = recorder();
    socket.handle(handlers);
    peer.abort();
    await socket.whenClosed();
    expect(told).toEqual([['open'], ['error', expect.any(String)], ['close', 1006, '']]);
  });

  test.each([
    { what: 'an unmasked frame', sent: plain(TEXT, 'x'), code: 'ERR_WS_EXPECTED_MASK', closeCode: 1002 },
    {
      what: 'no UTF-8',
      sent: frame({ opcode: TEXT, payload: bytes('\xff') }),
      code: 'ERR_WS_INVALID_UTF8',
      closeCode: 1007,
    },
    {
      what: 'too much',
      sent: frame({ opcode: BINARY, payload: 'x'.repeat(11) }),
      code: 'ERR_WS_MESSAGE_TOO_LONG',
      closeCode: 1009,
    },
  ])('$what is refused with $closeCode, and the stream ended', async ({ sent, code, closeCode }) => {
    const { socket, peer } = scene.withRawPeer('server', { payloadBytesMax: 10 });
    const { told, handlers } = recorder();
    socket.handle(handlers);
    peer.write(
      concatenate([
        frame({ opcode: BINARY, payload: 'x'.repeat(10) }),
        sent,
        frame({ opcode: TEXT, payload: 'ignored' }),
      ]),
    );
    await peer.untilEnded();
    expect(Buffer.from(peer.received())).toEqual(Buffer.from(plain(CLOSE, closing(closeCode))));
    peer.end();
    await socket.whenClosed();
    expect(told).toEqual([['open'], ['message', 'x'.repeat(10), true], ['error', code], ['close', 1006, '']]);
  });

  test('both at once', async () => {
    const { client, server } = scene.pair();
    client.handle({});
    server.handle({});
    const facts = await Promise.all([client.close(3001), server.close(3002)]);
    expect(facts.map(({ code }) => code)).toEqual([3002, 3001]);
  });

  test('without a consumer messages are thrown away', async () => {
    const { client, server } = scene.pair();
    server.handle({});
    for (let index = 0; index < 100; index++) server.send(Buffer.alloc(10_000));
    expect(await client.close()).toEqual({ code: 1000, reason: '' });
    await server.whenClosed();
  });
});

describe('flow', () => {
  test('pause is exact, in the middle of what has come, and loses nothing', async () => {
    const { socket, peer } = scene.withRawPeer('server');
    const got: string[] = [];
    socket.handle({
      message(each, data) {
        got.push(data.toString());
        if (got.length % 3 === 0) each.pause();
      },
    });
    peer.write(
      concatenate(Array.from({ length: 10 }, (_, index) => frame({ opcode: TEXT, payload: `${index}` }))),
    );
    for (const expected of [3, 6, 9, 10]) {
      for (let count = 0; count < 5; count++) await turn();
      expect(got.length).toBe(expected);
      socket.resume();
      expect(got.length).toBe(expected);
    }
    expect(got.join('')).toBe('0123456789');
  });

  test('the end waits until what was held back has been delivered', async () => {
    const { socket, peer } = scene.withRawPeer('server');
    const { told, handlers } = recorder();
    socket.handle(handlers);
    socket.pause();
    peer.write(frame({ opcode: TEXT, payload: 'one' }));
    peer.write(frame({ opcode: CLOSE, payload: closing(1000) }));
    peer.end();
    for (let count = 0; count < 5; count++) await turn();
    expect(told).toEqual([['open']]);
    socket.resume();
    await socket.whenClosed();
    expect(told).toEqual([['open'], ['message', 'one', false], ['close', 1000, '']]);
  });

  test('a slow loop makes the peer wait', async () => {
    const { client, server } = scene.pair({ readableHighWaterMark: 1000 });
    const messages = client.messages();
    server.handle({});
    let sent = 0;
    for (; sent < 50; sent++) server.send(Buffer.alloc(10_000));
    const room = server.drained();
    let drained = false;
    void room.then(() => {
      drained = true;
    });
    for (let count = 0; count < 10; count++) await turn();
    expect(drained).toBe(false);
    for (let count = 0; count < sent; count++) await messages.next();
    await room;
  });

  test('drained and flushed reject when the connection closes first, and heed a signal', async () => {
    const { socket, peer } = scene.withRawPeer('server');
    socket.handle({});
    peer.pause();
    while (socket.send(Buffer.alloc(64 * 1024)) !== 'full');
    const gaveUp = expect(socket.drained({ signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow(
      'enough',
    );
    const drained = expect(socket.drained()).rejects.toMatchObject({ code: 'ERR_WS_CLOSED' });
    const flushed = expect(socket.flushed()).rejects.toThrow();
    socket.terminate();
    await Promise.all([gaveUp, drained, flushed]);
    await expect(socket.drained()).rejects.toMatchObject({ code: 'ERR_WS_CLOSED' });
  });

  test('leaving a loop keeps what comes for the next one', async () => {
    const { client, server } = scene.pair();
    for (const text of ['one', 'two', 'three']) server.send(text);
    for await (const message of client) {
      expect(message).toBe('one');
      break;
    }
    const rest: unknown[] = [];
    server.handle({});
    void server.close(1000);
    for await (const message of client) rest.push(message);
    expect(rest).toEqual(['two', 'three']);
  });

  test('a loop throws what has ended the connection', async () => {
    const { socket, peer } = scene.withRawPeer('client');
    peer.write(frame({ opcode: TEXT, payload: 'masked by a server' }));
    peer.end();
    await expect(socket.messages().next()).rejects.toMatchObject({ code: 'ERR_WS_UNEXPECTED_MASK' });
  });
});
