/** Channel suite, part 1: bytes arrive whole and in order, and callbacks tell the truth. */

import assert from 'node:assert/strict';
import { ChannelError } from '@iocp/core/layer';
import { captureUncaught } from '../../capture-uncaught.js';
import type { ChannelProbe } from '../../channel-probe.js';
import { concatenate, everySplitInTwo, pattern } from '../../chunkings.js';
import type { TestRunner, TestSetup } from '../../runner.js';
import { nextTurn, turns, whenQuiet } from '../../turns.js';
import { type ChannelSource, type FullChannelTraits, itWithChannels } from './setup.js';

/** Writes back what arrives, as it arrived: lent. */
const echo = {
  onData: (bytes: Uint8Array, probe: ChannelProbe) => void probe.write(bytes),
};

export function channelBaseSuite(
  runner: TestRunner,
  setup: TestSetup<ChannelSource>,
  traits: FullChannelTraits,
): void {
  echoTests(runner, setup);
  writeTests(runner, setup);
  memoryTests(runner, setup);
  if (traits.boundaries === 'messages') messageTests(runner, setup);
  receiverTests(runner, setup);
}

function echoTests(runner: TestRunner, setup: TestSetup<ChannelSource>): void {
  for (const byteCount of [1, 20, 4096]) {
    itWithChannels(runner, setup, `[1] echoes ${byteCount} bytes`, async (scene) => {
      const { near } = await scene.pair({}, echo);
      near.write(pattern(byteCount));
      await near.untilReceived(byteCount);
      assertSameBytes(near.received(), pattern(byteCount));
    });
  }

  itWithChannels(runner, setup, '[1] echoes 3 MiB in large chunks', async (scene) => {
    const { near } = await scene.pair({}, echo);
    const bytes = pattern(3 * 1024 * 1024 + 17);
    await near.writeAll(bytes, 200_000);
    await near.untilReceived(bytes.byteLength);
    assertSameBytes(near.received(), bytes);
  });

  itWithChannels(runner, setup, '[1] echoes 3000 small writes', async (scene) => {
    const { near } = await scene.pair({}, echo);
    const bytes = pattern(3000 * 33);
    await near.writeAll(bytes, 33);
    await near.untilReceived(bytes.byteLength);
    assertSameBytes(near.received(), bytes);
  });

  itWithChannels(runner, setup, '[1] carries both directions at once', async (scene) => {
    const { near, far } = await scene.pair();
    const bytes = pattern(400_000);
    await Promise.all([near.writeAll(bytes, 7000), far.writeAll(bytes, 9000)]);
    await Promise.all([near.untilReceived(bytes.byteLength), far.untilReceived(bytes.byteLength)]);
    assertSameBytes(near.received(), bytes);
    assertSameBytes(far.received(), bytes);
  });

  itWithChannels(runner, setup, '[2] delivers the same bytes however the writer cuts them', async (scene) => {
    const { near, far } = await scene.pair();
    const input = pattern(40);
    const sent: Uint8Array[] = [];
    for (const parts of everySplitInTwo(input)) {
      for (const part of parts) near.write(part);
      near.write(parts);
      sent.push(input, input);
      if (sent.length % 10 === 0) await nextTurn();
    }
    const expected = concatenate(sent);
    await far.untilReceived(expected.byteLength);
    assertSameBytes(far.received(), expected);
  });
}

function writeTests(runner: TestRunner, setup: TestSetup<ChannelSource>): void {
  itWithChannels(runner, setup, '[3] calls the callbacks in the order of the writes', async (scene) => {
    const { near, far } = await scene.pair();
    const lengths = [1, 70_000, 3, 3, 20_000, 1, 300_000, 2, 16_384, 5];
    const writes = lengths.map((byteCount) => near.write([pattern(byteCount), pattern(1)]));
    await Promise.all(writes.map((write) => write.done));
    assert.deepEqual(
      near.settledOrder,
      lengths.map((_, index) => index),
    );
    await far.untilReceived(lengths.reduce((sum, byteCount) => sum + byteCount + 1, 0));
  });

  itWithChannels(runner, setup, '[3] calls back for a write without chunks', async (scene) => {
    const { near, far } = await scene.pair();
    const first = near.write(pattern(10));
    const empty = near.write([]);
    const last = near.write(pattern(10));
    await Promise.all([first.done, empty.done, last.done]);
    assert.deepEqual(near.settledOrder, [0, 1, 2]);
    await far.untilReceived(20);
  });

  itWithChannels(runner, setup, 'holds corked writes back until the last uncork', async (scene) => {
    const { near, far } = await scene.pair();
    near.cork();
    near.cork();
    near.write(pattern(10));
    near.uncork();
    near.write(pattern(10, 10));
    await whenQuiet(() => far.bytesReceived);
    assert.equal(far.bytesReceived, 0, 'bytes went out while corked');
    near.uncork();
    await far.untilReceived(20);
    assertSameBytes(far.received(), pattern(20));
  });

  itWithChannels(runner, setup, 'sends what was corked before the end, then the end', async (scene) => {
    const { near, far } = await scene.pair();
    near.cork();
    near.write(pattern(1000));
    near.end();
    near.uncork();
    await far.untilEnded();
    assertSameBytes(far.received(), pattern(1000));
  });

  itWithChannels(
    runner,
    setup,
    'counts queued bytes in bufferedAmount until they are sent',
    async (scene) => {
      const { near, far } = await scene.pair();
      // A layer may have bytes of its own on their way: the last of a handshake.
      await whenQuiet(() => near.channel.bufferedAmount);
      assert.equal(near.channel.bufferedAmount, 0);
      const write = near.write(pattern(50_000));
      assert.ok(near.channel.bufferedAmount >= 50_000, `bufferedAmount is ${near.channel.bufferedAmount}`);
      await write.done;
      await far.untilReceived(50_000);
      await near.until('an empty queue', () => near.channel.bufferedAmount === 0);
    },
  );

  itWithChannels(runner, setup, 'names its protocols, bottom to top', async (scene) => {
    const { near, far } = await scene.pair();
    for (const { channel } of [near, far]) {
      assert.ok(channel.info.protocols.length > 0);
      assert.ok(channel.info.protocols.every((name) => typeof name === 'string' && name !== ''));
      assert.equal(channel.closed, false);
    }
  });
}

function memoryTests(runner: TestRunner, setup: TestSetup<ChannelSource>): void {
  itWithChannels(runner, setup, 'has copied a small chunk when write returns', async (scene) => {
    const { near, far } = await scene.pair();
    const scratch = new Uint8Array(64);
    for (let round = 0; round < 50; round++) {
      scratch.set(pattern(64, round * 64));
      near.write(scratch);
      scratch.fill(0xee);
    }
    await far.untilReceived(50 * 64);
    assertSameBytes(far.received(), pattern(50 * 64));
  });

  itWithChannels(runner, setup, 'is done with a large chunk when its callback comes', async (scene) => {
    const { near, far } = await scene.pair();
    const scratch = new Uint8Array(300_000);
    for (let round = 0; round < 4; round++) {
      scratch.set(pattern(scratch.byteLength, round * scratch.byteLength));
      await near.write(scratch).done;
      scratch.fill(0xee);
    }
    await far.untilReceived(4 * scratch.byteLength);
    assertSameBytes(far.received(), pattern(4 * scratch.byteLength));
  });
}

function messageTests(runner: TestRunner, setup: TestSetup<ChannelSource>): void {
  itWithChannels(runner, setup, 'delivers each chunk written as one message', async (scene) => {
    const { near, far } = await scene.pair();
    const lengths = [1, 2, 70_000, 5, 4096, 300, 1];
    for (const byteCount of lengths) near.write(pattern(byteCount));
    near.write(lengths.map((byteCount) => pattern(byteCount)));
    const expected = [...lengths, ...lengths];
    await far.until('all messages', () => far.chunks.length === expected.length);
    assert.deepEqual(
      far.chunks.map((chunk) => chunk.byteLength),
      expected,
    );
    for (const chunk of far.chunks) assertSameBytes(chunk, pattern(chunk.byteLength));
  });
}

function receiverTests(runner: TestRunner, setup: TestSetup<ChannelSource>): void {
  itWithChannels(
    runner,
    setup,
    'a handler that throws is reported, and the channel goes on',
    async (scene) => {
      const boom = new Error('thrown by a handler');
      let deliveries = 0;
      const throwOnce = () => {
        if (deliveries++ === 0) throw boom;
      };
      const { near, far } = await scene.pair({}, { onData: throwOnce });
      const uncaught = await captureUncaught(async () => {
        await near.writeAll(pattern(200_000), 10_000);
        await far.untilReceived(200_000);
        await nextTurn();
      });
      assert.deepEqual(uncaught, [boom]);
      assertSameBytes(far.received(), pattern(200_000));
    },
  );

  itWithChannels(runner, setup, 'refuses a second receiver', async (scene) => {
    const { near } = await scene.pair();
    assert.throws(
      () => near.channel.attach({ onData() {}, onEnd() {}, onDrain() {}, onClose() {} }),
      (error) => error instanceof ChannelError && error.code === 'ERR_CHANNEL_CONSUMER',
    );
  });

  itWithChannels(runner, setup, 'keeps what arrives before a receiver is attached', async (scene) => {
    const { near, far } = await scene.rawPair();
    const writer = scene.probe(far, { name: 'far' });
    await writer.write(pattern(5000)).done;
    const reader = scene.probe(near, { name: 'near' });
    assert.equal(reader.bytesReceived, 0, 'data was delivered from inside attach()');
    await reader.untilReceived(5000);
    assertSameBytes(reader.received(), pattern(5000));
  });

  itWithChannels(runner, setup, '[16] hands over to another receiver without loss', async (scene) => {
    // The pause comes while more is on its way: that must be among what detach() gives.
    const { near, far } = await scene.pair({}, { onData: (_, probe) => probe.pause() });
    const bytes = pattern(600_000);
    const sending = near.writeAll(bytes, 20_000).then(() => near.end());
    const parts: Uint8Array[] = [];
    while (!far.ended) {
      await far.until('data or the end', () => far.chunks.length > 0 || far.ended);
      await turns(2);
      parts.push(...far.chunks.splice(0), ...far.detach());
      far.attach();
      far.resume();
    }
    await sending;
    assertSameBytes(concatenate(parts), bytes);
  });

  itWithChannels(runner, setup, '[16] can be taken over from inside onData', async (scene) => {
    const parts: Uint8Array[] = [];
    const upgrade = (bytes: Uint8Array, probe: ChannelProbe) => {
      parts.push(new Uint8Array(bytes));
      if (parts.length % 2 === 0) return;
      parts.push(...probe.detach());
      probe.attach();
    };
    const { near, far } = await scene.pair({}, { onData: upgrade });
    const bytes = pattern(300_000);
    await near.writeAll(bytes, 10_000);
    near.end();
    await far.untilEnded();
    assertSameBytes(concatenate(parts), bytes);
  });
}

/** Like `deepEqual` for bytes, with a message that says where they part instead of printing all of them. */
export function assertSameBytes(actual: Uint8Array, expected: Uint8Array): void {
  if (Buffer.compare(actual, expected) === 0) return;
  const length = Math.min(actual.byteLength, expected.byteLength);
  let offset = 0;
  while (offset < length && actual[offset] === expected[offset]) offset++;
  assert.fail(
    `The bytes differ from offset ${offset} on: got ${hexAt(actual, offset)} (${actual.byteLength} bytes in all), ` +
      `expected ${hexAt(expected, offset)} (${expected.byteLength} bytes in all)`,
  );
}

function hexAt(bytes: Uint8Array, offset: number): string {
  return Buffer.from(bytes.subarray(offset, offset + 8)).toString('hex') || 'nothing';
}
