/** Channel suite, part 3: fast writers, slow readers, and bounded memory. */

import assert from 'node:assert/strict';
import { type Lease, lease } from '@iocp/core/layer';
import type { ChannelProbe } from '../../channel-probe.js';
import { concatenate, pattern } from '../../chunkings.js';
import { withSeed } from '../../prng.js';
import type { TestRunner, TestSetup } from '../../runner.js';
import { codeOf } from '../../transcript.js';
import { nextTurn, turns, whenQuiet } from '../../turns.js';
import { assertSameBytes } from './base.js';
import { type ChannelSource, type FullChannelTraits, itWithChannels } from './setup.js';

export function channelBackpressureSuite(
  runner: TestRunner,
  setup: TestSetup<ChannelSource>,
  traits: FullChannelTraits,
): void {
  drainTests(runner, setup, traits);
  pauseTests(runner, setup, traits);
  leaseTests(runner, setup, traits);
}

function drainTests(runner: TestRunner, setup: TestSetup<ChannelSource>, traits: FullChannelTraits): void {
  itWithChannels(
    runner,
    setup,
    '[4] each spell above the high-water mark ends with one drain',
    async (scene) => {
      const { near, far } = await scene.pair();
      const chunk = pattern(32 * 1024);
      let byteCount = 0;
      for (let spell = 1; spell <= 5; spell++) {
        do byteCount += chunk.byteLength;
        while (near.write(chunk).belowHighWaterMark);
        byteCount += chunk.byteLength;
        assert.equal(near.write(chunk).belowHighWaterMark, false, 'above the high-water mark');
        await near.until('the drain', () => near.drainCount === spell);
        await far.untilReceived(byteCount);
        await whenQuiet(() => near.drainCount);
        assert.equal(near.drainCount, spell);
      }
    },
  );

  itWithChannels(runner, setup, '[4] no drain without a write that returned false', async (scene) => {
    const { near, far } = await scene.pair();
    for (let round = 0; round < 20; round++) {
      assert.equal(near.write(pattern(10)).belowHighWaterMark, true);
      await far.untilReceived(10 * (round + 1));
    }
    assert.equal(near.drainCount, 0);
  });

  const cap = traits.bufferedBytesMax;
  if (cap === null) return;
  itWithChannels(
    runner,
    setup,
    'a write above the hard cap is refused whole and aborts the channel',
    async (scene) => {
      const { near, far } = await scene.pair();
      far.pause();
      const chunk = pattern(1024 * 1024);
      const room = Math.floor(cap / chunk.byteLength);
      const writes = Array.from({ length: room + 1 }, () => near.write(chunk));
      assert.equal(codeOf(await near.untilClosed()), 'ERR_CHANNEL_OVERFLOW');
      assert.ok(writes.every((write) => write.settled));
      // A layer may hold bytes of its own, a greeting say; then the write before the last is refused already.
      const codes = writes.map((write) => codeOf(write.error));
      assert.equal(codes.at(-2), 'ERR_CHANNEL_OVERFLOW');
      assert.ok(['ERR_CHANNEL_OVERFLOW', 'ERR_CHANNEL_CLOSED'].includes(codes.at(-1) ?? ''), codes.join());
    },
  );
}

function pauseTests(runner: TestRunner, setup: TestSetup<ChannelSource>, traits: FullChannelTraits): void {
  itWithChannels(runner, setup, '[5] delivers nothing while paused', async (scene) => {
    const { near, far } = await scene.pair();
    near.pause();
    near.pause();
    const sending = far.writeAll(pattern(200_000));
    await whenQuiet(() => near.bytesReceived);
    assert.equal(near.bytesReceived, 0);
    near.resume();
    near.resume();
    assert.equal(near.bytesReceived, 0, 'data was delivered from inside resume()');
    await near.untilReceived(200_000);
    await sending;
    assertSameBytes(near.received(), pattern(200_000));
  });

  itWithChannels(runner, setup, '[5] a pause from inside onData holds at once', async (scene) => {
    const pauseBriefly = (_: Uint8Array, probe: ChannelProbe) => {
      probe.pause();
      setImmediate(() => probe.resume());
    };
    const { near, far } = await scene.pair({ onData: pauseBriefly });
    const bytes = pattern(400_000);
    await far.writeAll(bytes, 5000);
    await near.untilReceived(bytes.byteLength);
    assertSameBytes(near.received(), bytes);
  });

  itWithChannels(runner, setup, '[5] pauses at any moment, with receives in flight', async (scene) => {
    await withSeed(async (random) => {
      const { near, far } = await scene.pair();
      const bytes = pattern(1_500_000);
      const sending = far.writeAll(bytes, 20_000);
      for (let round = 0; round < 60 && near.bytesReceived < bytes.byteLength; round++) {
        near.pause();
        const held = near.bytesReceived;
        await turns(random.integer(0, 4));
        assert.equal(near.bytesReceived, held);
        near.resume();
        if (random.chance(0.3)) continue;
        await turns(random.integer(1, 6));
      }
      await sending;
      await near.untilReceived(bytes.byteLength);
      assertSameBytes(near.received(), bytes);
    });
  });

  itWithChannels(
    runner,
    setup,
    '[6] a reader that pauses blocks the writer, and loses nothing',
    async (scene) => {
      const { near, far } = await scene.pair();
      far.pause();
      const chunk = pattern(251 * 256);
      let byteCount = 0;
      let finished = false;
      const writing = (async () => {
        while (byteCount < traits.bytesUntilBlocked && !near.channel.closed) {
          byteCount += await near.writeAll(chunk);
        }
        finished = true;
      })();
      await whenQuiet(() => near.bytesSettled);
      assert.equal(finished, false, `${byteCount} bytes were accepted though the peer reads nothing`);
      assert.equal(far.bytesReceived, 0);
      far.resume();
      await writing;
      await far.untilReceived(byteCount);
      for (let offset = 0; offset < byteCount; offset += chunk.byteLength) {
        assertSameBytes(far.received().subarray(offset, offset + chunk.byteLength), chunk);
      }
    },
  );

  itWithChannels(runner, setup, '[6] one paused reader does not hold up the others', async (scene) => {
    const slow = await scene.pair();
    const quick = await scene.pair();
    slow.far.pause();
    const writing = slow.near.writeAll(pattern(traits.bytesUntilBlocked));
    await whenQuiet(() => slow.near.bytesSettled);
    await quick.near.writeAll(pattern(1_000_000));
    await quick.far.untilReceived(1_000_000);
    slow.near.abort();
    await writing;
  });
}

function leaseTests(runner: TestRunner, setup: TestSetup<ChannelSource>, traits: FullChannelTraits): void {
  if (traits.lentBytesBecome !== 'anything') expiryTest(runner, setup, traits.lentBytesBecome);

  itWithChannels(runner, setup, '[14] leased bytes stay as they are', async (scene) => {
    const leases: Lease[] = [];
    const { near, far } = await scene.pair({ onData: (bytes) => leases.push(lease(bytes)) });
    far.write(pattern(6000));
    await near.untilReceived(6000);
    await turns(5);
    assertSameBytes(concatenate(leases.map(({ bytes }) => bytes)), pattern(6000));
    for (const held of leases) {
      held.release();
      held.release();
    }
  });

  itWithChannels(runner, setup, '[15] runs out of slots and goes on when they come back', async (scene) => {
    const held: Lease[] = [];
    const { near, far } = await scene.pair({ onData: (bytes) => held.push(lease(bytes)) });
    const bytes = pattern(3_000_000);
    const sending = far.writeAll(bytes, 30_000);
    const parts: Uint8Array[] = [];
    while (near.bytesReceived < bytes.byteLength) {
      await whenQuiet(() => near.bytesReceived, 5);
      assert.equal(near.closed, false, 'an exhausted pool is not an error');
      assert.ok(held.length > 0, `nothing more arrived after ${near.bytesReceived} bytes`);
      for (const { bytes: chunk } of held) parts.push(new Uint8Array(chunk));
      for (const taken of held.splice(0)) taken.release();
    }
    await sending;
    for (const taken of held.splice(0)) {
      parts.push(new Uint8Array(taken.bytes));
      taken.release();
    }
    assertSameBytes(concatenate(parts), bytes);
  });

  itWithChannels(runner, setup, '[15] leases outlive the channel', async (scene) => {
    const leases: Lease[] = [];
    const { near, far } = await scene.pair({ onData: (bytes) => leases.push(lease(bytes)) });
    far.write(pattern(3000));
    await near.untilReceived(3000);
    near.abort();
    await near.untilClosed();
    await far.untilClosedOrEnded();
    assertSameBytes(concatenate(leases.map(({ bytes }) => bytes)), pattern(3000));
    for (const held of leases) held.release();
  });
}

function expiryTest(
  runner: TestRunner,
  setup: TestSetup<ChannelSource>,
  become: 'owned' | 'poisoned' | 'detached',
): void {
  itWithChannels(runner, setup, `[14] lent bytes are ${become} after onData`, async (scene) => {
    const views: Uint8Array[] = [];
    const { near, far } = await scene.pair({ onData: (bytes) => views.push(bytes) });
    far.write(new Uint8Array(1000).fill(0x55));
    await near.untilReceived(1000);
    await nextTurn();
    const after = concatenate(views.filter((view) => view.byteLength > 0));
    assert.equal(after.byteLength, become === 'detached' ? 0 : 1000);
    assert.equal(
      after.every((byte) => byte === 0x55),
      become !== 'poisoned',
    );
  });
}
