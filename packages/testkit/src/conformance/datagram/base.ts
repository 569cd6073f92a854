/** Datagram suite, part 1: boundaries, addresses, one receiver, and pauses that hold. */

import assert from 'node:assert/strict';
import { DatagramAddress } from '@iocp/core/layer';
import { pattern } from '../../chunkings.js';
import { withSeed } from '../../prng.js';
import type { TestRunner, TestSetup } from '../../runner.js';
import { codeOf } from '../../transcript.js';
import { turns, whenQuiet } from '../../turns.js';
import { assertSameBytes } from '../channel/base.js';
import {
  assertReceived,
  type DatagramSource,
  type FullDatagramTraits,
  itWithDatagrams,
  numbered,
  range,
  shapes,
} from './setup.js';

export function datagramBaseSuite(
  runner: TestRunner,
  setup: TestSetup<DatagramSource>,
  traits: FullDatagramTraits,
): void {
  boundaryTests(runner, setup, traits);
  receiverTests(runner, setup);
  pauseTests(runner, setup, traits);
  addressTests(runner, setup, traits);
}

function boundaryTests(
  runner: TestRunner,
  setup: TestSetup<DatagramSource>,
  traits: FullDatagramTraits,
): void {
  for (const shape of shapes) {
    itWithDatagrams(runner, setup, `[1] keeps boundaries, ${shape}, from 0 bytes on`, async (scene) => {
      const { far, send } = await scene.pair(shape);
      const lengths = [0, 1, 2, 100, 1472, 1473, 9000, 0, 20_000];
      for (const [index, byteCount] of lengths.entries()) {
        const sent = send(pattern(byteCount));
        assert.equal(sent.taken, true);
        await far.untilReceived(index + 1);
        assertSameBytes(far.received[index]?.data ?? new Uint8Array(1), pattern(byteCount));
        assert.equal(far.received[index]?.truncated, false);
      }
    });

    itWithDatagrams(
      runner,
      setup,
      `[1] carries the largest payload, ${shape}, and answers`,
      async (scene) => {
        const answer = {
          probe: { onDatagram: (datagram, probe) => void probe.reply(datagram) },
        } satisfies Parameters<typeof scene.pair>[2];
        const { near, far, send } = await scene.pair(shape, {}, answer);
        const bytes = pattern(near.channel.payloadBytesMax);
        send(bytes);
        await near.untilReceived(1);
        assertSameBytes(far.received[0]?.data ?? new Uint8Array(), bytes);
        assertSameBytes(near.received[0]?.data ?? new Uint8Array(), bytes);
        const { sent, sentBytes, received, receivedBytes } = near.channel.stats;
        assert.deepEqual(
          { sent, sentBytes, received, receivedBytes },
          { sent: 1, sentBytes: bytes.byteLength, received: 1, receivedBytes: bytes.byteLength },
        );
      },
    );
  }

  itWithDatagrams(runner, setup, '[1] makes one datagram of the chunks of an array', async (scene) => {
    const { far, send } = await scene.pair('unconnected');
    const whole = pattern(3000);
    send([whole.subarray(0, 1), new Uint8Array(), whole.subarray(1, 2500), whole.subarray(2500)]);
    send([]);
    await far.untilReceived(2);
    const lengths = far.received.map(({ data }) => data.byteLength).sort((first, second) => first - second);
    assert.deepEqual(lengths, [0, 3000]);
    assertSameBytes(far.received.find(({ data }) => data.byteLength > 0)?.data ?? whole, whole);
  });

  itWithDatagrams(runner, setup, '[1] delivers many, each once and whole', async (scene) => {
    const { far, send } = await scene.pair('unconnected');
    for (let index = 0; index < 2000; index++) {
      send(numbered(index));
      if (index % 25 === 24) await far.untilReceived(index + 1);
    }
    assertReceived(far, range(0, 2000));
  });

  itWithDatagrams(runner, setup, '[1] has copied the bytes when send returns', async (scene) => {
    const { far, send } = await scene.pair('connected');
    for (const byteCount of [64, 30_000]) {
      const scratch = new Uint8Array(pattern(byteCount));
      send(scratch);
      scratch.fill(0xee);
      const chunks = [new Uint8Array(pattern(byteCount)), new Uint8Array(4)];
      send(chunks);
      chunks[0]?.fill(0xee);
      await far.untilReceived(far.received.length + 2);
    }
    for (const { data } of far.received) {
      const byteCount = data.byteLength - (data.byteLength % 8 === 4 ? 4 : 0);
      assertSameBytes(data.subarray(0, byteCount), pattern(byteCount));
    }
  });

  itWithDatagrams(
    runner,
    setup,
    '[2] refuses what is longer than any datagram, and goes on',
    async (scene) => {
      const { near, far, send, to } = await scene.pair('unconnected');
      const tooLong = pattern(near.channel.payloadBytesMax + 1);
      const watched = send(tooLong);
      assert.equal(watched.taken, true);
      near.sendUnwatched(tooLong, to);
      send(numbered(1));
      await far.untilReceived(1);
      await near.until('the errors', () => watched.settled && near.errors.length === 1);
      assert.deepEqual([codeOf(watched.error), codeOf(near.errors[0])], ['EMSGSIZE', 'EMSGSIZE']);
      assertReceived(far, [1]);
      assert.equal(near.channel.stats.sendErrors, 2);
    },
  );

  const fits = traits.smallSlotBytes;
  if (fits === null) return;
  itWithDatagrams(
    runner,
    setup,
    '[2] cuts what is longer than the memory for it, and says so',
    async (scene) => {
      const { near, far, send } = await scene.pair('unconnected', {}, { open: { smallSlots: true } });
      for (const [index, byteCount] of [fits, fits + 1, near.channel.payloadBytesMax, 10].entries()) {
        send(pattern(byteCount));
        await far.untilReceived(index + 1);
        const { data, truncated } = far.received[index] as { data: Uint8Array; truncated: boolean };
        assertSameBytes(data, pattern(Math.min(fits, byteCount)));
        assert.equal(truncated, byteCount > fits, `${byteCount} bytes, of which ${fits} fit`);
      }
      assert.equal(far.channel.stats.truncated, 2);
      assert.equal(far.channel.stats.receivedBytes, fits * 3 + 10);
    },
  );
}

function receiverTests(runner: TestRunner, setup: TestSetup<DatagramSource>): void {
  itWithDatagrams(runner, setup, '[3] refuses a second receiver, and keeps the first', async (scene) => {
    const { far, send } = await scene.pair('unconnected');
    const second = { onDatagrams() {}, onDrain() {}, onError() {}, onClose() {} };
    assert.throws(() => far.channel.attach(second), { code: 'ERR_CHANNEL_CONSUMER' });
    send(numbered(1));
    await far.untilReceived(1);
  });

  itWithDatagrams(
    runner,
    setup,
    '[3] receives nothing before attach, and then what waited',
    async (scene) => {
      const channel = await scene.raw();
      const { localAddress, localPort } = channel.info;
      const to = DatagramAddress.of(localAddress as string, localPort as number);
      const sender = await scene.bind();
      const sends = range(0, 10).map((index) => sender.send(numbered(index), to));
      await sender.untilSettled(sends);
      await turns(10);
      assert.equal(channel.stats.received, 0);
      const receiver = scene.adopt(channel, { name: 'receiver' });
      assert.equal(receiver.received.length, 0, 'delivered from inside attach()');
      await receiver.untilReceived(10);
      assertReceived(receiver, range(0, 10));
    },
  );

  itWithDatagrams(runner, setup, 'tells what it is', async (scene) => {
    const { near, far } = await scene.pair('connected');
    for (const { channel } of [near, far]) {
      assert.ok(channel.info.protocols.length > 0);
      assert.ok(channel.payloadBytesMax > 0);
      assert.equal(channel.closed, false);
    }
    assert.equal(near.channel.info.remotePort, far.address.port);
    assert.equal(near.channel.info.remoteAddress, far.address.address);
    assert.equal(far.channel.info.remotePort, undefined);
    assert.equal(far.channel.info.remoteAddress, undefined);
    assert.equal(far.channel.info.family, far.address.family);
  });
}

function pauseTests(runner: TestRunner, setup: TestSetup<DatagramSource>, traits: FullDatagramTraits): void {
  itWithDatagrams(runner, setup, '[4] delivers nothing while paused, and then what waited', async (scene) => {
    const { near, far, send } = await scene.pair('unconnected');
    send(numbered(0));
    await far.untilReceived(1);
    far.pause();
    far.pause();
    const sends = range(1, traits.waitingMax).map((index) => send(numbered(index)));
    await near.untilSettled(sends);
    await whenQuiet(() => far.received.length);
    assert.equal(far.received.length, 1);
    far.resume();
    far.resume();
    assert.equal(far.received.length, 1, 'delivered from inside resume()');
    await far.untilReceived(traits.waitingMax);
    assertReceived(far, range(0, traits.waitingMax));
  });

  itWithDatagrams(runner, setup, '[4] can be paused before attach', async (scene) => {
    const channel = await scene.raw();
    channel.pause();
    const receiver = scene.adopt(channel, { name: 'receiver' });
    const sender = await scene.bind();
    await sender.untilSettled([sender.send(numbered(1), receiver.address)]);
    await whenQuiet(() => receiver.received.length);
    assert.equal(receiver.received.length, 0);
    receiver.resume();
    await receiver.untilReceived(1);
  });

  itWithDatagrams(runner, setup, '[4] a pause from inside onDatagrams holds at once', async (scene) => {
    const pauseBriefly = (probe: { pause(): void; resume(): void }) => {
      probe.pause();
      setImmediate(() => probe.resume());
    };
    const { far, send } = await scene.pair('connected', {}, { probe: { onBatchEnd: pauseBriefly } });
    const count = traits.waitingMax * 5;
    for (let index = 0; index < count; index++) {
      send(numbered(index));
      if (index % traits.waitingMax === traits.waitingMax - 1) await far.untilReceived(index + 1);
    }
    assertReceived(far, range(0, count));
  });

  itWithDatagrams(runner, setup, '[4] pauses at any moment, with receives in flight', async (scene) => {
    await withSeed(async (random) => {
      const { far, send } = await scene.pair('unconnected');
      let sent = 0;
      for (let round = 0; round < 60; round++) {
        const count = random.integer(1, traits.waitingMax - 1);
        for (const index of range(sent, sent + count)) send(numbered(index));
        sent += count;
        await turns(random.integer(0, 3));
        far.pause();
        const held = far.received.length;
        await turns(random.integer(0, 4));
        assert.equal(far.received.length, held);
        far.resume();
        await far.untilReceived(sent);
      }
      assertReceived(far, range(0, sent));
    });
  });
}

function addressTests(
  runner: TestRunner,
  setup: TestSetup<DatagramSource>,
  traits: FullDatagramTraits,
): void {
  for (const shape of shapes) {
    itWithDatagrams(runner, setup, `[7] knows the sender, ${shape}, and reuses its object`, async (scene) => {
      const { near, far, send } = await scene.pair(shape);
      for (let round = 1; round <= 3; round++) {
        for (const index of range(0, 5)) send(numbered(index));
        await far.untilReceived(round * 5);
      }
      const sender = near.address;
      for (const { peer, address, port, family } of far.received) {
        assert.equal(peer, far.received[0]?.peer, 'another object for the same peer');
        assert.ok(peer.equals(sender), `from ${peer}, expected ${sender}`);
        assert.deepEqual([address, port, family], [sender.address, sender.port, sender.family]);
      }
    });
  }

  itWithDatagrams(runner, setup, '[7] tells peers apart, and answers each', async (scene) => {
    const server = await scene.bind({
      probe: { name: 'server', onDatagram: (datagram, probe) => void probe.reply(datagram) },
    });
    const clients = await Promise.all(
      range(0, 8).map((index) => (index % 2 === 0 ? scene.bind() : scene.connect(server.address))),
    );
    for (const round of range(1, 6)) {
      for (const [index, client] of clients.entries()) {
        client.send(numbered(index * 100 + round), index % 2 === 0 ? server.address : undefined);
      }
      await Promise.all(clients.map((client) => client.untilReceived(round)));
    }
    for (const [index, client] of clients.entries()) {
      assertReceived(client, range(index * 100 + 1, index * 100 + 6));
      for (const { peer } of client.received) assert.ok(peer.equals(server.address), `answered by ${peer}`);
    }
    assert.equal(new Set(server.received.map(({ peer }) => peer)).size, clients.length);
  });

  itWithDatagrams(runner, setup, '[7] a connected channel hears nobody but its peer', async (scene) => {
    const { near, far } = await scene.pair('connected');
    const stranger = await scene.bind({ probe: { name: 'stranger' } });
    await stranger.untilSettled(range(100, 105).map((index) => stranger.send(numbered(index), near.address)));
    for (const index of range(0, 5)) far.send(numbered(index), near.address);
    await near.untilReceived(5);
    await whenQuiet(() => near.received.length);
    assertReceived(near, range(0, 5));
  });

  if (traits.dualStack) dualStackTest(runner, setup);
  if (traits.receiveInfo) infoTest(runner, setup);
}

function dualStackTest(runner: TestRunner, setup: TestSetup<DatagramSource>): void {
  itWithDatagrams(
    runner,
    setup,
    '[7] a channel of both families tells IPv4 as mapped, and answers',
    async (scene) => {
      const answer = {
        onDatagram: (datagram: Parameters<typeof both.reply>[0]) => void both.reply(datagram),
      };
      const both = await scene.bind({ open: { dualStack: true }, probe: { name: 'both', ...answer } });
      const clients = await Promise.all(
        ['127.0.0.1', '::1'].map((host) => scene.connect(DatagramAddress.of(host, both.address.port))),
      );
      for (const [index, client] of clients.entries()) {
        client.send(numbered(index));
        await client.untilReceived(1);
      }
      assert.deepEqual(
        both.received.map(({ address, family }) => [address, family]),
        [
          ['::ffff:127.0.0.1', 'IPv6'],
          ['::1', 'IPv6'],
        ],
      );
      const [first] = clients;
      assert.ok(first !== undefined);
      // Sending to IPv4 by either name reaches it.
      both.send(numbered(7), DatagramAddress.of('127.0.0.1', first.address.port));
      await first.untilReceived(2);
      both.send(numbered(8), DatagramAddress.of('::ffff:127.0.0.1', first.address.port));
      await first.untilReceived(3);
      assertReceived(first, [0, 7, 8]);
    },
  );
}

function infoTest(runner: TestRunner, setup: TestSetup<DatagramSource>): void {
  itWithDatagrams(
    runner,
    setup,
    '[21] carries type of service, time to live and addresses',
    async (scene) => {
      const { near, far, to } = await scene.pair('unconnected', {}, { open: { receiveInfo: true } });
      near.send(numbered(1), to, { tos: 0x2e << 2, ttl: 17 });
      await far.untilReceived(1);
      near.send(numbered(2), to, { tos: 1, source: DatagramAddress.of(near.address.address, 0) });
      await far.untilReceived(2);
      const [first, second] = far.received;
      assert.deepEqual([first?.tos, first?.ttl, first?.localAddress], [0x2e << 2, 17, far.address.address]);
      assert.deepEqual([second?.tos, second?.address], [1, near.address.address]);
      assert.ok((first?.interfaceIndex ?? 0) > 0, `interface ${first?.interfaceIndex}`);
    },
  );

  itWithDatagrams(runner, setup, '[21] tells nothing that was not asked for', async (scene) => {
    const { far, send } = await scene.pair('unconnected');
    send(numbered(1));
    await far.untilReceived(1);
    const { tos, ttl, localAddress, interfaceIndex } = far.received[0] as (typeof far.received)[0];
    assert.deepEqual([tos, ttl, localAddress, interfaceIndex], [undefined, undefined, undefined, undefined]);
  });
}
