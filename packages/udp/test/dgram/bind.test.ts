/** From `createSocket` to `listening`, and to `close`. */

import { expect, test } from 'vitest';
import { onWindows, refusesForeignAddresses } from '../../../../system.shared.js';
import { hasIpv6 } from '../support.js';
import { factsOf, logOf, next, nextError, onEachModule, thrown } from './support.js';

onEachModule('binding', (scene) => {
  test('has the type, and no listener but the one given', () => {
    const listener = () => {};
    const socket = scene.create({ type: 'udp4' }, listener);
    expect((socket as unknown as { type: string }).type).toBe('udp4');
    expect(socket.listeners('message')).toEqual([listener]);
    expect(socket.listenerCount('error')).toBe(0);
  });

  test('takes a free port of all addresses', async () => {
    const socket = scene.create();
    expect(socket.bind()).toBe(socket);
    await next(socket, 'listening');
    expect(socket.address()).toEqual({ address: '0.0.0.0', family: 'IPv4', port: expect.any(Number) });
    expect(socket.address().port).toBeGreaterThan(0);
  });

  test.runIf(hasIpv6)('takes all addresses of IPv6', async () => {
    const socket = scene.create('udp6');
    socket.bind();
    await next(socket, 'listening');
    expect(socket.address()).toMatchObject({ address: '::', family: 'IPv6' });
  });

  const forms = [
    ['(callback)', []],
    ['(port, callback)', [0]],
    ['(port, address, callback)', [0, '127.0.0.1']],
    ['(undefined, address, callback)', [undefined, '127.0.0.1']],
    ['(options, callback)', [{ port: 0, address: '127.0.0.1', exclusive: true }]],
    ['(options without a port, callback)', [{ address: 'localhost' }]],
    ['({}, callback)', [{}]],
  ] as const;
  test.each(forms)('bind%s', async (_form, args) => {
    const socket = scene.create();
    const self = await new Promise((resolve) => {
      const bind = socket.bind as (...args: unknown[]) => unknown;
      bind.call(socket, ...args, function (this: unknown) {
        resolve(this);
      });
    });
    expect(self).toBe(socket);
    expect(socket.listenerCount('listening')).toBe(0);
    const isAny = JSON.stringify(args).includes('address') || args.length > 1;
    expect(socket.address().address).toBe(isAny ? '127.0.0.1' : '0.0.0.0');
  });

  test('nothing happens before bind has returned, and a port cannot be chosen twice', async () => {
    const socket = scene.create();
    const log = logOf(socket);
    socket.bind(0, '127.0.0.1', () => log.push('callback'));
    log.push('returned');
    expect(thrown(() => socket.bind(0))).toEqual({ kind: 'Error', code: 'ERR_SOCKET_ALREADY_BOUND' });
    expect(thrown(() => socket.address())).toMatchObject({ code: 'EBADF' });
    await next(socket, 'listening');
    expect(log).toEqual(['returned', 'listening', 'callback']);
  });

  test('a port in use, and another try', async () => {
    const first = await scene.bound();
    const { port } = first.address();
    const second = scene.create();
    let called = false;
    second.bind(port, '127.0.0.1', () => {
      called = true;
    });
    expect(await nextError(second)).toEqual({
      kind: 'Error',
      code: 'EADDRINUSE',
      syscall: 'bind',
      address: '127.0.0.1',
      port,
    });
    second.bind(0, '127.0.0.1');
    await next(second, 'listening');
    expect(called).toBe(false);
    expect(second.address().port).not.toBe(port);
  });

  test('the message of an error begins as that of Node', async () => {
    const { port } = (await scene.bound()).address();
    const socket = scene.create();
    socket.bind(port, '127.0.0.1');
    const error = await new Promise<Error>((resolve) => socket.once('error', resolve));
    expect(error.message).toMatch(new RegExp(`^bind EADDRINUSE 127\\.0\\.0\\.1:${port}`));
  });

  const foreign = '203.0.113.1';
  const impossible = [
    ['an address of the other family', 'udp4', '::1', 'EINVAL'],
    ['an address of the other family', 'udp6', '127.0.0.1', 'EINVAL'],
    ['an address of another machine', 'udp4', foreign, 'EADDRNOTAVAIL'],
  ] as const;
  const refused = impossible.filter(([, , address]) => address !== foreign || refusesForeignAddresses);
  test.each(refused)('%s (%s, %s)', async (_title, type, address, code) => {
    const socket = scene.create(type);
    socket.bind({ address });
    expect(await nextError(socket)).toEqual({ kind: 'Error', code, syscall: 'bind', address });
  });

  test('ipv6Only is nothing for IPv4', async () => {
    const socket = scene.create({ type: 'udp4', ipv6Only: true });
    socket.bind();
    expect(await nextError(socket)).toMatchObject({ code: 'EINVAL', syscall: 'bind' });
  });

  test('a name that nobody knows', async () => {
    const lookup = (name: string, family: number, callback: (error: Error) => void) =>
      setImmediate(
        callback,
        Object.assign(new Error(`no ${name} of ${family}`), { code: 'ENOTFOUND', syscall: 'query' }),
      );
    const socket = scene.create({ type: 'udp4', lookup });
    socket.bind(0, 'nowhere.test');
    const error = await new Promise<Error>((resolve) => socket.once('error', resolve));
    expect(factsOf(error)).toEqual({ kind: 'Error', code: 'ENOTFOUND', syscall: 'query' });
    expect(error.message).toBe('no nowhere.test of 4');
  });

  test('a lookup is asked for everything, with the family', async () => {
    const asked: unknown[] = [];
    const lookup = (name: string, family: unknown, callback: (error: null, address: string) => void) => {
      asked.push([name, family]);
      setImmediate(callback, null, '127.0.0.1');
    };
    const socket = scene.create({ type: 'udp4', lookup });
    socket.bind(0, 'here.test');
    await next(socket, 'listening');
    const { port, address } = socket.address();
    expect(address).toBe('127.0.0.1');
    socket.send('x', port, 'there.test');
    await next(socket, 'message');
    socket.send('x', port);
    await next(socket, 'message');
    expect(asked).toEqual([
      ['here.test', 4],
      ['there.test', 4],
      ['127.0.0.1', 4],
    ]);
  });

  test.skipIf(onWindows)('reuseAddr shares a port', async () => {
    const first = scene.create({ type: 'udp4', reuseAddr: true });
    first.bind(0, '127.0.0.1');
    await next(first, 'listening');
    const second = scene.create({ type: 'udp4', reuseAddr: true });
    second.bind(first.address().port, '127.0.0.1');
    await next(second, 'listening');
    expect(second.address()).toEqual(first.address());
  });

  test('sizes of buffers are set before listening', async () => {
    const plain = await scene.bound();
    const socket = scene.create({ type: 'udp4', recvBufferSize: 20_000, sendBufferSize: 30_000 });
    socket.bind(0, '127.0.0.1');
    await next(socket, 'listening');
    const sizes = [socket.getRecvBufferSize(), socket.getSendBufferSize()];
    // Linux doubles what it is told, and tells it doubled.
    const factor = process.platform === 'linux' ? 2 : 1;
    expect(sizes).toEqual([20_000 * factor, 30_000 * factor]);
    expect(sizes[0]).not.toBe(plain.getRecvBufferSize());
  });
});

onEachModule('closing', (scene) => {
  test('tells so in a later tick, once', async () => {
    const socket = await scene.bound();
    const log = logOf(socket);
    expect(socket.close(() => log.push('callback'))).toBe(socket);
    log.push('returned');
    await next(socket, 'close');
    expect(log).toEqual(['returned', 'close', 'callback']);
  });

  test('a socket that was never bound', async () => {
    const socket = scene.create();
    const log = logOf(socket);
    socket.close();
    await next(socket, 'close');
    expect(log).toEqual(['close']);
  });

  test('a socket that is being bound never listens', async () => {
    const socket = scene.create();
    const log = logOf(socket);
    socket.bind(0);
    socket.close();
    expect(thrown(() => socket.close())).toMatchObject({ code: 'ERR_SOCKET_DGRAM_NOT_RUNNING' });
    await next(socket, 'close');
    await new Promise(setImmediate);
    expect(log).toEqual(['close']);
  });

  test('a socket whose name is being looked up', async () => {
    let answer: (() => void) | undefined;
    const lookup = (_name: string, _family: number, callback: (error: null, address: string) => void) => {
      answer = () => callback(null, '127.0.0.1');
    };
    const socket = scene.create({ type: 'udp4', lookup });
    const log = logOf(socket);
    socket.bind(0, 'slow.test');
    socket.close();
    await next(socket, 'close');
    answer?.();
    await new Promise(setImmediate);
    expect(log).toEqual(['close']);
  });

  test('after the first send of a socket that was not bound', async () => {
    const socket = scene.create();
    const log = logOf(socket);
    socket.send('x', 9, '127.0.0.1');
    expect(socket.close()).toBe(socket);
    await next(socket, 'close');
    expect(log).toEqual(['listening', 'close']);
  });

  test('in a listener, with datagrams still to come', async () => {
    const receiver = await scene.bound();
    const sender = await scene.bound();
    const got: string[] = [];
    receiver.on('message', (data) => {
      got.push(data.toString());
      receiver.close();
    });
    const { port } = receiver.address();
    for (const text of ['a', 'b', 'c']) sender.send(text, port, '127.0.0.1');
    await next(receiver, 'close');
    await new Promise(setImmediate);
    expect(got).toEqual(['a']);
  });

  test('gives the port back', async () => {
    const first = await scene.bound();
    const { port } = first.address();
    first.close();
    await next(first, 'close');
    const second = scene.create();
    second.bind(port, '127.0.0.1');
    await next(second, 'listening');
    expect(second.address().port).toBe(port);
  });

  test('by a signal', async () => {
    const controller = new AbortController();
    const socket = await scene.bound({ type: 'udp4', signal: controller.signal });
    controller.abort();
    await next(socket, 'close');
    expect(thrown(() => socket.address())).toMatchObject({ code: 'ERR_SOCKET_DGRAM_NOT_RUNNING' });
  });

  test('by a signal that had fired before', async () => {
    const socket = scene.create({ type: 'udp4', signal: AbortSignal.abort() });
    const log = logOf(socket);
    await next(socket, 'close');
    expect(log).toEqual(['close']);
  });

  test('at the end of a block', async () => {
    const socket = await scene.bound();
    const log = logOf(socket);
    await socket[Symbol.asyncDispose]();
    expect(log).toEqual(['close']);
    await socket[Symbol.asyncDispose]();
    expect(log).toEqual(['close']);
  });
});
