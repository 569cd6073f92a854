import { networkInterfaces } from 'node:os';
import { expect, test } from 'vitest';
import { noMemberCode, onWindows } from '../../../system.shared.js';
import type { UdpSocket } from '../src/index.js';
import { onEachBackend, textFrom, thrownCode, until } from './support.js';

const group = '239.255.77.81';
const sourceGroup = '232.77.81.1';
const loopback = '127.0.0.1';
const loopbackName = Object.entries(networkInterfaces()).find(([, addresses]) =>
  addresses?.some(({ address }) => address === loopback),
)?.[0];

onEachBackend('multicast', (fixture) => {
  const receiver = (): Promise<UdpSocket> => fixture.bind({ host: '0.0.0.0', reuseAddress: true });
  const sender = (): Promise<UdpSocket> =>
    fixture.bind({ host: loopback, multicastInterface: loopback, multicastLoop: true, multicastTtl: 0 });

  test('members get what is sent to a group, until they leave', async () => {
    const member = await receiver();
    const other = await receiver();
    const from = await sender();
    member.addMembership(group, loopback);
    const to = { address: group, port: member.address().port };
    from.send('to the group', to);
    expect(await textFrom(member)).toBe('to the group');
    expect(thrownCode(() => member.addMembership(group, loopback))).toEqual(
      onWindows ? expect.any(String) : 'EADDRINUSE',
    );
    member.dropMembership(group, loopback);
    expect(thrownCode(() => member.dropMembership(group, loopback))).toBe(noMemberCode);
    from.send('to nobody', to);
    await until(() => from.stats.sent === 2);
    from.send('to one', { address: loopback, port: to.port });
    expect(await textFrom(member)).toBe('to one');
    expect(other.stats.received).toBe(0);
  });

  test('of one sender only', async () => {
    const member = await receiver();
    const from = await sender();
    const to = { address: sourceGroup, port: member.address().port };
    member.addSourceSpecificMembership(loopback, sourceGroup, loopback);
    from.send('from the right one', to);
    expect(await textFrom(member)).toBe('from the right one');
    member.dropSourceSpecificMembership(loopback, sourceGroup, loopback);
  });

  test('what is no group, and no interface', async () => {
    const socket = await receiver();
    expect(thrownCode(() => socket.addMembership('127.0.0.1', loopback))).toBe('EINVAL');
    expect(thrownCode(() => socket.addMembership(group, 'no-such-interface'))).toBe('ENODEV');
    expect(thrownCode(() => socket.dropMembership(group))).toBe(noMemberCode);
  });

  test.runIf(!onWindows && loopbackName !== undefined)('an interface by its name', async () => {
    const member = await receiver();
    member.addMembership(group, loopbackName);
    const from = await fixture.bind({ host: loopback, multicastInterface: loopbackName });
    from.send('by name', { address: group, port: member.address().port });
    expect(await textFrom(member)).toBe('by name');
  });
});
