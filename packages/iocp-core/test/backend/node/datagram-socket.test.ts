/** Datagram sockets where `node:dgram` sets the rules, and their refusals. */

import { createSocket, type Socket as NodeSocket } from 'node:dgram';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  keepsPortWhenDisconnected,
  nodeHasReusePort,
  onWindows,
  refusesForeignAddresses,
} from '../../../../../system.shared.js';
import { DatagramAddress } from '../../../src/layer/datagram-address.js';
import type { CompletionPort } from '../../../src/port/completion-port.js';
import { DatagramList } from '../../../src/port/datagram-list.js';
import { IncomingFlag, Limit, OutgoingWord, ShutdownDirection } from '../../../src/protocol.gen.js';
import { send } from '../../port/loopback-rig.js';
import { Recorder } from '../../port/recorder.js';
import { addressOf, DatagramRig, hasIpv6, loopback, Receiver, slotBytes } from './datagram-rig.js';

const failed = {
  badHandle: -9,
  fault: -14,
  invalid: -22,
  noDestination: -89,
  tooLong: -90,
  unsupported: -95,
  wrongFamily: -97,
  connected: -106,
  refused: -111,
  already: -114,
  canceled: -125,
} as const;

const room = slotBytes - Limit.DATAGRAM_OFFSET;

let rig: DatagramRig;
let port: CompletionPort;
const others: NodeSocket[] = [];

beforeEach(() => {
  rig = new DatagramRig();
  ({ port } = rig);
});

afterEach(async () => {
  for (const each of others.splice(0)) each.close();
  await rig.close();
});

/** A socket that is none of ours. */
async function other(): Promise<NodeSocket> {
  const socket = createSocket('udp4');
  others.push(socket);
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket;
}

describe('sending and receiving', () => {
  test('keeps boundaries, order and senders, and cuts what does not fit a slot', async () => {
    const [one, two] = [await rig.open(), await rig.open()];
    const receiver = rig.receiveOn(two);
    const sizes = [5, 0, 1, room, room + 1, 65_507];
    const sent = await rig.sendOn(one, (list) => {
      for (const [at, size] of sizes.entries()) list.add(Buffer.alloc(size, `${at}`), addressOf(two));
    });
    expect(sent).toEqual({ taken: sizes.length, refused: [] });
    await receiver.until(({ arrived }) => arrived.length === sizes.length);
    expect(receiver.texts).toEqual(sizes.map((size, at) => `${at}`.repeat(Math.min(size, room))));
    for (const [at, { sender, flags }] of receiver.arrived.entries()) {
      expect(sender.equals(addressOf(one))).toBe(true);
      expect(flags).toBe((sizes[at] as number) > room ? IncomingFlag.TRUNCATED : 0);
    }
    expect(receiver.settled).toEqual([]);
  });

  test('answers whom it received from', async () => {
    const socket = await rig.open();
    const peers = await Promise.all([other(), other(), other()]);
    const heard = peers.map((peer) => once(peer, 'message'));
    const receiver = new Receiver(port);
    receiver.keeps = true;
    port.submitRecvFrom(socket, receiver);
    for (const [at, peer] of peers.entries()) peer.send(`${at}`, addressOf(socket).port, '127.0.0.1');
    await receiver.until(({ arrived }) => arrived.length === 3);
    const sent = await rig.sendOn(socket, (list) => {
      for (const [at, slot] of receiver.kept.entries()) {
        list.addReply(Buffer.from(`answer to ${receiver.texts[at]}`), slot);
      }
    });
    expect(sent.taken).toBe(3);
    receiver.giveBack();
    const answers = (await Promise.all(heard)).map(([bytes]) => String(bytes));
    expect(answers).toEqual(['answer to 0', 'answer to 1', 'answer to 2']);
  });

  test('more than a batch has room for', async () => {
    const [one, two] = [await rig.open(), await rig.open()];
    const receiver = rig.receiveOn(two);
    const texts = Array.from({ length: 200 }, (_, at) => `${at}`);
    const { taken } = await rig.sendOn(one, (list) => {
      for (const text of texts) list.add(Buffer.from(text), addressOf(two));
    });
    expect(taken).toBe(200);
    await receiver.until(({ arrived }) => arrived.length === 200);
    expect(receiver.texts).toEqual(texts);
    expect(two.droppedDatagrams()).toBe(0);
  });

  test.runIf(hasIpv6)('both families on one socket', async () => {
    const both = await rig.open({ local: { host: '::', port: 0 } });
    const ipv4 = await rig.open();
    const ipv6 = await rig.open({ local: { host: '::1', port: 0 } });
    const here = addressOf(both).port;
    const [atBoth, atIpv4, atIpv6] = [rig.receiveOn(both), rig.receiveOn(ipv4), rig.receiveOn(ipv6)];
    await rig.sendOn(ipv4, (list) => list.add(Buffer.from('4'), DatagramAddress.of('127.0.0.1', here)));
    await rig.sendOn(ipv4, (list) =>
      list.add(Buffer.from('m'), DatagramAddress.of('::ffff:127.0.0.1', here)),
    );
    await rig.sendOn(ipv6, (list) => list.add(Buffer.from('6'), DatagramAddress.of('::1', here)));
    await atBoth.until(({ arrived }) => arrived.length === 3);
    expect(atBoth.arrived.map(({ text, sender }) => `${text} ${sender.family} ${sender.address}`)).toEqual([
      '4 IPv6 ::ffff:127.0.0.1',
      'm IPv6 ::ffff:127.0.0.1',
      '6 IPv6 ::1',
    ]);
    const sent = await rig.sendOn(both, (list) => {
      list.add(Buffer.from('plain'), addressOf(ipv4));
      list.add(Buffer.from('mapped'), atBoth.arrived[0]?.sender ?? null);
      list.add(Buffer.from('six'), addressOf(ipv6));
    });
    expect(sent).toEqual({ taken: 3, refused: [] });
    await atIpv4.until(({ arrived }) => arrived.length === 2);
    await atIpv6.until(({ arrived }) => arrived.length === 1);
    expect([...atIpv4.texts, ...atIpv6.texts]).toEqual(['plain', 'mapped', 'six']);
  });

  test('waits without a slot, and goes on when there is one', async () => {
    const [one, two] = [await rig.open(), await rig.open()];
    const receiver = new Receiver(port);
    receiver.keeps = true;
    port.submitRecvFrom(two, receiver);
    const texts = Array.from({ length: 12 }, (_, at) => `${at}`);
    for (const text of texts) await rig.sendOn(one, (list) => list.add(Buffer.from(text), addressOf(two)));
    await rig.until(() => port.stats.parked === 1);
    const first = receiver.arrived.length;
    expect(first).toBeLessThan(12);
    receiver.keeps = false;
    receiver.giveBack();
    await receiver.until(({ arrived }) => arrived.length === 12);
    expect(receiver.texts).toEqual(texts);
    expect(receiver.settled).toEqual([]);
  });

  test('that is cancelled leaves what has arrived to the next one', async () => {
    const [one, two] = [await rig.open(), await rig.open()];
    const receiver = new Receiver(port);
    receiver.keeps = true;
    const token = port.submitRecvFrom(two, receiver);
    for (let at = 0; at < 12; at++) {
      await rig.sendOn(one, (list) => list.add(Buffer.from(`${at}`), addressOf(two)));
    }
    await rig.until(() => port.stats.parked === 1);
    port.cancel(token);
    await receiver.until(({ settled }) => settled.length > 0);
    expect(receiver.settled).toEqual([failed.canceled]);
    expect(port.stats.parked).toBe(0);
    const next = rig.receiveOn(two);
    receiver.giveBack();
    await next.until(({ arrived }) => receiver.arrived.length + arrived.length === 12);
    expect([...receiver.texts, ...next.texts]).toEqual(Array.from({ length: 12 }, (_, at) => `${at}`));
  });

  test('drops and counts what nobody receives and the inbox has no room for', async () => {
    const [one, two] = [await rig.open(), await rig.open()];
    const bytes = Buffer.alloc(2000);
    let sent = 0;
    while (two.droppedDatagrams() === 0) {
      await rig.sendOn(one, (list) => list.add(bytes, addressOf(two)));
      sent++;
      await rig.until(() => true);
    }
    const receiver = rig.receiveOn(two);
    await rig.sendOn(one, (list) => list.add(Buffer.from('last'), addressOf(two)));
    await receiver.until(({ texts }) => texts.includes('last'));
    expect(receiver.arrived.length).toBe(sent - (two.droppedDatagrams() ?? 0) + 1);
    expect(receiver.arrived.length * 2000).toBeLessThan(212_992);
  });
});

describe('refusals', () => {
  test('of single datagrams; the others go', async () => {
    const [one, two] = [await rig.open(), await rig.open()];
    const receiver = rig.receiveOn(two);
    const to = addressOf(two);
    const sent = await rig.sendOn(one, (list) => {
      list.add(Buffer.from('first'), to);
      list.add(Buffer.from('x'), to, { tos: 1 });
      list.add(Buffer.from('x'), to, { ttl: 9 });
      list.add(Buffer.from('x'), to, { source: DatagramAddress.of('127.0.0.1', 0) });
      list.add(Buffer.from('x'), to);
      list.words[4 * 16 + OutgoingWord.CONTROL] = 1;
      list.add(Buffer.from('x'), null);
      list.add(Buffer.from('x'), DatagramAddress.of('::1', to.port));
      list.add(Buffer.from('x'), DatagramAddress.of('127.0.0.1', 0));
      list.add(Buffer.from('x'), to);
      list.words[8 * 16 + OutgoingWord.FAMILY] = 5;
      list.add(Buffer.alloc(65_508), to);
      list.add(Buffer.from('last'), to);
    });
    expect(sent.taken).toBe(2);
    const byNumber = [...sent.refused].sort(([a = 0], [b = 0]) => a - b);
    expect(byNumber).toEqual([
      [1, failed.unsupported],
      [2, failed.unsupported],
      [3, failed.unsupported],
      [4, failed.unsupported],
      [5, failed.noDestination],
      [6, failed.wrongFamily],
      [7, failed.invalid],
      [8, failed.invalid],
      [9, failed.tooLong],
    ]);
    await receiver.until(({ arrived }) => arrived.length === 2);
    expect(receiver.texts).toEqual(['first', 'last']);
  });

  test('of all datagrams', async () => {
    const socket = await rig.open();
    const sent = await rig.sendOn(socket, (list) => list.add(Buffer.from('x'), null));
    expect(sent).toEqual({ taken: 0, refused: [[0, failed.noDestination]] });
  });

  test('of bytes outside of the memory they are in', async () => {
    const socket = await rig.open();
    const outcomes = [];
    for (const [pin, offset, length] of [
      [-1, 8 * slotBytes, 1],
      [-1, -1, 1],
      [-1, 0, -1],
      [0, 0, 1],
    ] as const) {
      outcomes.push(
        await rig.sendOn(socket, (list) => {
          list.add(Buffer.alloc(0), DatagramAddress.of('127.0.0.1', 1));
          list.words.set([pin, offset, length]);
          // There is nothing to give back.
          list.releaseAll = () => {};
        }),
      );
    }
    expect(outcomes).toEqual(Array(4).fill({ taken: failed.fault, refused: [] }));
  });

  test('of what the other kind of socket does', async () => {
    const socket = await rig.open();
    expect(await rig.outcome((recorder) => port.submitRecv(socket, recorder))).toBe(failed.unsupported);
    expect(await rig.outcome((recorder) => port.submitAccept(socket, recorder))).toBe(failed.unsupported);
    expect(await rig.outcome((recorder) => port.submitConnect(socket, recorder))).toBe(failed.unsupported);
    expect(
      await rig.outcome((recorder) => port.submitShutdown(socket, ShutdownDirection.WRITE, recorder)),
    ).toBe(failed.unsupported);
    const stream = send(port, socket, Buffer.from('x'));
    expect((await stream.first()).settled).toEqual([failed.unsupported]);
    const { client, listener } = await rig.connectedPair();
    for (const streaming of [client, listener]) {
      expect(await rig.outcome((recorder) => port.submitRecvFrom(streaming, recorder))).toBe(
        failed.unsupported,
      );
      const sent = await rig.sendOn(streaming, (list) => list.add(Buffer.from('x'), null));
      expect(sent.taken).toBe(failed.unsupported);
      expect(() => streaming.droppedDatagrams()).toThrow(expect.objectContaining({ code: 'EOPNOTSUPP' }));
      await expect(streaming.connectTo(null)).rejects.toMatchObject({ code: 'EOPNOTSUPP' });
    }
  });

  test('of a second operation of a kind, and of any after the close', async () => {
    const socket = await rig.open();
    const receiver = rig.receiveOn(socket);
    expect(await rig.outcome((recorder) => port.submitRecvFrom(socket, recorder))).toBe(failed.already);
    const list = new DatagramList(port);
    list.add(Buffer.from('x'), addressOf(socket));
    const sending = new Recorder(port);
    port.submitSendTo(socket, list, sending);
    expect((await rig.sendOn(socket, (second) => second.add(Buffer.from('y'), null))).taken).toBe(
      failed.already,
    );
    await sending.until(({ settled }) => settled.length > 0);
    list.releaseAll();
    expect(await rig.closeOn(socket)).toBe(0);
    expect(receiver.settled).toEqual([failed.canceled]);
    expect(await rig.closeOn(socket)).toBe(failed.badHandle);
  });

  test('of addresses in use, of others, and of options that there are not', async () => {
    const { port: taken } = addressOf(await rig.open());
    const again = rig.open({ local: { host: '127.0.0.1', port: taken } });
    await expect(again).rejects.toMatchObject({ code: 'EADDRINUSE', syscall: 'bind', port: taken });
    if (refusesForeignAddresses) {
      const elsewhere = rig.open({ local: { host: '192.0.2.77', port: 0 } });
      await expect(elsewhere).rejects.toMatchObject({ code: 'EADDRNOTAVAIL', syscall: 'bind' });
    }
    const special = rig.open({ local: loopback, options: { receiveTos: true } });
    await expect(special).rejects.toMatchObject({ code: 'ENOPROTOOPT', syscall: 'setsockopt' });
    const mixed = rig.open({ local: loopback, remote: { host: '127.0.0.1', port: 9 }, options: { tos: 8 } });
    await expect(mixed).rejects.toMatchObject({ code: 'ENOPROTOOPT' });
    expect(port.stats.handlesOpen).toBe(1);
  });

  test.skipIf(nodeHasReusePort)('of reusePort, where Node.js would ignore it', async () => {
    await expect(rig.open({ local: loopback, reusePort: true })).rejects.toMatchObject({
      code: 'ENOPROTOOPT',
    });
  });
});

describe('a socket', () => {
  test('that closes tells what the system had taken', async () => {
    const [one, two] = [await rig.open(), await rig.open()];
    const receiver = rig.receiveOn(two);
    const list = new DatagramList(port);
    list.add(Buffer.from('x'), addressOf(two));
    list.add(Buffer.from('y'), addressOf(two));
    const order: string[] = [];
    const sending = new Recorder(port);
    sending.on = () => order.push('sent');
    const closing = new Recorder(port);
    closing.on = () => order.push('closed');
    port.submitSendTo(one, list, sending);
    port.submitClose(one, closing, false);
    expect((await closing.first()).settled).toEqual([0]);
    expect([sending.settled, order]).toEqual([[2], ['sent', 'closed']]);
    list.releaseAll();
    await receiver.until(({ arrived }) => arrived.length === 2);
  });

  test('whose port closes with operations in flight', async () => {
    const socket = await rig.open();
    const receiver = rig.receiveOn(socket);
    const list = new DatagramList(port);
    list.add(Buffer.from('x'), addressOf(socket));
    const sending = new Recorder(port);
    port.submitSendTo(socket, list, sending);
    await port.close();
    expect(receiver.settled).toEqual([failed.canceled]);
    expect(sending.settled.length).toBe(1);
    list.releaseAll();
  });

  test('whose port closes while it is opened', async () => {
    const refused = expect(rig.open()).rejects.toMatchObject({ code: 'ERR_IOCP_PORT_CLOSED' });
    await port.close();
    await refused;
  });

  test('holds nothing alive', async () => {
    const before = process.getActiveResourcesInfo().filter((name) => name.startsWith('UDP'));
    await rig.open();
    expect(process.getActiveResourcesInfo().filter((name) => name.startsWith('UDP'))).toEqual(before);
  });

  test.runIf(keepsPortWhenDisconnected)(
    'that is connected has one peer, until it has another or none',
    async () => {
      const [one, two, three] = [await rig.open(), await rig.open(), await rig.open()];
      const remote = ({ address, port: at }: DatagramAddress) => ({ host: address, port: at });
      const here = addressOf(one);
      await one.connectTo(remote(addressOf(two)));
      expect(one.peer()).toMatchObject({ address: '127.0.0.1', port: addressOf(two).port });
      const [atOne, atTwo, atThree] = [rig.receiveOn(one), rig.receiveOn(two), rig.receiveOn(three)];
      const sent = await rig.sendOn(one, (list) => {
        list.add(Buffer.from('to two'), null);
        list.add(Buffer.from('with an address'), addressOf(two));
      });
      expect(sent).toEqual({ taken: 1, refused: [[1, failed.connected]] });
      await atTwo.until(({ arrived }) => arrived.length === 1);
      await one.connectTo(remote(addressOf(three)));
      expect(one.peer()).toMatchObject({ port: addressOf(three).port });
      await rig.sendOn(one, (list) => list.add(Buffer.from('to three'), null));
      await atThree.until(({ arrived }) => arrived.length === 1);
      await rig.sendOn(two, (list) => list.add(Buffer.from('from a stranger'), here));
      await rig.sendOn(three, (list) => list.add(Buffer.from('from the peer'), here));
      await atOne.until(({ arrived }) => arrived.length === 1);
      await one.connectTo(null);
      expect(one.peer()).toBeNull();
      expect(addressOf(one).equals(here)).toBe(true);
      await rig.sendOn(two, (list) => list.add(Buffer.from('from anyone'), here));
      await atOne.until(({ arrived }) => arrived.length === 2);
      expect(atOne.texts).toEqual(['from the peer', 'from anyone']);
      expect([...atTwo.texts, ...atThree.texts]).toEqual(['to two', 'to three']);
    },
  );

  test('cannot be connected twice at once, nor to another family', async () => {
    const socket = await rig.open();
    const first = socket.connectTo({ host: '127.0.0.1', port: 9 });
    await expect(socket.connectTo(null)).rejects.toMatchObject({ code: 'EALREADY' });
    await first;
    const other = socket.connectTo({ host: '::1', port: 9 });
    await expect(other).rejects.toMatchObject({ code: 'EAFNOSUPPORT', syscall: 'connect' });
    expect(socket.peer(), 'as before').toMatchObject({ port: 9 });
  });

  // libuv does not tell it on Windows.
  test.skipIf(onWindows)('that is connected learns that nobody is there', async () => {
    const gone = await rig.open();
    const { address: host, port: at } = addressOf(gone);
    await rig.closeOn(gone);
    const socket = await rig.open({ local: loopback, remote: { host, port: at } });
    const receiver = rig.receiveOn(socket);
    await rig.sendOn(socket, (list) => list.add(Buffer.from('x'), null));
    await receiver.until(({ settled }) => settled.length > 0);
    expect(receiver.settled).toEqual([failed.refused]);
    await rig.sendOn(socket, (list) => list.add(Buffer.from('x'), null));
    // Long enough for the answer to be there before it is asked for.
    await rig.connectedPair();
    expect(await rig.outcome((recorder) => port.submitRecvFrom(socket, recorder))).toBe(failed.refused);
    const next = rig.receiveOn(socket);
    await rig.until(() => true);
    expect(next.settled, 'told once').toEqual([]);
  });
});

describe('options', () => {
  test('that node:dgram has', async () => {
    const socket = await rig.open({
      local: loopback,
      options: { broadcast: true, ttl: 9, receiveBuffer: 100_000 },
    });
    expect([socket.getOption('broadcast'), socket.getOption('ttl')]).toEqual([true, 9]);
    // Linux doubles it.
    expect([100_000, 200_000]).toContain(socket.getOption('receiveBuffer'));
    expect([socket.getOption('multicastTtl'), socket.getOption('multicastLoop')]).toEqual([1, true]);
    expect(socket.getOption('multicastInterface')).toBe('');
    expect(socket.getOption('reusePort')).toBe(false);
    socket.setOption('multicastTtl', 0);
    socket.setOption('multicastLoop', false);
    socket.setOption('sendBuffer', 50_000);
    expect([socket.getOption('multicastTtl'), socket.getOption('multicastLoop')]).toEqual([0, false]);
    expect([50_000, 100_000]).toContain(socket.getOption('sendBuffer'));
    const [name] = Object.entries(networkInterfaces()).find(([, all]) => all?.[0]?.internal) ?? [];
    socket.setOption('multicastInterface', '127.0.0.1');
    expect(socket.getOption('multicastInterface')).toBe(name);
    socket.setOption('multicastInterface', '');
    expect(socket.getOption('multicastInterface')).toBe('');
  });

  test('that it has not, or not so', async () => {
    const socket = await rig.open();
    for (const option of ['tos', 'priority', 'receiveTtl', 'noDelay'] as const) {
      expect(() => socket.getOption(option)).toThrow(expect.objectContaining({ code: 'ENOPROTOOPT' }));
    }
    expect(() => socket.setOption('receiveErrors', true)).toThrow(
      expect.objectContaining({ code: 'ENOPROTOOPT', syscall: 'setsockopt' }),
    );
    expect(() => socket.getOption('ttl'), 'the default of the system').toThrow(
      expect.objectContaining({ code: 'ENOPROTOOPT' }),
    );
    expect(() => socket.setOption('multicastInterface', 'no-such-interface')).toThrow(
      expect.objectContaining({ code: 'ENODEV' }),
    );
    expect(socket.takeDatagramError()).toBeNull();
  });
});
