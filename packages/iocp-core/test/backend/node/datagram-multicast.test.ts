/** Multicast groups on `node:dgram`. */

import { networkInterfaces } from 'node:os';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DatagramAddress } from '../../../src/layer/datagram-address.js';
import type { Socket } from '../../../src/port/socket.js';
import { addressOf, DatagramRig, hasIpv6, loopback } from './datagram-rig.js';

/** An interface with a link-local address: the loopback of Linux carries no multicasts of IPv6. */
const linkLocal = Object.entries(networkInterfaces())
  .flatMap(([name, all = []]) =>
    all.flatMap((each) =>
      each.family === 'IPv6' && each.scopeid > 0
        ? [{ name, index: each.scopeid, address: each.address }]
        : [],
    ),
  )
  .at(0);

let rig: DatagramRig;

beforeEach(() => {
  rig = new DatagramRig();
});

afterEach(() => rig.close());

// Elsewhere the loopback need not carry multicasts.
describe.runIf(process.platform === 'linux')('multicast', () => {
  const group = '239.255.77.1';

  async function members() {
    const receiving = await rig.open({ local: { host: '0.0.0.0', port: 0 } });
    const sending = await rig.open({ local: loopback, options: { multicastInterface: 'lo' } });
    return { receiving, sending, to: DatagramAddress.of(group, addressOf(receiving).port) };
  }

  test('from any source, by address, name and number of the interface', async () => {
    for (const through of ['127.0.0.1', 'lo', '1']) {
      const { receiving, sending, to } = await members();
      receiving.changeMembership({ action: 'join', group, interface: through });
      const receiver = rig.receiveOn(receiving);
      await rig.sendOn(sending, (list) => list.add(Buffer.from('heard'), to));
      await receiver.until(({ arrived }) => arrived.length === 1);
      receiving.changeMembership({ action: 'leave', group, interface: through });
      await rig.sendOn(sending, (list) => list.add(Buffer.from('not heard'), to));
      const direct = DatagramAddress.of('127.0.0.1', to.port);
      await rig.sendOn(sending, (list) => list.add(Buffer.from('last'), direct));
      await receiver.until(({ texts }) => texts.includes('last'));
      expect(receiver.texts).toEqual(['heard', 'last']);
    }
  });

  test('from one source only', async () => {
    const { receiving, sending, to } = await members();
    const other = await rig.open({
      local: { host: '127.0.0.2', port: 0 },
      options: { multicastInterface: 'lo' },
    });
    const wanted = { group, source: '127.0.0.1', interface: 'lo' } as const;
    receiving.changeMembership({ action: 'join', ...wanted });
    const receiver = rig.receiveOn(receiving);
    await rig.sendOn(other, (list) => list.add(Buffer.from('not wanted'), to));
    await rig.sendOn(sending, (list) => list.add(Buffer.from('wanted'), to));
    await receiver.until(({ arrived }) => arrived.length > 0);
    receiving.changeMembership({ action: 'leave', ...wanted });
    expect(receiver.texts).toEqual(['wanted']);
  });

  test('refuses what is not there', async () => {
    const socket = await rig.open();
    const change = (membership: Parameters<Socket['changeMembership']>[0], code: string) =>
      expect(() => socket.changeMembership(membership)).toThrow(expect.objectContaining({ code }));
    change({ action: 'join', group, interface: 'no-such-interface' }, 'ENODEV');
    change({ action: 'join', group, interface: '192.0.2.77' }, 'ENODEV');
    change({ action: 'join', group, interface: '4711' }, 'ENODEV');
    change({ action: 'join', group: 'ff02::1', interface: 'lo' }, 'EAFNOSUPPORT');
    change({ action: 'join', group: '127.0.0.1', interface: 'lo' }, 'EINVAL');
    change({ action: 'leave', group, interface: 'lo' }, 'EADDRNOTAVAIL');
    socket.changeMembership({ action: 'join', group, interface: 'lo' });
    change({ action: 'join', group, interface: 'lo' }, 'EADDRINUSE');
  });

  test.runIf(hasIpv6)('of both families on an IPv6 socket', async () => {
    const socket = await rig.open({ local: { host: '::', port: 0 }, options: { multicastInterface: 'lo' } });
    expect(socket.getOption('multicastInterface')).toBe('lo');
    const groups = ['ff02::4d', 'ff02::4e%lo', group];
    for (const each of groups) {
      const through = each.includes('%') ? {} : { interface: 'lo' };
      socket.changeMembership({ action: 'join', group: each, ...through });
      socket.changeMembership({ action: 'leave', group: each, ...through });
    }
  });

  test.runIf(linkLocal !== undefined)('on one link', async () => {
    const { name = '', index = 0, address = '' } = linkLocal ?? {};
    const socket = await rig.open({
      local: { host: '::', port: 0 },
      options: { multicastInterface: `${index}` },
    });
    const sender = await rig.open({ local: { host: `${address}%${name}`, port: 0 } });
    expect(socket.getOption('multicastInterface')).toBe(name);
    socket.changeMembership({ action: 'join', group: 'ff02::4d', interface: address });
    const [atSocket, atSender] = [rig.receiveOn(socket), rig.receiveOn(sender)];
    atSocket.keeps = true;
    const to = DatagramAddress.of(`ff02::4d%${index}`, addressOf(socket).port);
    const sent = await rig.sendOn(sender, (list) => list.add(Buffer.from('to all'), to));
    expect(sent).toEqual({ taken: 1, refused: [] });
    await atSocket.until(({ arrived }) => arrived.length === 1);
    expect(atSocket.arrived[0]?.sender).toMatchObject({ address, scopeId: index });
    await rig.sendOn(socket, (list) => list.addReply(Buffer.from('to one'), atSocket.kept[0] ?? -1));
    atSocket.giveBack();
    await atSender.until(({ arrived }) => arrived.length === 1);
    expect(atSender.texts).toEqual(['to one']);
  });
});
