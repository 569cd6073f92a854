/** Channel suite, part 4: waits that are given up. The waits are those of `Connection`, the face for people. */

import assert from 'node:assert/strict';
import { Connection } from '@iocp/core/layer';
import { concatenate, pattern } from '../../chunkings.js';
import type { TestRunner, TestSetup } from '../../runner.js';
import { codeOf } from '../../transcript.js';
import { nextTurn, whenQuiet } from '../../turns.js';
import { assertSameBytes } from './base.js';
import { type ChannelSource, type FullChannelTraits, itWithChannels } from './setup.js';

export function channelCancelSuite(
  runner: TestRunner,
  setup: TestSetup<ChannelSource>,
  traits: FullChannelTraits,
): void {
  itWithChannels(runner, setup, 'a read given up loses nothing', async (scene) => {
    const { near, far } = await scene.rawPair();
    const reader = new Connection(near);
    const writer = scene.probe(far, { name: 'far' });
    const bytes = pattern(50_000);
    const parts: Uint8Array[] = [];
    let byteCount = 0;
    for (let round = 0; byteCount < bytes.byteLength; round++) {
      const controller = new AbortController();
      const reading = reader.read({ signal: controller.signal });
      if (round < 50) {
        writer.write(bytes.subarray(round * 1000, (round + 1) * 1000));
        if (round % 3 > 0) await nextTurn();
        controller.abort(new Error('not now'));
      }
      const part = await reading.catch((error: Error) => {
        assert.equal(error.message, 'not now');
        return null;
      });
      if (part === null) continue;
      parts.push(part);
      byteCount += part.byteLength;
    }
    assertSameBytes(concatenate(parts), bytes);
    reader.abort();
    await reader.whenClosed();
  });

  itWithChannels(runner, setup, 'a read with a signal that has fired takes nothing', async (scene) => {
    const { near, far } = await scene.rawPair();
    const reader = new Connection(near);
    const writer = scene.probe(far, { name: 'far' });
    const reason = new Error('too late');
    await assert.rejects(reader.read({ signal: AbortSignal.abort(reason) }), (error) => error === reason);
    writer.write(pattern(1));
    assertSameBytes((await reader.read()) ?? new Uint8Array(), pattern(1));
    reader.abort();
    await reader.whenClosed();
  });

  itWithChannels(
    runner,
    setup,
    'a send given up while it waits for the medium aborts the channel',
    async (scene) => {
      const { near, far } = await scene.rawPair();
      const peer = scene.probe(far, { name: 'far' });
      peer.pause();
      const writer = new Connection(near);
      const controller = new AbortController();
      let sent = 0;
      let failure: unknown;
      const chunk = pattern(512 * 1024);
      const sending = (async () => {
        for (let byteCount = 0; byteCount < traits.bytesUntilBlocked; byteCount += chunk.byteLength) {
          await writer.send(chunk, { signal: controller.signal });
          sent++;
        }
      })().catch((error) => {
        failure = error;
      });
      await whenQuiet(() => sent);
      assert.equal(failure, undefined);
      const reason = new Error('given up');
      controller.abort(reason);
      await sending;
      assert.equal(failure, reason);
      const closed = await writer.whenClosed().catch((error) => error);
      assert.equal(near.closed, true);
      if (closed !== undefined && closed !== null) assert.equal(codeOf(closed), 'ERR_CHANNEL_WRITE_CANCELED');
    },
  );

  itWithChannels(runner, setup, 'a send with a signal that has fired writes nothing', async (scene) => {
    const { near, far } = await scene.rawPair();
    const peer = scene.probe(far, { name: 'far' });
    const writer = new Connection(near);
    const reason = new Error('too late');
    await assert.rejects(
      writer.send(pattern(10), { signal: AbortSignal.abort(reason) }),
      (error) => error === reason,
    );
    await writer.send(pattern(5));
    await peer.untilReceived(5);
    assert.equal(near.closed, false);
    assertSameBytes(peer.received(), pattern(5));
    writer.abort();
    await writer.whenClosed();
  });

  itWithChannels(runner, setup, 'a close given up aborts a peer that does not answer', async (scene) => {
    const { near, far } = await scene.rawPair();
    const peer = scene.probe(far, { name: 'far' });
    const closing = new Connection(near);
    const controller = new AbortController();
    const closed = closing.close({ signal: controller.signal });
    await peer.untilEnded();
    controller.abort(new Error('no patience'));
    await assert.rejects(closed, { message: 'no patience' });
  });
}
