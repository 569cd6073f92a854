/** Sending, and receiving what was sent. */

import { AsyncLocalStorage } from 'node:async_hooks';
import { BlockList } from 'node:net';
import { captureUncaught } from '@iocp/testkit';
import { expect, test } from 'vitest';
import { hasIpv6 } from '../support.js';
import { logOf, next, onEachModule, type Sent, type Socket, sent } from './support.js';

type Message = [data: Buffer, sender: unknown];
type Callback = (error: Error | null, bytes: number) => void;
type Send = (...args: unknown[]) => void;
const sendOf = (socket: Socket) => socket.send.bind(socket) as Send;

/** Node.js has block lists of sockets since 22.13 and 23.7. */
const nodeHasBlockLists = (() => {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  return major > 23 || (major === 23 && minor >= 7) || (major === 22 && minor >= 13);
})();

const bytes = new Uint8Array([0x78, 0x79, 0x7a]);
const forms = [
  ['(string, port, address)', (port: number) => ['xyz', port, '127.0.0.1'], 'xyz'],
  ['(string, port)', (port: number) => ['xyz', port], 'xyz'],
  ['(string, port as text)', (port: number) => ['xyz', String(port)], 'xyz'],
  ['(Buffer, port, name)', (port: number) => [Buffer.from('xyz'), port, 'localhost'], 'xyz'],
  ['(Uint8Array, port, address)', (port: number) => [bytes, port, '127.0.0.1'], 'xyz'],
  ['(DataView, port, address)', (port: number) => [new DataView(bytes.buffer, 1), port, '127.0.0.1'], 'yz'],
  ['(Uint16Array, port)', (port: number) => [new Uint16Array(bytes.buffer, 0, 1), port], 'xy'],
  ['(list, port, address)', (port: number) => [['x', Buffer.from('y'), bytes], port, '127.0.0.1'], 'xyxyz'],
  ['(empty list, port, address)', (port: number) => [[], port, '127.0.0.1'], ''],
  ['(empty string, port, address)', (port: number) => ['', port, '127.0.0.1'], ''],
  ['(msg, offset, length, port, address)', (port: number) => ['vwxyz', 1, 3, port, '127.0.0.1'], 'wxy'],
  ['(msg, offset, length, port)', (port: number) => [Buffer.from('vwxyz'), 4, 1, port], 'z'],
  ['(msg, 0, 0, port)', (port: number) => ['xyz', 0, 0, port], ''],
] as const;

onEachModule('sending', (scene) => {
  test.each(forms)('send%s', async (_form, argsFor, text) => {
    const receiver = await scene.bound();
    const sender = await scene.bound();
    const message = next<Message>(receiver, 'message');
    const result = await sent((callback) => sendOf(sender)(...argsFor(receiver.address().port), callback));
    expect(result).toEqual({ error: null, bytes: text.length });
    const [data, from] = await message;
    expect(data).toBeInstanceOf(Buffer);
    expect(data.toString()).toBe(text);
    expect(from).toEqual({ ...sender.address(), size: text.length });
  });

  test.each(forms)('send%s without a callback', async (_form, argsFor, text) => {
    const receiver = await scene.bound();
    const sender = await scene.bound();
    const message = next<Message>(receiver, 'message');
    sendOf(sender)(...argsFor(receiver.address().port));
    expect((await message)[0].toString()).toBe(text);
  });

  test('binds by itself, and keeps the order', async () => {
    const receiver = await scene.bound();
    const { port } = receiver.address();
    const got: string[] = [];
    const all = new Promise<void>((resolve) => {
      receiver.on('message', (data) => {
        got.push(data.toString());
        if (got.length === 5) resolve();
      });
    });
    const sender = scene.create();
    const log = logOf(sender);
    const results = ['a', 'b', 'c', 'd', 'e'].map((text) =>
      sent((callback) => sender.send(text, port, '127.0.0.1', callback)),
    );
    expect(await Promise.all(results)).toEqual(Array(5).fill({ error: null, bytes: 1 }));
    await all;
    expect(got).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(log).toEqual(['listening']);
    expect(sender.address().address).toBe('0.0.0.0');
  });

  test('calls back later, in order', async () => {
    const socket = await scene.bound();
    const { port } = socket.address();
    const log: string[] = [];
    const last = new Promise<void>((resolve) => {
      socket.send('a', port, '127.0.0.1', () => log.push('a sent'));
      socket.send('b', port, '127.0.0.1', () => {
        log.push('b sent');
        resolve();
      });
    });
    log.push('returned');
    await last;
    expect(log).toEqual(['returned', 'a sent', 'b sent']);
  });

  test('the largest datagram, and one byte more', async () => {
    const receiver = await scene.bound();
    const sender = await scene.bound();
    const { port } = receiver.address();
    const largest = Buffer.alloc(65_507, 'ab');
    const message = next<Message>(receiver, 'message');
    expect(await sent((callback) => sender.send(largest, port, '127.0.0.1', callback))).toMatchObject({
      bytes: 65_507,
    });
    const [data, from] = await message;
    expect(data.equals(largest)).toBe(true);
    expect(from).toMatchObject({ size: 65_507 });
    const tooLarge = Buffer.alloc(65_508);
    expect(await sent((callback) => sender.send(tooLarge, port, '127.0.0.1', callback))).toEqual({
      error: { kind: 'Error', code: 'EMSGSIZE', syscall: 'send', address: '127.0.0.1', port },
    });
  });

  test('without a callback, what the system refuses is told to nobody', async () => {
    const socket = await scene.bound();
    const log = logOf(socket);
    const { port } = socket.address();
    socket.send(Buffer.alloc(65_508), port, '127.0.0.1');
    socket.send('x', port, '::1');
    socket.send('end', port, '127.0.0.1');
    await next(socket, 'message');
    expect(log).toEqual(['message end']);
  });

  test('an address of the other family', async () => {
    const socket = await scene.bound();
    expect(await sent((callback) => socket.send('x', 9, '::1', callback))).toEqual({
      error: { kind: 'Error', code: 'EINVAL', syscall: 'send', address: '::1', port: 9 },
    });
  });

  const unknown = (
    name: string,
    _family: number,
    callback: (error: Error | null, address?: string) => void,
  ) => {
    if (name !== 'nowhere.test') setImmediate(callback, null, name);
    else setImmediate(callback, Object.assign(new Error('none'), { code: 'ENOTFOUND' }));
  };

  test('to a name that nobody knows', async () => {
    const socket = await scene.bound({ type: 'udp4', lookup: unknown });
    const result: Sent = await sent((callback) => socket.send('x', 9, 'nowhere.test', callback));
    expect(result).toEqual({ error: { kind: 'Error', code: 'ENOTFOUND' } });
  });

  test('to a name that nobody knows, without a callback', async () => {
    const socket = await scene.bound({ type: 'udp4', lookup: unknown });
    const failed = new Promise((resolve) => socket.once('error', resolve));
    socket.send('x', 9, 'nowhere.test');
    expect(await failed).toMatchObject({ code: 'ENOTFOUND' });
  });

  test('broadcast needs to be allowed', async () => {
    const socket = scene.create();
    socket.bind(0);
    await next(socket, 'listening');
    const result = await sent((callback) => socket.send('x', 9, '255.255.255.255', callback));
    expect(result).toMatchObject({ error: { code: 'EACCES', syscall: 'send' } });
  });

  test('callbacks may send', async () => {
    const receiver = await scene.bound();
    const sender = await scene.bound();
    const { port } = receiver.address();
    const got: string[] = [];
    const all = new Promise<void>((resolve) => {
      receiver.on('message', (data) => {
        got.push(data.toString());
        if (got.length === 3) resolve();
      });
    });
    let left = 3;
    const again: Callback = () => {
      if (left > 0) sender.send(String(left--), port, '127.0.0.1', again);
    };
    again(null, 0);
    await all;
    expect(got).toEqual(['3', '2', '1']);
  });

  test('the queue empties', async () => {
    const socket = await scene.bound();
    const { port } = socket.address();
    expect([socket.getSendQueueSize(), socket.getSendQueueCount()]).toEqual([0, 0]);
    await sent((callback) => socket.send('hello', port, '127.0.0.1', callback));
    expect([socket.getSendQueueSize(), socket.getSendQueueCount()]).toEqual([0, 0]);
  });
});

onEachModule('receiving', (scene) => {
  test('each datagram before what the one before it leads to has happened', async () => {
    const receiver = await scene.bound();
    const sender = await scene.bound();
    const { port } = receiver.address();
    for (const text of ['a', 'b', 'c']) sender.send(text, port, '127.0.0.1');
    // Whoever waits for one after the other misses none, although all three have arrived.
    const got: string[] = [];
    for (let each = 0; each < 3; each++) got.push((await next<Message>(receiver, 'message'))[0].toString());
    expect(got).toEqual(['a', 'b', 'c']);
  });

  test('ticks run between datagrams', async () => {
    const receiver = await scene.bound();
    const sender = await scene.bound();
    const log: string[] = [];
    const all = new Promise<void>((resolve) => {
      receiver.on('message', (data) => {
        log.push(data.toString());
        process.nextTick(() => log.push(`tick of ${data}`));
        queueMicrotask(() => log.push(`microtask of ${data}`));
        if (data.toString() === 'b') setImmediate(resolve);
      });
    });
    const { port } = receiver.address();
    for (const text of ['a', 'b']) sender.send(text, port, '127.0.0.1');
    await all;
    expect(log).toEqual(['a', 'tick of a', 'microtask of a', 'b', 'tick of b', 'microtask of b']);
  });

  test('what a listener throws is uncaught, and the others are delivered', async () => {
    const receiver = await scene.bound();
    const sender = await scene.bound();
    const got: string[] = [];
    const uncaught = await captureUncaught(async () => {
      const all = new Promise<void>((resolve) => {
        receiver.on('message', (data) => {
          got.push(data.toString());
          if (got.length === 3) setImmediate(resolve);
          throw new Error(`thrown at ${data}`);
        });
      });
      const { port } = receiver.address();
      for (const text of ['a', 'b', 'c']) sender.send(text, port, '127.0.0.1');
      await all;
    });
    expect(got).toEqual(['a', 'b', 'c']);
    expect(uncaught.map((error) => (error as Error).message)).toEqual([
      'thrown at a',
      'thrown at b',
      'thrown at c',
    ]);
  });

  test('listeners run in the context in which the socket was made', async () => {
    const storage = new AsyncLocalStorage<string>();
    const receiver = storage.run('made', () => scene.create());
    await storage.run('bound', async () => {
      receiver.bind(0, '127.0.0.1');
      await next(receiver, 'listening');
    });
    const context = new Promise((resolve) => {
      storage.run('listened', () => receiver.on('message', () => resolve(storage.getStore())));
    });
    const sender = await scene.bound();
    storage.run('sent', () => sender.send('x', receiver.address().port, '127.0.0.1'));
    expect(await context).toBe('made');
  });

  test('bytes may be kept', async () => {
    const receiver = await scene.bound();
    const sender = await scene.bound();
    const kept: Buffer[] = [];
    const all = new Promise<void>((resolve) => {
      receiver.on('message', (data) => {
        kept.push(data);
        if (kept.length === 50) resolve();
      });
    });
    const { port } = receiver.address();
    for (let each = 0; each < 50; each++) sender.send(Buffer.alloc(100, each), port, '127.0.0.1');
    await all;
    for (const [index, data] of kept.entries()) expect(data.equals(Buffer.alloc(100, index))).toBe(true);
  });

  test('every listener has the same arguments', async () => {
    const receiver = await scene.bound({ type: 'udp4' });
    const calls: unknown[][] = [];
    receiver.on('message', (...args) => calls.push(args));
    receiver.on('message', (...args) => calls.push(args));
    receiver.send('x', receiver.address().port, '127.0.0.1');
    await next(receiver, 'message');
    expect(calls).toHaveLength(2);
    expect(calls[0]).toHaveLength(2);
    expect(calls[0]?.[0]).toBe(calls[1]?.[0]);
    expect(calls[0]?.[1]).toBe(calls[1]?.[1]);
    expect(Object.keys(calls[0]?.[1] as object)).toEqual(['address', 'family', 'port', 'size']);
  });

  test('the listener of createSocket answers', async () => {
    const server = await scene.bound('udp4', (data, from) => server.send(data, from.port, from.address));
    const client = await scene.bound();
    client.send('echo', server.address().port, '127.0.0.1');
    expect((await next<Message>(client, 'message'))[0].toString()).toBe('echo');
  });

  test.runIf(hasIpv6)('over IPv6, by address and by default', async () => {
    const receiver = await scene.bound('udp6');
    const sender = await scene.bound('udp6');
    const { port } = receiver.address();
    sender.send('x', port, '::1');
    const [, from] = await next<Message>(receiver, 'message');
    expect(from).toEqual({ address: '::1', family: 'IPv6', port: sender.address().port, size: 1 });
    sender.send('y', port);
    expect((await next<Message>(receiver, 'message'))[0].toString()).toBe('y');
  });

  test.runIf(hasIpv6)('a socket of IPv6 receives IPv4 unless it is told not to', async () => {
    const both = scene.create('udp6');
    both.bind(0);
    await next(both, 'listening');
    const sender = await scene.bound();
    sender.send('x', both.address().port, '127.0.0.1');
    const [, from] = await next<Message>(both, 'message');
    expect(from).toMatchObject({ address: '::ffff:127.0.0.1', family: 'IPv6', port: sender.address().port });
    const only = scene.create({ type: 'udp6', ipv6Only: true });
    only.bind(0);
    await next(only, 'listening');
    // The port is free for IPv4.
    const other = scene.create();
    other.bind(only.address().port);
    await next(other, 'listening');
    expect(other.address().port).toBe(only.address().port);
  });

  test.runIf(!scene.isNode || nodeHasBlockLists)('addresses can be blocked both ways', async () => {
    const list = new BlockList();
    list.addAddress('127.0.0.1');
    const deaf = await scene.bound({ type: 'udp4', receiveBlockList: list });
    const log = logOf(deaf);
    const sender = await scene.bound({ type: 'udp4', sendBlockList: list });
    const refusal = await sent((callback) => sender.send('x', deaf.address().port, '127.0.0.1', callback));
    expect(refusal).toEqual({ error: { kind: 'Error', code: 'ERR_IP_BLOCKED' } });
    const other = await scene.bound();
    await sent((callback) => other.send('x', deaf.address().port, '127.0.0.1', callback));
    // What follows it tells that it was dropped.
    const witness = await scene.bound();
    await sent((callback) => other.send('y', witness.address().port, '127.0.0.1', callback));
    await new Promise(setImmediate);
    expect(log).toEqual([]);
    const connected = new Promise((resolve) => sender.connect(9, '127.0.0.1', resolve as () => void));
    expect(await connected).toMatchObject({ code: 'ERR_IP_BLOCKED' });
  });
});
