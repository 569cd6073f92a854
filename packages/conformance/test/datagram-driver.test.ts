/** Datagram sockets at the level of the port, on each backend. */

import { networkInterfaces } from 'node:os';
import {
  DatagramList,
  Limit,
  Operation,
  OutgoingWord,
  SegmentList,
  ShutdownDirection,
  type Socket,
} from '@iocp/core';
import { DatagramAddress, type Lease, lease } from '@iocp/core/layer';
import { nextTurn, pattern, turns, whenQuiet, withSeed } from '@iocp/testkit';
import { expect, test } from 'vitest';
import { hearsOnAfterAnswer, isToldOfUnreachable, refusesForeignAddresses } from '../../../system.shared.js';
import { type Backend, describeBackends } from './support/backends.js';
import { addressOf, SingleProbe } from './support/datagram-probes.js';
import { type DatagramScene, loopback, refusalOf, withScene } from './support/datagram-scene.js';

const result = {
  badDescriptor: -9,
  fault: -14,
  destinationRequired: -89,
  tooLong: -90,
  notSupported: -95,
  otherFamily: -97,
  refused: -111,
  already: -114,
  canceled: -125,
} as const;

const noIpv6 = !Object.values(networkInterfaces()).some((each) =>
  each?.some(({ address }) => address === '::1'),
);
const smallPool = { pool: { slotBytes: 4096, minSlots: 4, maxSlots: 8 } } as const;
const largePool = { pool: { slotBytes: 131_072, minSlots: 4, maxSlots: 32 } } as const;
const longTestMs = 120_000;

const text = (value: string) => Buffer.from(value);

/** Registers tests of one backend, each with a scene of its own. */
function testsOf(backend: Backend): (name: string, body: (scene: DatagramScene) => Promise<void>) => void {
  return (name, body) => test(name, () => withScene(backend, body), longTestMs);
}

describeBackends((backend) => {
  const scenario = testsOf(backend);

  scenario('a socket has an address, and a connected one a peer', async (scene) => {
    const port = scene.port();
    const server = await scene.socket(port);
    expect(server.address()).toMatchObject({ family: 'IPv4', address: loopback });
    expect(server.address()?.port).toBeGreaterThan(0);
    expect(server.peer()).toBeNull();
    const remote = { host: loopback, port: addressOf(server).port };
    const client = await scene.socket(port, { remote });
    expect(client.peer()).toMatchObject({ family: 'IPv4', address: loopback, port: remote.port });
    const anyLocal = await scene.socket(port, { local: undefined, remote });
    expect(anyLocal.address()?.family).toBe('IPv4');
  });

  scenario('echoes batches, slots going out as they came in', async (scene) => {
    const port = scene.port();
    const server = await scene.socket(port);
    const client = await scene.socket(port);
    let replies = new DatagramList(port);
    let spare = new DatagramList(port);
    const flush = () => {
      if (replies.count === 0) return;
      const inFlight = replies;
      [replies, spare] = [spare, replies];
      scene.sendList(server, inFlight);
    };
    const asked = scene.receive(server, {
      onSlot(slot, byteCount) {
        replies.addReply(port.pool.viewAt(slot, Limit.DATAGRAM_OFFSET, byteCount), slot);
      },
    });
    const answered = scene.receive(client);
    const expected: string[] = [];
    for (let round = 1; round <= 20; round++) {
      const batch = Array.from({ length: 50 }, (_, at) => text(`${round}/${at} ${'x'.repeat(at)}`));
      expected.push(...batch.map(String));
      const sent = scene.send(client, ...batch.map((data) => ({ data, to: addressOf(server) })));
      expect(await sent.settled()).toBe(50);
      await asked.untilReceived(round * 50);
      flush();
      await answered.untilReceived(round * 50);
    }
    expect(answered.texts).toEqual(expected.sort());
    expect(answered.datagrams.every(({ from }) => from.equals(addressOf(server)))).toBe(true);
    expect(asked.datagrams.every(({ from }) => from.equals(addressOf(client)))).toBe(true);
    expect(answered.result, 'the receive goes on').toBeNull();
  });

  scenario('a connected socket sends without an address and hears nobody else', async (scene) => {
    const port = scene.port();
    const [server, stranger] = [await scene.socket(port), await scene.socket(port)];
    const client = await scene.socket(port, { remote: { host: loopback, port: addressOf(server).port } });
    const asked = scene.receive(server);
    const answered = scene.receive(client);
    expect(await scene.send(client, { data: text('a') }, { data: text('b') }).settled()).toBe(2);
    await asked.untilReceived(2);
    expect(await scene.send(stranger, { data: text('no'), to: addressOf(client) }).settled()).toBe(1);
    expect(await scene.send(server, { data: text('yes'), to: addressOf(client) }).settled()).toBe(1);
    await answered.untilReceived(1);
    expect(answered.texts).toEqual(['yes']);
    expect(asked.texts).toEqual(['a', 'b']);
  });

  scenario('a socket can be connected, to another peer, and not any more', async (scene) => {
    const port = scene.port();
    const [first, second] = [await scene.socket(port), await scene.socket(port)];
    const client = await scene.socket(port);
    const [atFirst, atSecond] = [scene.receive(first), scene.receive(second)];
    await client.connectTo({ host: loopback, port: addressOf(first).port });
    expect(client.peer()?.port).toBe(addressOf(first).port);
    expect(await scene.send(client, { data: text('1') }).settled()).toBe(1);
    await client.connectTo({ host: loopback, port: addressOf(second).port });
    expect(await scene.send(client, { data: text('2') }).settled()).toBe(1);
    await client.connectTo(null);
    expect(client.peer()).toBeNull();
    expect(await scene.send(client, { data: text('3'), to: addressOf(first) }).settled()).toBe(1);
    await Promise.all([atFirst.untilReceived(2), atSecond.untilReceived(1)]);
    expect([atFirst.texts, atSecond.texts]).toEqual([['1', '3'], ['2']]);
    const unsent = scene.send(client, { data: text('4') });
    await unsent.settled();
    expect([...unsent.refused]).toEqual([[0, result.destinationRequired]]);
  });

  scenario('0 bytes are a datagram', async (scene) => {
    const port = scene.port();
    const [server, client] = [await scene.socket(port), await scene.socket(port)];
    const received = scene.receive(server);
    const to = addressOf(server);
    const empty = { data: new Uint8Array(0), to };
    expect(await scene.send(client, empty, { data: text('between'), to }, empty).settled()).toBe(3);
    await received.untilReceived(3);
    expect(received.texts).toEqual(['', '', 'between']);
    expect(received.datagrams.every(({ from }) => from.equals(addressOf(client)))).toBe(true);
    expect(received.datagrams.every(({ truncated }) => !truncated)).toBe(true);
    expect(received.result, 'it is not the end').toBeNull();
  });

  scenario('65,507 bytes arrive whole, and one more is too many', async (scene) => {
    const port = scene.port(largePool);
    const [server, client] = [await scene.socket(port), await scene.socket(port)];
    const received = scene.receive(server);
    const to = addressOf(server);
    const largest = Buffer.from(pattern(65_507));
    const sent = scene.send(
      client,
      { data: largest, to },
      { data: Buffer.alloc(65_508), to },
      { data: text('after'), to },
    );
    expect(await sent.settled()).toBe(2);
    expect([...sent.refused]).toEqual([[1, result.tooLong]]);
    await received.untilReceived(2);
    const [first, second] = received.datagrams.map(({ data }) => data).sort((a, b) => b.length - a.length);
    expect(first?.equals(largest)).toBe(true);
    expect(String(second)).toBe('after');
    expect(received.datagrams.some(({ truncated }) => truncated)).toBe(false);
  });

  scenario('what is longer than a slot is cut, and said to be', async (scene) => {
    const port = scene.port(smallPool);
    const [server, client] = [await scene.socket(port), await scene.socket(port)];
    const room = 4096 - Limit.DATAGRAM_OFFSET;
    const received = scene.receive(server);
    const bytes = Buffer.from(pattern(60_000));
    const sizes = [room + 1, room, 60_000, 5];
    for (const [index, size] of sizes.entries()) {
      expect(
        await scene.send(client, { data: bytes.subarray(0, size), to: addressOf(server) }).settled(),
      ).toBe(1);
      await received.untilReceived(index + 1);
    }
    expect(received.datagrams.map(({ truncated }) => truncated)).toEqual([true, false, true, false]);
    for (const [index, { data }] of received.datagrams.entries()) {
      expect(data.equals(bytes.subarray(0, Math.min(sizes[index] ?? 0, room)))).toBe(true);
    }
  });

  scenario('an unreachable port ends the receive of a connected socket, which can go on', async (scene) => {
    const port = scene.port();
    const remote = { host: loopback, port: await scene.freePort(port) };
    const client = await scene.socket(port, { remote });
    let received = scene.receive(client);
    await scene.send(client, { data: text('nobody') }).settled();
    if (isToldOfUnreachable(backend)) {
      expect(await received.settled()).toBe(result.refused);
      if (!hearsOnAfterAnswer) return;
      received = scene.receive(client);
    }
    const server = await scene.socket(port, { local: remote });
    expect(await scene.send(server, { data: text('back'), to: addressOf(client) }).settled()).toBe(1);
    await received.untilReceived(1);
    expect(received.texts).toEqual(['back']);
  });

  scenario('an unreachable port does not concern an unconnected socket', async (scene) => {
    const port = scene.port();
    const nobody = DatagramAddress.of(loopback, await scene.freePort(port));
    const client = await scene.socket(port);
    const received = scene.receive(client);
    for (let round = 0; round < 3; round++) {
      expect(await scene.send(client, { data: text('nobody'), to: nobody }).settled()).toBe(1);
      await turns(2);
    }
    expect(await scene.send(client, { data: text('self'), to: addressOf(client) }).settled()).toBe(1);
    await received.untilReceived(1);
    expect(received.texts).toEqual(['self']);
    expect(received.result).toBeNull();
  });

  scenario('a port in use is refused with its address', async (scene) => {
    const port = scene.port();
    const first = await scene.socket(port);
    const taken = addressOf(first).port;
    expect(await refusalOf(scene.socket(port, { local: { host: loopback, port: taken } }))).toMatchObject({
      code: 'EADDRINUSE',
      syscall: 'bind',
      address: loopback,
      port: taken,
    });
    if (refusesForeignAddresses) {
      const foreign = { host: '192.0.2.1', port: 0 };
      expect(await refusalOf(scene.socket(port, { local: foreign }))).toMatchObject({
        code: 'EADDRNOTAVAIL',
        address: '192.0.2.1',
      });
    }
    await scene.close(first).settled();
    await scene.socket(port, { local: { host: loopback, port: taken } });
  });

  scenario('refused datagrams do not keep the others of the batch', async (scene) => {
    const port = scene.port(largePool);
    const [server, client] = [await scene.socket(port), await scene.socket(port)];
    const received = scene.receive(server);
    const to = addressOf(server);
    const sent = scene.send(
      client,
      { data: text('0'), to },
      { data: text('nowhere') },
      { data: text('2'), to },
      { data: text('IPv6'), to: DatagramAddress.of('2001:db8::1', 53) },
      { data: Buffer.alloc(70_000), to },
      { data: text('5'), to },
      { data: text('cut'), to },
    );
    expect(await sent.settled()).toBe(4);
    expect([...sent.refused].sort()).toEqual([
      [1, result.destinationRequired],
      [3, result.otherFamily],
      [4, result.tooLong],
    ]);
    await received.untilReceived(4);
    expect(received.texts).toEqual(['0', '2', '5', 'cut']);
    const none = scene.send(client, { data: text('a') }, { data: text('b') });
    expect(await none.settled()).toBe(0);
    expect([...none.refused.keys()].sort()).toEqual([0, 1]);
  });

  scenario('the largest batch is sent', async (scene) => {
    const port = scene.port();
    const server = await scene.socket(port, { options: { receiveBuffer: 4 * 1024 * 1024 } });
    const client = await scene.socket(port);
    const list = new DatagramList(port);
    while (!list.full) list.add(text(`${list.count}`), addressOf(server));
    expect(await scene.sendList(client, list).settled()).toBe(Limit.DATAGRAMS_MAX);
    // How many of them the system keeps for a receiver that comes late is its own affair.
    const received = scene.receive(server);
    await received.untilReceived(50);
  });

  scenario('a cancelled receive loses nothing, and the next one goes on', async (scene) => {
    const port = scene.port();
    const [server, client] = [await scene.socket(port), await scene.socket(port)];
    const texts: string[] = [];
    const expected: string[] = [];
    for (let round = 0; round < 40; round++) {
      const received = scene.receive(server);
      expected.push(`${round}`);
      const sent = scene.send(client, { data: text(`${round}`), to: addressOf(server) });
      // The cancel is before, during or after the arrival.
      await turns(round % 4);
      if (received.token !== null) port.cancel(received.token);
      expect(await received.settled()).toBe(result.canceled);
      expect(await sent.settled()).toBe(1);
      texts.push(...received.texts);
    }
    const rest = scene.receive(server);
    await rest.untilReceived(expected.length - texts.length);
    expect([...texts, ...rest.texts].sort()).toEqual(expected.sort());
  });

  scenario('cancelling what has settled does not touch what came after it', async (scene) => {
    const port = scene.port();
    const [server, client] = [await scene.socket(port), await scene.socket(port)];
    const first = scene.receive(server);
    if (first.token === null) throw new Error('there is no token');
    port.cancel(first.token);
    expect(await first.settled()).toBe(result.canceled);
    // It has the index of the old token, and another generation.
    const second = scene.receive(server);
    port.cancel(first.token);
    expect(await scene.send(client, { data: text('a'), to: addressOf(server) }).settled()).toBe(1);
    await second.untilReceived(1);
    port.cancel(first.token);
    await turns(2);
    expect(second.result).toBeNull();
  });

  scenario('a send that is cancelled settles once, with what was taken', async (scene) => {
    const port = scene.port();
    const [server, client] = [await scene.socket(port), await scene.socket(port)];
    for (let round = 0; round < 30; round++) {
      const data = Buffer.alloc(1000, round);
      const sent = scene.send(
        client,
        ...Array.from({ length: 200 }, () => ({ data, to: addressOf(server) })),
      );
      await turns(round % 3);
      if (sent.token !== null) port.cancel(sent.token);
      const taken = await sent.settled();
      expect(taken === result.canceled || (taken >= 0 && taken <= 200), `${taken}`).toBe(true);
    }
  });

  scenario('a close ends what is in flight first', async (scene) => {
    const port = scene.port();
    const [server, client] = [await scene.socket(port), await scene.socket(port)];
    const received = scene.receive(server);
    const sent = scene.send(server, { data: text('last'), to: addressOf(client) });
    const closed = scene.close(server);
    expect(await closed.settled()).toBe(0);
    expect(received.result).toBe(result.canceled);
    expect(sent.result === 1 || sent.result === result.canceled).toBe(true);
    expect(() => server.address()).toThrow(expect.objectContaining({ code: 'EBADF' }));
    const late = scene.receive(server);
    expect(await late.settled()).toBe(result.badDescriptor);
    expect(await scene.send(server, { data: text('late') }).settled()).toBe(result.badDescriptor);
    await expect(server.connectTo({ host: loopback, port: 9 })).rejects.toMatchObject({ code: 'EBADF' });
  });

  scenario('a receive without slots waits, and goes on when they come back', async (scene) => {
    const port = scene.port(smallPool);
    const [server, client] = [await scene.socket(port), await scene.socket(port)];
    const held: Lease[] = [];
    const received = scene.receive(server, {
      onSlot: (slot) => held.push(lease(port.pool.viewAt(slot, Limit.DATAGRAM_OFFSET, 1))),
    });
    const expected = Array.from({ length: 40 }, (_, at) => `${at}`.padStart(2, '0'));
    const datagrams = expected.map((each) => ({ data: text(each), to: addressOf(server) }));
    expect(await scene.send(client, ...datagrams).settled()).toBe(40);
    let stalls = 0;
    while (received.datagrams.length < 40) {
      await whenQuiet(() => received.datagrams.length);
      if (received.datagrams.length === 40) break;
      expect(port.stats.parked).toBe(1);
      expect(received.result, 'no slots are no error').toBeNull();
      stalls++;
      for (const each of held.splice(0)) each.release();
    }
    expect(stalls).toBeGreaterThan(3);
    expect(received.texts).toEqual(expected);
    for (const each of held) each.release();
  });

  scenario('a receive that waits for a slot can be cancelled, and closed', async (scene) => {
    const port = scene.port(smallPool);
    const [server, client] = [await scene.socket(port), await scene.socket(port)];
    const held: Lease[] = [];
    const keep = {
      onSlot: (slot: number) => held.push(lease(port.pool.viewAt(slot, Limit.DATAGRAM_OFFSET, 1))),
    };
    const datagrams = Array.from({ length: 20 }, () => ({ data: text('x'), to: addressOf(server) }));
    const first = scene.receive(server, keep);
    expect(await scene.send(client, ...datagrams).settled()).toBe(20);
    await whenQuiet(() => held.length);
    expect(port.stats.parked).toBe(1);
    if (first.token !== null) port.cancel(first.token);
    expect(await first.settled()).toBe(result.canceled);
    const second = scene.receive(server, keep);
    await whenQuiet(() => held.length);
    expect(port.stats.parked).toBe(1);
    expect(await scene.close(server).settled()).toBe(0);
    expect(second.result).toBe(result.canceled);
    expect(port.stats.parked).toBe(0);
    for (const each of held) each.release();
  });

  scenario('one receive and one send at a time', async (scene) => {
    const port = scene.port();
    const socket = await scene.socket(port);
    const first = scene.receive(socket);
    expect(await scene.receive(socket).settled()).toBe(result.already);
    const data = { data: text('x'), to: addressOf(socket) };
    const [sent, second] = [scene.send(socket, data), scene.send(socket, data)];
    expect(await sent.settled()).toBe(1);
    expect(await second.settled()).toBe(result.already);
    await first.untilReceived(1);
    expect(first.result).toBeNull();
    expect(await scene.send(socket, data).settled()).toBe(1);
  });

  scenario('operations of streams are not for datagrams, nor the other way round', async (scene) => {
    const port = scene.port();
    const socket = await scene.socket(port);
    const listener = await port.listen({ host: loopback });
    const probe = (operation: Operation) => new SingleProbe(operation);
    const [recv, accept, connect] = [
      probe(Operation.RECV),
      probe(Operation.ACCEPT),
      probe(Operation.CONNECT),
    ];
    const [send, shutdown] = [probe(Operation.SEND), probe(Operation.SHUTDOWN)];
    const segments = new SegmentList(port);
    segments.add(text('stream'));
    port.submitRecv(socket, recv);
    port.submitAccept(socket, accept);
    port.submitConnect(socket, connect);
    port.submitSend(socket, segments, send);
    port.submitShutdown(socket, ShutdownDirection.WRITE, shutdown);
    for (const each of [recv, accept, connect, send, shutdown]) {
      expect(await each.settled()).toBe(result.notSupported);
      expect(each.violations).toEqual([]);
    }
    segments.releaseAll();
    expect(await scene.receive(listener).settled()).toBe(result.notSupported);
    const datagram = { data: text('x'), to: addressOf(socket) };
    expect(await scene.send(listener, datagram).settled()).toBe(result.notSupported);
    expect(await scene.close(listener).settled()).toBe(0);
  });

  scenario('memory that is not there is refused before anything is sent', async (scene) => {
    const port = scene.port();
    const [server, client] = [await scene.socket(port), await scene.socket(port)];
    const received = scene.receive(server);
    const list = new DatagramList(port);
    list.add(text('good'), addressOf(server));
    list.add(text('bad'), addressOf(server));
    const length = list.words[secondEntry + OutgoingWord.LENGTH] ?? 0;
    list.words[secondEntry + OutgoingWord.LENGTH] = 0x7fffffff;
    const sent = scene.sendList(client, list, ({ words }) => {
      words[secondEntry + OutgoingWord.LENGTH] = length;
    });
    expect(await sent.settled()).toBe(result.fault);
    expect(sent.refused.size).toBe(0);
    expect(await scene.send(client, { data: text('next'), to: addressOf(server) }).settled()).toBe(1);
    await received.untilReceived(1);
    expect(received.texts).toEqual(['next']);
  });

  test.skipIf(noIpv6)(
    'a socket of both families tells and takes IPv4 addresses as mapped ones',
    () =>
      withScene(backend, async (scene) => {
        const port = scene.port();
        const both = await scene.socket(port, { local: undefined });
        expect(both.address()).toMatchObject({ family: 'IPv6', address: '::' });
        const four = await scene.socket(port);
        const six = await scene.socket(port, { local: { host: '::1', port: 0 } });
        const own = addressOf(both).port;
        const [atBoth, atFour, atSix] = [both, four, six].map((each) => scene.receive(each));
        if (atBoth === undefined || atFour === undefined || atSix === undefined)
          throw new Error('unreachable');
        // A mapped address on a socket of IPv4 alone is unmapped.
        const sent = scene.send(
          four,
          { data: text('four'), to: DatagramAddress.of(loopback, own) },
          { data: text('four mapped'), to: DatagramAddress.of(`::ffff:${loopback}`, own) },
        );
        expect(await sent.settled()).toBe(2);
        expect(
          await scene.send(six, { data: text('six'), to: DatagramAddress.of('::1', own) }).settled(),
        ).toBe(1);
        await atBoth.untilReceived(3);
        const heard = atBoth.datagrams.map(({ data, from }) => `${data} from ${from}`).sort();
        expect(heard).toEqual([
          `four from [::ffff:${loopback}]:${addressOf(four).port}`,
          `four mapped from [::ffff:${loopback}]:${addressOf(four).port}`,
          `six from [::1]:${addressOf(six).port}`,
        ]);
        const back = scene.send(
          both,
          { data: text('plain'), to: addressOf(four) },
          { data: text('mapped'), to: DatagramAddress.of(`::ffff:${loopback}`, addressOf(four).port) },
          { data: text('six'), to: addressOf(six) },
        );
        expect(await back.settled()).toBe(3);
        await Promise.all([atFour.untilReceived(2), atSix.untilReceived(1)]);
        expect(atFour.texts).toEqual(['mapped', 'plain']);
        expect(atFour.datagrams.every(({ from }) => `${from}` === `${loopback}:${own}`)).toBe(true);
        expect(atSix.texts).toEqual(['six']);
      }),
    longTestMs,
  );

  test.skipIf(noIpv6)(
    'a socket for IPv6 alone leaves the port to IPv4',
    () =>
      withScene(backend, async (scene) => {
        const port = scene.port();
        const six = await scene.socket(port, { local: { host: '::', port: 0 }, ipv6Only: true });
        const own = addressOf(six).port;
        const four = await scene.socket(port, { local: { host: loopback, port: own } });
        const [atSix, atFour] = [scene.receive(six), scene.receive(four)];
        expect(await scene.send(four, { data: text('4'), to: addressOf(four) }).settled()).toBe(1);
        expect(await scene.send(six, { data: text('6'), to: DatagramAddress.of('::1', own) }).settled()).toBe(
          1,
        );
        await Promise.all([atSix.untilReceived(1), atFour.untilReceived(1)]);
        expect([atSix.texts, atFour.texts]).toEqual([['6'], ['4']]);
      }),
    longTestMs,
  );

  scenario('closes 1000 times with operations in flight', async (scene) => {
    const port = scene.port();
    const target = await scene.socket(port);
    await withSeed(async (random) => {
      for (let round = 0; round < 1000; round += socketsAtOnce) {
        const sockets = await Promise.all(Array.from({ length: socketsAtOnce }, () => scene.socket(port)));
        await Promise.all(
          sockets.map(async (socket) => {
            const received = scene.receive(socket);
            const data = Buffer.alloc(random.pick([0, 100, 3000, 60_000]));
            const to = random.pick([addressOf(target), addressOf(socket)]);
            const sent = scene.send(
              socket,
              ...Array.from({ length: random.integer(1, 30) }, () => ({ data, to })),
            );
            for (let pause = random.integer(0, 2); pause > 0; pause--) await nextTurn();
            if (random.chance(0.2) && received.token !== null) port.cancel(received.token);
            if (random.chance(0.2) && sent.token !== null) port.cancel(sent.token);
            expect(await scene.close(socket).settled()).toBe(0);
            expect([received.result, sent.result], 'nothing outlives the close').not.toContain(null);
          }),
        );
      }
    });
  });

  scenario('a port that closes settles everything and leaves nothing', async (scene) => {
    const port = scene.port();
    const sockets = await Promise.all(Array.from({ length: 20 }, () => scene.socket(port)));
    const received = sockets.map((socket) => scene.receive(socket));
    const data = Buffer.alloc(40_000);
    const sent = sockets.map((socket: Socket) =>
      scene.send(socket, ...Array.from({ length: 10 }, () => ({ data, to: addressOf(socket) }))),
    );
    await nextTurn();
    await port.close();
    expect(received.map((probe) => probe.result)).toEqual(sockets.map(() => result.canceled));
    expect(sent.map((probe) => probe.result)).not.toContain(null);
    expect(port.stats).toMatchObject({ operationsInFlight: 0, handlesOpen: 0, pins: 0, parked: 0 });
    expect(port.stats.slots.javascript).toBe(0);
    await expect(port.openDatagram()).rejects.toMatchObject({ code: 'ERR_IOCP_PORT_CLOSED' });
  });

  scenario('in debug mode lent bytes are gone, and replies are not', async (scene) => {
    const port = scene.port({ debug: true });
    const [server, client] = [await scene.socket(port), await scene.socket(port)];
    const views: Uint8Array[] = [];
    const replies = new DatagramList(port);
    const asked = scene.receive(server, {
      onSlot(slot, byteCount) {
        const view = port.pool.viewAt(slot, Limit.DATAGRAM_OFFSET, byteCount);
        views.push(view);
        replies.addReply([view, text('!')], slot);
      },
    });
    const answered = scene.receive(client);
    expect(await scene.send(client, { data: text('hello'), to: addressOf(server) }).settled()).toBe(1);
    await asked.untilReceived(1);
    await nextTurn();
    expect(views.map(({ length }) => length)).toEqual([0]);
    expect(await scene.sendList(server, replies).settled()).toBe(1);
    await answered.untilReceived(1);
    expect(answered.texts).toEqual(['hello!']);
  });
});

/** The word where the second entry of a list begins. */
const secondEntry = 16;
const socketsAtOnce = 20;
