/** Options of datagram sockets, controls of single datagrams, multicast and broadcast, on each backend. */

import { DatagramList, type Socket, type SocketOptionName, type SocketOptions } from '@iocp/core';
import { DatagramAddress, type DatagramSendOptions } from '@iocp/core/layer';
import { whenQuiet } from '@iocp/testkit';
import { expect, test } from 'vitest';
import { nodeHasReusePort, noMemberCode, onWindows } from '../../../system.shared.js';
import { type Backend, describeBackends } from './support/backends.js';
import { addressOf, type Received, type ReceiveProbe } from './support/datagram-probes.js';
import { type DatagramScene, loopback, refusalOf, withScene } from './support/datagram-scene.js';

const notSupported = -95;
const refused = -111;
const permissionDenied = -13;

const text = (value: string) => Buffer.from(value);

/** What a backend must be able to do: all that Linux can, what `node:dgram` can; of Windows it depends on the release. */
function abilityOf(backend: Backend): 'all' | 'some' | 'none' {
  if (backend === 'node') return 'none';
  return backend === 'iocp' ? 'some' : 'all';
}

/** A socket that receives, with an option; undefined where it is refused, as it may be. */
async function receiverWith(
  scene: DatagramScene,
  backend: Backend,
  options: SocketOptions,
  slotBytes = 16_384,
): Promise<{ socket: Socket; received: ReceiveProbe } | undefined> {
  const port = scene.port({ pool: { slotBytes, maxSlots: 64 } });
  const ability = abilityOf(backend);
  try {
    const socket = await scene.socket(port, { options });
    expect(ability, 'it is not refused').not.toBe('none');
    return { socket, received: scene.receive(socket) };
  } catch (error) {
    expect(error).toMatchObject({ code: 'ENOPROTOOPT' });
    expect(ability, 'it is refused').not.toBe('all');
    return undefined;
  }
}

async function plainReceiver(scene: DatagramScene): Promise<{ socket: Socket; received: ReceiveProbe }> {
  const socket = await scene.socket(scene.port());
  return { socket, received: scene.receive(socket) };
}

describeBackends((backend) => {
  const scenario = (name: string, body: (scene: DatagramScene) => Promise<void>) =>
    test(name, () => withScene(backend, body), 60_000);

  /** Sends one datagram with controls and gives it as it arrived; undefined where it is refused, as it may be. */
  async function exchange(
    scene: DatagramScene,
    { socket, received }: { socket: Socket; received: ReceiveProbe },
    options: DatagramSendOptions,
  ): Promise<Received | undefined> {
    const sender = await scene.socket(socket.port, { local: { host: '0.0.0.0', port: 0 } });
    const before = received.datagrams.length;
    const sent = scene.send(sender, { data: text('x'), to: addressOf(socket), options });
    if ((await sent.settled()) === 0) {
      expect(abilityOf(backend), 'it is refused').not.toBe('all');
      expect([...sent.refused]).toEqual([[0, notSupported]]);
      return undefined;
    }
    expect(abilityOf(backend), 'it is not refused').not.toBe('none');
    await received.untilReceived(before + 1);
    return received.datagrams.at(-1);
  }

  scenario('options are set and read back', async (scene) => {
    const port = scene.port();
    const socket = await scene.socket(port, {
      options: { broadcast: true, multicastTtl: 7, multicastLoop: false, receiveBuffer: 100_000 },
    });
    expect(socket.getOption('broadcast')).toBe(true);
    expect(socket.getOption('multicastTtl')).toBe(7);
    expect(socket.getOption('multicastLoop')).toBe(false);
    expect(socket.getOption('receiveBuffer')).toBeGreaterThanOrEqual(100_000);
    socket.setOption('multicastTtl', 0);
    expect(socket.getOption('multicastTtl')).toBe(0);
    socket.setOption('multicastInterface', loopback);
    const name = socket.getOption('multicastInterface');
    expect(name).not.toBe('');
    socket.setOption('multicastInterface', '');
    expect(socket.getOption('multicastInterface')).toBe('');
    socket.setOption('multicastInterface', name);
    expect(socket.getOption('multicastInterface')).toBe(name);
    expect(() => socket.setOption('multicastInterface', 'no-such-interface')).toThrow(
      expect.objectContaining({ code: 'ENODEV' }),
    );
  });

  const told: readonly SocketOptionName[] = ['receiveDestination', 'receiveTos', 'receiveTtl'];
  for (const name of [...told, 'receiveErrors', 'receiveSegments', 'busyPoll'] as const) {
    scenario(`${name} is refused where it is not known, and kept elsewhere`, async (scene) => {
      const socket = await scene.socket(scene.port());
      const value = name === 'busyPoll' ? 0 : true;
      const set = () => (name === 'busyPoll' ? socket.setOption(name, 0) : socket.setOption(name, true));
      const unknown = expect.objectContaining({ code: 'ENOPROTOOPT' });
      const ability = abilityOf(backend);
      if (ability === 'all' || (ability === 'some' && told.includes(name))) {
        set();
        expect(socket.getOption(name)).toBe(value);
      } else if (ability === 'some' && name === 'receiveErrors') {
        set();
        // Windows cannot be asked for it.
        expect(() => socket.getOption(name)).toThrow(unknown);
      } else {
        expect(set).toThrow(unknown);
      }
    });
  }

  scenario('the address that a datagram was sent to is told', async (scene) => {
    const receiver = await receiverWith(scene, backend, { receiveDestination: true });
    if (receiver === undefined) return;
    const { socket, received } = receiver;
    expect(await scene.send(socket, { data: text('x'), to: addressOf(socket) }).settled()).toBe(1);
    await received.untilReceived(1);
    expect(received.datagrams[0]?.local?.address).toBe(loopback);
    expect(received.datagrams[0]?.interfaceIndex).toBeGreaterThan(0);
    expect(received.datagrams[0]).toMatchObject({ tos: undefined, ttl: undefined });
  });

  scenario('type of service, with ECN, and time to live are set and told for one datagram', async (scene) => {
    const receiver = await receiverWith(scene, backend, { receiveTos: true, receiveTtl: true });
    const target = receiver ?? (await plainReceiver(scene));
    for (const options of [{ tos: 0xb9 }, { ttl: 17 }, { tos: 2, ttl: 255 }, { tos: 0, ttl: 1 }]) {
      const datagram = await exchange(scene, target, options);
      if (receiver !== undefined && datagram !== undefined) expect(datagram).toMatchObject(options);
    }
  });

  scenario('the address to send from is chosen for one datagram', async (scene) => {
    const receiver = await plainReceiver(scene);
    // All of 127.0.0.0/8 is this machine, but not on every system.
    const source = DatagramAddress.of(onWindows ? loopback : '127.0.0.2', 0);
    const datagram = await exchange(scene, receiver, { source });
    if (datagram !== undefined) expect(datagram.from.address).toBe(source.address);
  });

  scenario(
    'datagrams that are joined arrive as they were, cut by the system or one by one',
    async (scene) => {
      const port = scene.port({ pool: { slotBytes: 131_072, maxSlots: 64 } });
      const server = await scene.socket(port);
      const client = await scene.socket(port);
      const received = scene.receive(server);
      const joined = new DatagramList(port);
      joined.coalesce = true;
      const expected = Array.from({ length: 30 }, (_, at) => `${at}`.padStart(at === 29 ? 50 : 1000, '.'));
      for (const each of expected) joined.add(text(each), addressOf(server));
      expect([joined.count, joined.datagrams]).toEqual([1, 30]);
      const parts = new DatagramList(port);
      const sent = scene.sendList(client, joined, (list) => {
        if (sent.refused.size > 0) parts.addPartsOf(list, 0);
      });
      const taken = await sent.settled();
      if (abilityOf(backend) === 'none') expect([...sent.refused]).toEqual([[0, notSupported]]);
      expect(taken + sent.refused.size).toBe(1);
      expect(parts.count).toBe(taken === 1 ? 0 : 30);
      if (parts.count > 0) expect(await scene.sendList(client, parts).settled()).toBe(30);
      await received.untilReceived(30);
      expect(received.texts).toEqual(expected.sort());
    },
  );

  scenario('datagrams of one size may be received together', async (scene) => {
    const receiver = await receiverWith(scene, backend, { receiveSegments: true }, 131_072);
    if (receiver === undefined) return;
    const { socket, received } = receiver;
    const joined = new DatagramList(socket.port);
    joined.coalesce = true;
    const whole = Buffer.alloc(40 * 1200 - 7, 'segments ');
    for (let at = 0; at < whole.length; at += 1200)
      joined.add(whole.subarray(at, at + 1200), addressOf(socket));
    const client = await scene.socket(socket.port);
    expect(await scene.sendList(client, joined).settled()).toBe(1);
    const bytes = () => Buffer.concat(received.datagrams.map(({ data }) => data));
    await received.until('all bytes', () => bytes().length >= whole.length);
    expect(bytes().equals(whole)).toBe(true);
    for (const { data, segmentBytes } of received.datagrams) {
      expect(segmentBytes).toBe(data.length > 1200 ? 1200 : 0);
    }
  });

  scenario('what the network answers to datagrams can be taken, with its address', async (scene) => {
    const port = scene.port();
    const nobody = DatagramAddress.of(loopback, await scene.freePort(port));
    if (abilityOf(backend) !== 'all') {
      expect((await scene.socket(port)).takeDatagramError()).toBeNull();
      return;
    }
    const socket = await scene.socket(port, { options: { receiveErrors: true } });
    expect(socket.takeDatagramError()).toBeNull();
    const received = scene.receive(socket);
    await scene.send(socket, { data: text('nobody'), to: nobody }).settled();
    expect(await received.settled()).toBe(refused);
    expect(socket.takeDatagramError()).toMatchObject({
      code: 'ECONNREFUSED',
      errno: refused,
      address: loopback,
      port: nobody.port,
      message: expect.stringContaining(`${nobody}`),
    });
    expect(socket.takeDatagramError()).toBeNull();
    const again = scene.receive(socket);
    expect(await scene.send(socket, { data: text('self'), to: addressOf(socket) }).settled()).toBe(1);
    await again.untilReceived(1);
  });

  scenario('what finds no room is dropped, and counted where the system does', async (scene) => {
    const port = scene.port();
    const server = await scene.socket(port, { options: { receiveBuffer: 5000 } });
    const client = await scene.socket(port);
    const data = Buffer.alloc(1000);
    for (let round = 0; round < 10; round++) {
      const batch = Array.from({ length: 20 }, () => ({ data, to: addressOf(server) }));
      expect(await scene.send(client, ...batch).settled()).toBe(20);
    }
    await whenQuiet(() => server.droppedDatagrams());
    const dropped = server.droppedDatagrams();
    if (abilityOf(backend) === 'all' && dropped === undefined) throw new Error('Linux tells it');
    const received = scene.receive(server);
    await whenQuiet(() => received.datagrams.length);
    expect(received.datagrams.length).toBeGreaterThan(0);
    expect(received.datagrams.length).toBeLessThan(200);
    if (abilityOf(backend) === 'all') expect(received.datagrams.length + (dropped ?? 0)).toBe(200);
  });

  scenario('members of a group get what is sent to it, until they leave', async (scene) => {
    const port = scene.port();
    const any = { host: '0.0.0.0', port: 0 };
    const member = await scene.socket(port, { local: any, reuseAddress: true });
    const group = '239.255.73.1';
    const own = addressOf(member).port;
    const sender = await scene.socket(port, {
      local: any,
      options: { multicastInterface: loopback, multicastLoop: true, multicastTtl: 0 },
    });
    const received = scene.receive(member);
    const send = async (data: string, to: string) => {
      expect(await scene.send(sender, { data: text(data), to: DatagramAddress.of(to, own) }).settled()).toBe(
        1,
      );
    };
    member.changeMembership({ action: 'join', group, interface: loopback });
    await send('group', group);
    await received.untilReceived(1);
    expect(() => member.changeMembership({ action: 'join', group, interface: loopback })).toThrow(
      expect.objectContaining({ code: onWindows ? expect.any(String) : 'EADDRINUSE', address: group }),
    );
    member.changeMembership({ action: 'leave', group, interface: loopback });
    await send('left', group);
    await send('direct', loopback);
    await received.untilReceived(2);
    expect(received.texts).toEqual(['direct', 'group']);
    expect(() => member.changeMembership({ action: 'leave', group, interface: loopback })).toThrow(
      expect.objectContaining({ code: noMemberCode }),
    );
    expect(() => member.changeMembership({ action: 'join', group: '192.0.2.1' })).toThrow(
      expect.objectContaining({ code: onWindows ? expect.any(String) : 'EINVAL' }),
    );
    expect(() => member.changeMembership({ action: 'join', group, interface: 'no-such-interface' })).toThrow(
      expect.objectContaining({ code: 'ENODEV' }),
    );
  });

  scenario('a member may want one sender only', async (scene) => {
    const port = scene.port();
    const any = { host: '0.0.0.0', port: 0 };
    const member = await scene.socket(port, { local: any, reuseAddress: true });
    const group = '232.73.1.1';
    const to = DatagramAddress.of(group, addressOf(member).port);
    const received = scene.receive(member);
    const membership = { group, source: loopback, interface: loopback } as const;
    member.changeMembership({ action: 'join', ...membership });
    const options = { multicastInterface: loopback, multicastLoop: true, multicastTtl: 0 } as const;
    const wanted = await scene.socket(port, { options });
    if (!onWindows) {
      const other = await scene.socket(port, { local: { host: '127.0.0.2', port: 0 }, options });
      expect(await scene.send(other, { data: text('other'), to }).settled()).toBe(1);
    }
    expect(await scene.send(wanted, { data: text('wanted'), to }).settled()).toBe(1);
    await received.untilReceived(1);
    member.changeMembership({ action: 'leave', ...membership });
    expect(await scene.send(wanted, { data: text('left'), to }).settled()).toBe(1);
    const direct = DatagramAddress.of(loopback, to.port);
    expect(await scene.send(wanted, { data: text('direct'), to: direct }).settled()).toBe(1);
    await received.untilReceived(2);
    expect(received.texts).toEqual(['direct', 'wanted']);
  });

  test.skipIf(onWindows)('broadcasts need the option', () =>
    withScene(backend, async (scene) => {
      const port = scene.port();
      const server = await scene.socket(port, { local: { host: '0.0.0.0', port: 0 } });
      const received = scene.receive(server);
      const client = await scene.socket(port);
      const everybody = {
        data: text('all'),
        to: DatagramAddress.of('127.255.255.255', addressOf(server).port),
      };
      const denied = scene.send(client, everybody);
      expect(await denied.settled()).toBe(0);
      expect([...denied.refused]).toEqual([[0, permissionDenied]]);
      client.setOption('broadcast', true);
      expect(await scene.send(client, everybody).settled()).toBe(1);
      await received.untilReceived(1);
      expect(received.texts).toEqual(['all']);
    }),
  );

  scenario('sockets may share a port, where the system spreads what comes', async (scene) => {
    const port = scene.port();
    const open = (own: number) =>
      scene.socket(port, { local: { host: loopback, port: own }, reusePort: true });
    if (onWindows || (backend === 'node' && !nodeHasReusePort)) {
      expect(await refusalOf(open(0))).toMatchObject({
        code: expect.stringMatching(/^(EOPNOTSUPP|ENOPROTOOPT)$/),
      });
      return;
    }
    const first = await open(0);
    const second = await open(addressOf(first).port);
    const probes = [scene.receive(first), scene.receive(second)];
    const senders = await Promise.all(Array.from({ length: 40 }, () => scene.socket(port)));
    for (const sender of senders) {
      expect(await scene.send(sender, { data: text('x'), to: addressOf(first) }).settled()).toBe(1);
    }
    const total = () => probes.reduce((sum, { datagrams }) => sum + datagrams.length, 0);
    await whenQuiet(total);
    expect(total()).toBe(40);
    for (const { datagrams } of probes) expect(datagrams.length).toBeGreaterThan(0);
  });
});
