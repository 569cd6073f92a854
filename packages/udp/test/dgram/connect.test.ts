/** Connected sockets. */

import { expect, test } from 'vitest';
import { isToldOfUnreachable } from '../../../../system.shared.js';
import { deadPort, factsOf, logOf, next, onEachModule, sent, thrown } from './support.js';

type Message = [data: Buffer, sender: { readonly port: number }];

onEachModule('connecting', (scene) => {
  test('binds, listens, connects, and calls back', async () => {
    const peer = await scene.bound();
    const { port } = peer.address();
    const socket = scene.create();
    const log = logOf(socket);
    expect(socket.connect(port, '127.0.0.1', () => log.push('callback'))).toBeUndefined();
    log.push('returned');
    expect(thrown(() => socket.connect(port))).toMatchObject({ code: 'ERR_SOCKET_DGRAM_IS_CONNECTED' });
    expect(thrown(() => socket.remoteAddress())).toMatchObject({ code: 'ERR_SOCKET_DGRAM_NOT_CONNECTED' });
    await next(socket, 'connect');
    expect(log).toEqual(['returned', 'listening', 'connect', 'callback']);
    expect(socket.remoteAddress()).toEqual({ address: '127.0.0.1', family: 'IPv4', port });
    expect(socket.address()).toMatchObject({ address: '127.0.0.1', family: 'IPv4' });
  });

  const forms = [
    ['(port, callback)', []],
    ['(port, address, callback)', ['127.0.0.1']],
    ['(port, name, callback)', ['localhost']],
    ['(port, empty address, callback)', ['']],
    ['(port, undefined, callback)', [undefined]],
  ] as const;
  test.each(forms)('connect%s', async (_form, args) => {
    const { port } = (await scene.bound()).address();
    const socket = scene.create();
    const connect = socket.connect as (...args: unknown[]) => void;
    const values = await new Promise((resolve) => {
      connect.call(socket, port, ...args, (...given: unknown[]) => resolve(given));
    });
    expect(values).toEqual([]);
    expect(socket.remoteAddress()).toEqual({ address: '127.0.0.1', family: 'IPv4', port });
  });

  const sends = [
    ['(msg, callback)', ['xyz'], 'xyz'],
    ['(list, callback)', [['x', 'y']], 'xy'],
    ['(msg, offset, length, callback)', ['xyz', 1, 1], 'y'],
  ] as const;
  test.each(sends)('send%s', async (_form, args, text) => {
    const peer = await scene.bound();
    const socket = scene.create();
    socket.connect(peer.address().port);
    await next(socket, 'connect');
    const message = next<Message>(peer, 'message');
    const send = socket.send.bind(socket) as (...args: unknown[]) => void;
    expect(await sent((callback) => send(...args, callback))).toEqual({ error: null, bytes: text.length });
    const [data, from] = await message;
    expect(data.toString()).toBe(text);
    expect(from.port).toBe(socket.address().port);
  });

  test('only the peer is heard', async () => {
    const peer = await scene.bound();
    const stranger = await scene.bound();
    const socket = await scene.bound();
    socket.connect(peer.address().port, '127.0.0.1');
    await next(socket, 'connect');
    const log = logOf(socket);
    const { port } = socket.address();
    await sent((callback) => stranger.send('stranger', port, '127.0.0.1', callback));
    peer.send('peer', port, '127.0.0.1');
    await next(socket, 'message');
    expect(log).toEqual(['message peer']);
  });

  test('another peer after a disconnect', async () => {
    const first = await scene.bound();
    const second = await scene.bound();
    const socket = await scene.bound();
    socket.connect(first.address().port, '127.0.0.1');
    await next(socket, 'connect');
    expect(socket.disconnect()).toBeUndefined();
    expect(thrown(() => socket.disconnect())).toEqual({
      kind: 'Error',
      code: 'ERR_SOCKET_DGRAM_NOT_CONNECTED',
    });
    expect(thrown(() => socket.remoteAddress())).toMatchObject({ code: 'ERR_SOCKET_DGRAM_NOT_CONNECTED' });
    socket.connect(second.address().port, '127.0.0.1');
    await next(socket, 'connect');
    expect(socket.remoteAddress().port).toBe(second.address().port);
    const message = next<Message>(second, 'message');
    socket.send('hello');
    expect((await message)[0].toString()).toBe('hello');
  });

  test('what is sent just before and just after a disconnect', async () => {
    const peer = await scene.bound();
    const other = await scene.bound();
    const socket = await scene.bound();
    socket.connect(peer.address().port, '127.0.0.1');
    await next(socket, 'connect');
    const messages = Promise.all([next<Message>(peer, 'message'), next<Message>(other, 'message')]);
    const before = sent((callback) => socket.send('before', callback));
    socket.disconnect();
    const after = sent((callback) => socket.send('after', other.address().port, '127.0.0.1', callback));
    expect(await Promise.all([before, after])).toEqual([
      { error: null, bytes: 6 },
      { error: null, bytes: 5 },
    ]);
    expect((await messages).map(([data]) => data.toString())).toEqual(['before', 'after']);
  });

  test('an address of the other family, with a callback and without', async () => {
    const socket = await scene.bound();
    const refusal = { kind: 'Error', code: 'EINVAL', syscall: 'connect', address: '::1', port: 9 };
    const told = await new Promise((resolve) => socket.connect(9, '::1', resolve as () => void));
    expect(factsOf(told)).toEqual(refusal);
    expect(socket.listenerCount('connect')).toBe(0);
    const failed = new Promise((resolve) => socket.once('error', resolve));
    socket.connect(9, '::1');
    expect(factsOf(await failed)).toEqual(refusal);
    const { port } = socket.address();
    socket.connect(port, '127.0.0.1');
    await next(socket, 'connect');
    expect(socket.remoteAddress().port).toBe(port);
  });

  test('closing while connecting', async () => {
    const socket = scene.create();
    const log = logOf(socket);
    socket.connect(9, '127.0.0.1');
    socket.close();
    await next(socket, 'close');
    await new Promise(setImmediate);
    expect(log).toEqual(['listening', 'close']);
  });

  test('sending and closing at once', async () => {
    const peer = await scene.bound();
    const socket = scene.create();
    socket.connect(peer.address().port, '127.0.0.1');
    await next(socket, 'connect');
    const log: string[] = [];
    const message = next<Message>(peer, 'message');
    const end = next(socket, 'close');
    socket.on('close', () => log.push('close'));
    socket.send('last', (error, bytes) => log.push(`sent ${error} ${bytes}`));
    socket.close();
    await end;
    expect(log).toEqual(['sent null 4', 'close']);
    expect((await message)[0].toString()).toBe('last');
  });

  test.runIf(isToldOfUnreachable(scene.backend))(
    'a peer that is not there is an error of receiving',
    async () => {
      const port = await deadPort(scene);
      const socket = await scene.bound();
      socket.connect(port, '127.0.0.1');
      await next(socket, 'connect');
      const failed = new Promise((resolve) => socket.once('error', resolve));
      socket.send('anybody?');
      expect(factsOf(await failed)).toEqual({ kind: 'Error', code: 'ECONNREFUSED', syscall: 'recvmsg' });
    },
  );
});
