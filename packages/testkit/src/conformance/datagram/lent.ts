/** Datagram suite, part 2: batches, and bytes that are lent. */

import assert from 'node:assert/strict';
import { type Datagram, DatagramAddress, type DatagramBatch, type Lease, lease } from '@iocp/core/layer';
import type { DatagramProbe } from '../../datagram/datagram-probe.js';
import type { TestRunner, TestSetup } from '../../runner.js';
import { nextTurn, turns, whenQuiet } from '../../turns.js';
import { assertSameBytes } from '../channel/base.js';
import {
  assertReceived,
  type DatagramScene,
  type DatagramSource,
  type FullDatagramTraits,
  itWithDatagrams,
  numbered,
  numberOf,
  range,
} from './setup.js';

export function datagramLentSuite(
  runner: TestRunner,
  setup: TestSetup<DatagramSource>,
  traits: FullDatagramTraits,
): void {
  expiryTests(runner, setup, traits);
  passingOnTests(runner, setup);
  batchTests(runner, setup);
}

function expiryTests(runner: TestRunner, setup: TestSetup<DatagramSource>, traits: FullDatagramTraits): void {
  const become = traits.lentBytesBecome;
  if (become !== 'anything') {
    itWithDatagrams(runner, setup, `[5] lent bytes are ${become} after onDatagrams`, async (scene) => {
      const views: Uint8Array[] = [];
      const keep = { probe: { onDatagram: ({ data }: Datagram) => views.push(data) } };
      const { far, send } = await scene.pair('unconnected', {}, keep);
      for (let index = 0; index < 3; index++) send(new Uint8Array(1000).fill(0x55));
      await far.untilReceived(3);
      await nextTurn();
      for (const view of views) {
        assert.equal(view.byteLength, become === 'detached' ? 0 : 1000);
        // A detached view cannot even be looked at.
        const isAsItWas = view.byteLength === 0 || view.every((byte) => byte === 0x55);
        assert.equal(isAsItWas, become !== 'poisoned');
      }
    });
  }

  itWithDatagrams(runner, setup, '[5] leased bytes stay as they are, also after the close', async (scene) => {
    const leases: Lease[] = [];
    const keep = { probe: { onDatagram: ({ data }: Datagram) => leases.push(lease(data)) } };
    const { far, send } = await scene.pair('unconnected', {}, keep);
    for (const index of range(0, 4)) send(numbered(index, 1000));
    send(new Uint8Array());
    await far.untilReceived(5);
    const assertKept = () => {
      for (const { bytes } of leases) {
        if (bytes.byteLength > 0) assertSameBytes(bytes, numbered(numberOf(bytes), 1000));
      }
    };
    await turns(5);
    assertKept();
    far.close();
    await far.untilClosed();
    assertKept();
    for (const held of leases) {
      held.release();
      held.release();
    }
  });

  itWithDatagrams(runner, setup, '[5] runs out of slots and goes on when they come back', async (scene) => {
    const held: Lease[] = [];
    const keep = { probe: { onDatagram: ({ data }: Datagram) => held.push(lease(data)) } };
    const { near, far, send } = await scene.pair('unconnected', {}, { ...keep, open: { smallSlots: true } });
    let sent = 0;
    for (let round = 0; round < 20; round++) {
      await near.untilSettled(range(0, traits.waitingMax).map(() => send(numbered(sent++))));
      await whenQuiet(() => far.received.length, 5);
    }
    assert.equal(far.closed, false, 'an exhausted pool is not an error');
    assert.ok(held.length > 0);
    for (const { bytes } of held) assertSameBytes(bytes, numbered(numberOf(bytes)));
    while (held.length > 0) {
      for (const each of held.splice(0)) each.release();
      await whenQuiet(() => far.received.length, 5);
    }
    const before = far.received.length;
    send(numbered(sent));
    await far.untilReceived(before + 1);
    assert.equal(numberOf(far.received.at(-1)?.data ?? new Uint8Array(4)), sent);
    for (const each of held) each.release();
  });
}

function passingOnTests(runner: TestRunner, setup: TestSetup<DatagramSource>): void {
  /** A relay between two others that passes lent bytes on as they are. */
  async function relayTest(
    scene: DatagramScene,
    passOn: (datagram: Datagram, relay: DatagramProbe, target: DatagramProbe) => void,
  ): Promise<void> {
    const target = await scene.bind({ probe: { name: 'target' } });
    const onDatagram = (datagram: Datagram, relay: DatagramProbe) => passOn(datagram, relay, target);
    const { far, send } = await scene.pair('unconnected', {}, { probe: { name: 'relay', onDatagram } });
    for (let index = 0; index < 300; index++) {
      send(numbered(index, 700));
      if (index % 25 === 24) await target.untilReceived(index + 1);
    }
    assertReceived(target, range(0, 300), 700);
    await far.until('an empty queue', () => far.channel.stats.queued === 0);
  }

  itWithDatagrams(runner, setup, '[5] sends lent bytes on', (scene) =>
    relayTest(scene, ({ data }, relay, target) => void relay.send(data, target.address)),
  );

  itWithDatagrams(runner, setup, '[5] sends lent bytes on through another channel', async (scene) => {
    const other = await scene.bind({ probe: { name: 'other' } });
    await relayTest(scene, ({ data }, _, target) => void other.send(data, target.address));
    await other.until('an empty queue', () => other.channel.stats.queued === 0);
  });

  itWithDatagrams(runner, setup, '[5] sends parts of lent bytes on, gathered', (scene) =>
    relayTest(
      scene,
      ({ data }, relay, target) =>
        void relay.send([data.subarray(0, 10), data.subarray(10, 11), data.subarray(11)], target.address),
    ),
  );

  itWithDatagrams(runner, setup, '[5] replies with lent bytes, and with others', async (scene) => {
    const answer = (datagram: Datagram, probe: DatagramProbe) => {
      probe.reply(datagram);
      probe.reply(datagram, datagram.data.subarray(0, 50));
      probe.reply(datagram, numbered(numberOf(datagram.data), 60));
    };
    const { near, send } = await scene.pair('connected', {}, { probe: { onDatagram: answer } });
    for (const index of range(0, 10)) {
      send(numbered(index));
      await near.untilReceived((index + 1) * 3);
    }
    for (const byteCount of [100, 50, 60]) {
      const answers = near.received.filter(({ data }) => data.byteLength === byteCount);
      assert.equal(answers.length, 10);
      for (const { data } of answers) {
        const whole = numbered(numberOf(data), Math.max(byteCount, 60));
        assertSameBytes(data, whole.subarray(0, byteCount));
      }
    }
  });

  itWithDatagrams(runner, setup, '[5] replies from a connected channel', async (scene) => {
    const answerOnce = (datagram: Datagram, probe: DatagramProbe) => {
      if (datagram.data.byteLength === 100) probe.reply(datagram, datagram.data.subarray(0, 40));
    };
    const { near, far } = await scene.pair('connected', { probe: { onDatagram: answerOnce } });
    far.send(numbered(3), near.address);
    await far.untilReceived(1);
    assertSameBytes(far.received[0]?.data ?? new Uint8Array(), numbered(3).subarray(0, 40));
  });
}

function batchTests(runner: TestRunner, setup: TestSetup<DatagramSource>): void {
  const ways: Record<string, (batch: DatagramBatch) => void> = {
    'does not look at': () => {},
    'breaks off': (batch) => {
      for (const _ of batch) break;
    },
    'only counts': (batch) => assert.ok(batch.length > 0),
  };
  for (const [way, look] of Object.entries(ways)) {
    itWithDatagrams(runner, setup, `[6] gives back what a receiver ${way}`, async (scene) => {
      const channel = await scene.raw();
      let arrived = 0;
      let batches = 0;
      channel.attach({
        onDatagrams: (batch) => {
          arrived += batch.length;
          batches++;
          look(batch);
        },
        onDrain() {},
        onError() {},
        onClose() {},
      });
      const { localAddress, localPort } = channel.info;
      const to = DatagramAddress.of(localAddress as string, localPort as number);
      const sender = await scene.bind();
      for (let round = 1; round <= 40; round++) {
        for (const index of range(0, 25)) sender.send(numbered(index), to);
        await sender.untilSettled([sender.send(numbered(99), to)]);
        await whenQuiet(() => arrived, 1);
      }
      assert.ok(batches > 0);
      assert.equal(arrived, 40 * 26, 'slots did not come back');
    });
  }

  itWithDatagrams(runner, setup, '[6] batches give what they say, one object for all', async (scene) => {
    // The probe notes what is wrong; here it must have seen something.
    const { far, send } = await scene.pair('unconnected');
    for (let round = 1; round <= 20; round++) {
      for (const index of range(0, 30)) send(numbered(index));
      await far.untilReceived(round * 30);
    }
    assert.equal(
      far.batches.reduce((sum, length) => sum + length, 0),
      600,
    );
  });
}
