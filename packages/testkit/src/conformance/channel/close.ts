/** Channel suite, part 2: half-close, close, abort, and what is refused afterwards. */

import assert from 'node:assert/strict';
import { pattern } from '../../chunkings.js';
import type { TestRunner, TestSetup } from '../../runner.js';
import { codeOf, describeError } from '../../transcript.js';
import { whenQuiet } from '../../turns.js';
import { assertSameBytes } from './base.js';
import { type ChannelSource, type FullChannelTraits, itWithChannels, type ProbePair } from './setup.js';

export function channelCloseSuite(
  runner: TestRunner,
  setup: TestSetup<ChannelSource>,
  traits: FullChannelTraits,
): void {
  endTests(runner, setup, traits);
  abortTests(runner, setup, traits);
  afterwardsTests(runner, setup);
}

function endTests(runner: TestRunner, setup: TestSetup<ChannelSource>, traits: FullChannelTraits): void {
  itWithChannels(runner, setup, 'delivers all that was written before the end', async (scene) => {
    const { near, far } = await scene.pair();
    const bytes = pattern(700_000);
    near.write(bytes);
    near.end();
    await far.untilEnded();
    assertSameBytes(far.received(), bytes);
  });

  if (traits.halfClose) {
    for (const direction of ['near', 'far'] as const) {
      itWithChannels(
        runner,
        setup,
        `[7] lets the peer go on sending after ${direction} has ended`,
        async (scene) => {
          const { near, far } = await scene.pair();
          const [first, second] = direction === 'near' ? [near, far] : [far, near];
          first.write(pattern(10));
          first.end();
          await second.untilEnded();
          const bytes = pattern(500_000);
          await second.writeAll(bytes);
          await first.untilReceived(bytes.byteLength);
          assertSameBytes(first.received(), bytes);
          assert.equal(first.ended, false);
          second.end();
          assert.deepEqual([await first.untilClosed(), await second.untilClosed()], [null, null]);
        },
      );
    }
  }

  itWithChannels(
    runner,
    setup,
    '[8] closes once, last, without an error, when both have ended',
    async (scene) => {
      const { near, far } = await scene.pair();
      const writes = [near.write(pattern(100_000)), far.write(pattern(100_000)), near.write(pattern(1))];
      near.end();
      far.end();
      near.end();
      assert.equal(await near.untilClosed(), null);
      assert.equal(await far.untilClosed(), null);
      assert.ok(writes.every((write) => write.settled && write.error === null));
      assert.deepEqual([near.bytesReceived, far.bytesReceived], [100_000, 100_001]);
      assert.deepEqual([near.endCount, far.endCount], [1, 1]);
      await whenQuiet(() => near.closeCount + far.closeCount);
      assert.deepEqual([near.closeCount, far.closeCount], [1, 1]);
    },
  );

  itWithChannels(runner, setup, 'delivers the end after held-back data', async (scene) => {
    const { near, far } = await scene.pair();
    far.pause();
    near.write(pattern(20_000));
    near.end();
    await whenQuiet(() => near.bytesSettled);
    assert.deepEqual([far.bytesReceived, far.endCount], [0, 0]);
    far.resume();
    await far.untilEnded();
    assertSameBytes(far.received(), pattern(20_000));
  });
}

function abortTests(runner: TestRunner, setup: TestSetup<ChannelSource>, traits: FullChannelTraits): void {
  itWithChannels(runner, setup, '[9] abort in the middle of writes settles all of them', async (scene) => {
    const pair = await scene.pair();
    const writes = await writeUntilBlocked(pair, traits);
    const reason = new Error('enough');
    pair.near.abort(reason);
    assert.equal(await pair.near.untilClosed(), reason);
    assert.ok(
      writes.every((write) => write.settled),
      'onClose came before a write callback',
    );
    const pending = writes.filter((write) => write.error !== null);
    assert.ok(pending.length > 0, 'no write was pending');
    assert.ok(
      pending.every((write) => write.error === reason),
      `pending writes got ${pending.map((write) => describeError(write.error)).join(', ')}`,
    );
    pair.far.resume();
    await assertSeesAbort(pair, traits.abortAfterDataSeenAs, traits);
  });

  itWithChannels(
    runner,
    setup,
    '[9] abort without a reason gives ERR_CHANNEL_ABORTED to pending writes',
    async (scene) => {
      const pair = await scene.pair();
      const writes = await writeUntilBlocked(pair, traits);
      pair.near.abort();
      assert.equal(await pair.near.untilClosed(), null);
      assert.equal(codeOf(writes.at(-1)?.error), 'ERR_CHANNEL_ABORTED');
    },
  );

  itWithChannels(runner, setup, '[10] abort of an idle channel is a reset for the peer', async (scene) => {
    const pair = await scene.pair();
    pair.near.write(pattern(100));
    await pair.far.untilReceived(100);
    pair.near.abort();
    assert.equal(await pair.near.untilClosed(), null);
    await assertSeesAbort(pair, traits.abortSeenAs, traits);
  });

  itWithChannels(runner, setup, '[10] a reset after a half-close is still a reset', async (scene) => {
    const pair = await scene.pair();
    pair.far.end();
    await pair.near.untilEnded();
    pair.near.abort();
    await pair.near.untilClosed();
    await assertSeesAbort(pair, traits.abortSeenAs, traits);
  });

  itWithChannels(runner, setup, 'aborts once, whatever is called again', async (scene) => {
    const { near } = await scene.pair();
    const first = new Error('first');
    near.write(pattern(10));
    near.abort(first);
    near.abort(new Error('second'));
    near.end();
    near.abort();
    assert.equal(await near.untilClosed(), first);
    await whenQuiet(() => near.closeCount);
    assert.equal(near.closeCount, 1);
  });

  itWithChannels(runner, setup, 'aborts from inside onData', async (scene) => {
    const { near, far } = await scene.pair({}, { onData: (_, probe) => probe.abort() });
    near.write(pattern(100_000));
    assert.equal(await far.untilClosed(), null);
    await near.untilClosedOrEnded();
    assert.equal(far.chunks.length, 1);
  });

  itWithChannels(runner, setup, 'aborts while corked', async (scene) => {
    const { near } = await scene.pair();
    near.cork();
    const write = near.write(pattern(100));
    near.abort();
    await near.untilClosed();
    assert.equal(codeOf(write.error), 'ERR_CHANNEL_ABORTED');
  });
}

/** Fills the way to a paused peer until writes stay pending. */
async function writeUntilBlocked({ near, far }: ProbePair, traits: FullChannelTraits) {
  far.pause();
  const chunk = pattern(256 * 1024);
  const writes = [];
  for (let byteCount = 0; byteCount < traits.bytesUntilBlocked; byteCount += chunk.byteLength) {
    const write = near.write(chunk);
    writes.push(write);
    if (write.belowHighWaterMark) continue;
    await whenQuiet(() => near.settledOrder.length);
    if (!write.settled) return writes;
  }
  return assert.fail(`${traits.bytesUntilBlocked} bytes were accepted though the peer reads nothing`);
}

async function assertSeesAbort(
  { far }: ProbePair,
  seenAs: 'reset' | 'end',
  traits: FullChannelTraits,
): Promise<void> {
  if (seenAs === 'end') return far.untilClosedOrEnded();
  const error = await far.untilClosed();
  assert.ok(
    traits.resetCodes.includes(codeOf(error) ?? ''),
    `The peer closed with ${describeError(error)}, expected ${traits.resetCodes.join(' or ')}`,
  );
}

function afterwardsTests(runner: TestRunner, setup: TestSetup<ChannelSource>): void {
  itWithChannels(runner, setup, '[17] refuses writes after the end', async (scene) => {
    const { near, far } = await scene.pair();
    near.write(pattern(10));
    near.end();
    const late = near.write(pattern(10));
    assert.equal(late.belowHighWaterMark, false);
    await assert.rejects(late.done, { code: 'ERR_CHANNEL_ENDED' });
    await far.untilEnded();
    assert.equal(far.bytesReceived, 10);
  });

  itWithChannels(runner, setup, '[17] refuses writes after the close', async (scene) => {
    const { near } = await scene.pair();
    near.abort();
    await near.untilClosed();
    const late = near.write(pattern(10));
    assert.equal(late.belowHighWaterMark, false);
    await assert.rejects(late.done, { code: 'ERR_CHANNEL_CLOSED' });
    assert.equal(near.channel.bufferedAmount, 0);
  });

  itWithChannels(runner, setup, '[17] every command after the close is harmless', async (scene) => {
    const { near } = await scene.pair();
    near.abort();
    await near.untilClosed();
    near.pause();
    near.resume();
    near.cork();
    near.uncork();
    near.end();
    near.abort(new Error('late'));
    assert.deepEqual(near.detach(), []);
    assert.equal(near.channel.closed, true);
    assert.equal(near.channel.bufferedAmount, 0);
    assert.ok(near.channel.info.protocols.length > 0);
  });

  itWithChannels(
    runner,
    setup,
    '[17] attaching to a closed channel delivers what is left, then the close',
    async (scene) => {
      const { near, far } = await scene.pair();
      near.abort();
      await near.untilClosed();
      await far.untilClosedOrEnded();
      near.detach();
      const late = scene.probe(near.channel, { name: 'late' });
      assert.equal(late.closed, false, 'onClose came from inside attach()');
      await late.untilClosed();
    },
  );
}
