/** Datagram suite, part 4: misuse, what the network answers, and handlers that throw. */

import assert from 'node:assert/strict';
import { DatagramAddress as Address, type DatagramAddress } from '@iocp/core/layer';
import { captureUncaught } from '../../capture-uncaught.js';
import type { DatagramProbe } from '../../datagram/datagram-probe.js';
import type { TestRunner, TestSetup } from '../../runner.js';
import { codeOf } from '../../transcript.js';
import { nextTurn, whenQuiet } from '../../turns.js';
import {
  assertReceived,
  type DatagramSource,
  type FullDatagramTraits,
  itWithDatagrams,
  numbered,
  range,
} from './setup.js';

export function datagramErrorSuite(
  runner: TestRunner,
  setup: TestSetup<DatagramSource>,
  traits: FullDatagramTraits,
): void {
  argumentTests(runner, setup);
  answerTests(runner, setup, traits);
  throwTests(runner, setup);
}

function argumentTests(runner: TestRunner, setup: TestSetup<DatagramSource>): void {
  itWithDatagrams(runner, setup, '[15] wants an address when it is not connected', async (scene) => {
    const { near, far, send } = await scene.pair('unconnected');
    assert.throws(() => near.channel.send(numbered(1)), { code: 'ERR_SOCKET_DGRAM_NOT_CONNECTED' });
    send(numbered(2));
    await far.untilReceived(1);
    assertReceived(far, [2]);
  });

  itWithDatagrams(runner, setup, '[15] wants no address when it is connected', async (scene) => {
    const { near, far, send } = await scene.pair('connected');
    assert.throws(() => near.channel.send(numbered(1), far.address), {
      code: 'ERR_SOCKET_DGRAM_IS_CONNECTED',
    });
    send(numbered(2));
    await far.untilReceived(1);
    assertReceived(far, [2]);
  });

  itWithDatagrams(runner, setup, '[15] says at once what is wrong with an argument', async (scene) => {
    const { near, far, to } = await scene.pair('unconnected');
    const { channel } = near;
    const wrong = (value: unknown) => value as never;
    const type = { code: 'ERR_INVALID_ARG_TYPE' };
    for (const data of [
      undefined,
      null,
      'text',
      5,
      {},
      new ArrayBuffer(4),
      ['text'],
      [new Uint8Array(1), null],
    ]) {
      assert.throws(() => channel.send(wrong(data), to), type);
    }
    const plain = { address: '127.0.0.1', port: 1 };
    for (const address of [null, '127.0.0.1', 5, plain]) {
      assert.throws(() => channel.send(numbered(1), wrong(address)), type);
    }
    for (const options of [null, 5, 'text'])
      assert.throws(() => channel.send(numbered(1), to, wrong(options)), type);
    for (const option of [
      { done: 5 },
      { tos: '1' },
      { ttl: '1' },
      { source: plain },
      { interfaceIndex: 'lo' },
    ]) {
      assert.throws(() => channel.send(numbered(1), to, wrong(option)), type);
    }
    for (const option of [
      { tos: 256 },
      { tos: -1 },
      { ttl: 0 },
      { ttl: 256 },
      { tos: 1.5 },
      { interfaceIndex: -1 },
    ]) {
      assert.throws(() => channel.send(numbered(1), to, option), { code: 'ERR_OUT_OF_RANGE' });
    }
    assert.equal(channel.stats.queued, 0);
    near.send(numbered(9), to, { done: undefined, tos: undefined, ttl: undefined });
    await far.untilReceived(1);
    assertReceived(far, [9]);
  });
}

function answerTests(runner: TestRunner, setup: TestSetup<DatagramSource>, traits: FullDatagramTraits): void {
  const code = traits.unreachableCode;
  itWithDatagrams(
    runner,
    setup,
    code === null
      ? '[16] outlives a peer that is not there'
      : `[16] tells ${code} when nobody is there, and goes on`,
    async (scene) => {
      const address = await scene.source.unreachable();
      const near = await scene.connect(address, { probe: { name: 'near' } });
      for (let round = 1; round <= 3; round++) {
        near.sendUnwatched(numbered(round));
        if (code !== null) await near.until(`error ${round}`, () => near.errors.length >= round);
        await whenQuiet(() => near.errors.length, 5);
      }
      if (code === null) assert.deepEqual(near.errors, []);
      else assert.deepEqual(new Set(near.errors.map(codeOf)), new Set([code]));
      assert.equal(near.closed, false);
      const late = await scene.bindAt(address);
      near.sendUnwatched(numbered(7));
      await late.untilReceived(1);
      assertReceived(late, [7]);
      late.send(numbered(8), near.address);
      await near.untilReceived(1);
      assertReceived(near, [8]);
    },
  );

  itWithDatagrams(
    runner,
    setup,
    '[16] an unconnected channel sends past a peer that is not there',
    async (scene) => {
      const { near, far, send } = await scene.pair('unconnected');
      const nobody = await scene.source.unreachable();
      for (const index of range(0, 20)) {
        near.sendUnwatched(numbered(99), nobody);
        send(numbered(index));
        await far.untilReceived(index + 1);
      }
      assertReceived(far, range(0, 20));
      assert.equal(near.closed, false);
      const { sent, sendErrors } = near.channel.stats;
      assert.deepEqual({ sent, sendErrors }, { sent: 40, sendErrors: 0 });
    },
  );

  itWithDatagrams(runner, setup, '[16] a datagram that the system refuses harms no other', async (scene) => {
    const { near, far, send } = await scene.pair('unconnected');
    const { otherFamily } = scene.source;
    const refusals = new Map<DatagramAddress, string>();
    if (otherFamily !== undefined) refusals.set(otherFamily, traits.otherFamilyCode);
    const tooLong = new Uint8Array(near.channel.payloadBytesMax + 1);
    const before = range(0, 5).map((index) => send(numbered(index)));
    const refused = [near.send(tooLong, far.address)];
    for (const address of refusals.keys()) refused.push(near.send(numbered(99), address));
    const after = range(5, 10).map((index) => send(numbered(index)));
    await near.untilSettled([...before, ...refused, ...after]);
    assert.ok([...before, ...after].every(({ error }) => error === null));
    assert.deepEqual(
      refused.map(({ error }) => codeOf(error)),
      ['EMSGSIZE', ...refusals.values()],
    );
    assert.equal(near.errors.length, 0, 'told to done, and to onError as well');
    assert.equal(near.channel.stats.sendErrors, refused.length);
    await far.untilReceived(10);
    assertReceived(far, range(0, 10));
    if (otherFamily === undefined) return;
    near.sendUnwatched(numbered(99), otherFamily);
    await near.until('the error', () => near.errors.length === 1);
    assert.equal(codeOf(near.errors[0]), traits.otherFamilyCode);
  });
}

function throwTests(runner: TestRunner, setup: TestSetup<DatagramSource>): void {
  const boom = new Error('thrown by a handler');

  itWithDatagrams(
    runner,
    setup,
    '[17] onDatagrams that throws is reported, and the next batch comes',
    async (scene) => {
      let batches = 0;
      const onBatchEnd = () => {
        if (batches++ % 2 === 0) throw boom;
      };
      const { far, send } = await scene.pair('unconnected', {}, { probe: { onBatchEnd } });
      const uncaught = await captureUncaught(async () => {
        for (let round = 1; round <= 4; round++) {
          for (const index of range(0, 20)) send(numbered((round - 1) * 20 + index));
          await far.untilReceived(round * 20);
        }
        await nextTurn();
      });
      assert.equal(uncaught.length, Math.ceil(batches / 2));
      assert.ok(uncaught.every((error) => error === boom));
      assertReceived(far, range(0, 80));
    },
  );

  itWithDatagrams(
    runner,
    setup,
    '[17] a loop over a batch that throws gives the rest back',
    async (scene) => {
      const channel = await scene.raw();
      let batches = 0;
      channel.attach({
        onDatagrams: (batch) => {
          batches++;
          for (const _ of batch) throw boom;
        },
        onDrain() {},
        onError() {},
        onClose() {},
      });
      const { localAddress, localPort } = channel.info;
      const to = Address.of(localAddress as string, localPort as number);
      const sender = await scene.bind();
      const uncaught = await captureUncaught(async () => {
        for (let round = 0; round < 10; round++) {
          const before = batches;
          await sender.untilSettled(range(0, 20).map((index) => sender.send(numbered(index), to)));
          await whenQuiet(() => batches, 2);
          assert.ok(batches > before, `nothing was delivered after ${batches} batches`);
        }
      });
      assert.equal(uncaught.length, batches);
    },
  );

  itWithDatagrams(
    runner,
    setup,
    '[17] callbacks that throw are reported, and the others come',
    async (scene) => {
      const { near, far, to } = await scene.pair('unconnected');
      const uncaught = await captureUncaught(async () => {
        const done = () => {
          throw boom;
        };
        const sends = range(0, 10).map((index) =>
          near.send(numbered(index), to, index % 3 === 0 ? { done } : undefined),
        );
        await near.untilSettled(sends);
        await far.untilReceived(10);
        await nextTurn();
      });
      assert.deepEqual(uncaught, [boom, boom, boom, boom]);
      assertReceived(far, range(0, 10));
    },
  );

  itWithDatagrams(runner, setup, '[17] onDrain and onError that throw are reported', async (scene) => {
    const fail = () => {
      throw boom;
    };
    const probe = { onDrain: fail, onError: fail };
    const { near, far, send, to } = await scene.pair('unconnected', {
      open: { queuedDatagramsMax: 2 },
      probe,
    });
    const uncaught = await captureUncaught(async () => {
      near.sendUnwatched(new Uint8Array(near.channel.payloadBytesMax + 1), to);
      await near.until('the error', () => near.errors.length === 1);
      for (const index of range(0, 3)) send(numbered(index));
      await near.until('the drain', () => near.drainCount === 1);
      await nextTurn();
    });
    assert.deepEqual(uncaught, [boom, boom]);
    send(numbered(5));
    await far.untilReceived(3);
    assertReceived(far, [0, 1, 5]);
  });

  itWithDatagrams(runner, setup, '[17] commands from inside handlers work', async (scene) => {
    const closeAtOnce = (_: unknown, probe: DatagramProbe) => probe.close();
    const { far, send } = await scene.pair('unconnected', {}, { probe: { onDatagram: closeAtOnce } });
    send(numbered(1));
    assert.equal(await far.untilClosed(), null);
  });
}
