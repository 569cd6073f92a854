/** Options of a bound socket, and multicast. */

import { expect, test } from 'vitest';
import { onWindows } from '../../../../system.shared.js';
import { hasIpv6 } from '../support.js';
import { logOf, next, onEachModule, sent, thrown } from './support.js';

const group = '239.255.67.83';
const sourceGroup = '232.17.67.83';

onEachModule('options', (scene) => {
  test('give back what Node gives back', async () => {
    const socket = await scene.bound();
    expect(socket.setTTL(7)).toBe(7);
    expect(socket.setTTL(1.5)).toBe(1.5);
    expect(socket.setMulticastTTL(0)).toBe(0);
    expect(socket.setMulticastTTL(255)).toBe(255);
    expect(socket.setMulticastLoopback(false)).toBe(false);
    expect(socket.setBroadcast(true)).toBeUndefined();
    expect(socket.setMulticastInterface('127.0.0.1')).toBeUndefined();
    expect(socket.setMulticastInterface('0.0.0.0')).toBeUndefined();
    expect(socket.setRecvBufferSize(50_000)).toBeUndefined();
    expect(socket.setSendBufferSize(60_000)).toBeUndefined();
    const factor = process.platform === 'linux' ? 2 : 1;
    expect(socket.getRecvBufferSize()).toBe(50_000 * factor);
    expect(socket.getSendBufferSize()).toBe(60_000 * factor);
    socket.setRecvBufferSize(0);
    expect(socket.getRecvBufferSize()).toBe(50_000 * factor);
  });

  test('ref and unref give back the socket', () => {
    const socket = scene.create();
    expect(socket.unref()).toBe(socket);
    expect(socket.ref()).toBe(socket);
  });

  test('an interface that is not there', async () => {
    const socket = await scene.bound();
    expect(thrown(() => socket.setMulticastInterface('203.0.113.1'))).toMatchObject({
      code: 'EADDRNOTAVAIL',
      syscall: 'setMulticastInterface',
    });
    expect(thrown(() => socket.addMembership(group, '203.0.113.1'))).toMatchObject({
      code: 'ENODEV',
      syscall: 'addMembership',
    });
  });

  test.runIf(hasIpv6 && process.platform === 'linux')('interfaces of IPv6 go by their zone', async () => {
    const socket = await scene.bound('udp6');
    expect(socket.setMulticastInterface('::%lo')).toBeUndefined();
    expect(socket.setMulticastInterface('::')).toBeUndefined();
    socket.addMembership('ff01::67:83', '::%lo');
    socket.dropMembership('ff01::67:83', '::%lo');
    expect(socket.setMulticastInterface('127.0.0.1')).toBeUndefined();
    const ipv4 = await scene.bound();
    expect(thrown(() => ipv4.setMulticastInterface('::%lo'))).toEqual({
      kind: 'Error',
      code: 'ENOPROTOOPT',
      syscall: 'setMulticastInterface',
    });
  });
});

onEachModule('multicast', (scene) => {
  /** Bound to all addresses, in the way of those who share a group. */
  const member = async (port = 0) => {
    const socket = scene.create({ type: 'udp4', reuseAddr: true });
    socket.bind(port);
    await next(socket, 'listening');
    socket.setMulticastInterface('127.0.0.1');
    socket.setMulticastLoopback(true);
    return socket;
  };

  test('a member gets what is sent to the group, until it leaves', async () => {
    const receiver = await member();
    const sender = await member();
    const { port } = receiver.address();
    receiver.addMembership(group, '127.0.0.1');
    sender.send('to all', port, group);
    expect(((await next(receiver, 'message')) as [Buffer])[0].toString()).toBe('to all');
    receiver.dropMembership(group, '127.0.0.1');
    const log = logOf(receiver);
    await sent((callback) => sender.send('unheard', port, group, callback));
    sender.send('direct', port, '127.0.0.1');
    await next(receiver, 'message');
    expect(log).toEqual(['message direct']);
  });

  test.skipIf(onWindows)('joining twice, and leaving twice', async () => {
    const socket = await member();
    socket.addMembership(group, '127.0.0.1');
    expect(thrown(() => socket.addMembership(group, '127.0.0.1'))).toEqual({
      kind: 'Error',
      code: 'EADDRINUSE',
      syscall: 'addMembership',
    });
    socket.dropMembership(group, '127.0.0.1');
    expect(thrown(() => socket.dropMembership(group, '127.0.0.1'))).toEqual({
      kind: 'Error',
      code: 'EADDRNOTAVAIL',
      syscall: 'dropMembership',
    });
  });

  test('a member for one source', async () => {
    const receiver = await member();
    const sender = await member();
    const { port } = receiver.address();
    receiver.addSourceSpecificMembership('127.0.0.1', sourceGroup, '127.0.0.1');
    sender.send('from the source', port, sourceGroup);
    expect(((await next(receiver, 'message')) as [Buffer])[0].toString()).toBe('from the source');
    receiver.dropSourceSpecificMembership('127.0.0.1', sourceGroup, '127.0.0.1');
    expect(
      thrown(() => receiver.dropSourceSpecificMembership('127.0.0.1', sourceGroup, '127.0.0.1')),
    ).toMatchObject({ syscall: 'dropSourceSpecificMembership' });
  });
});
