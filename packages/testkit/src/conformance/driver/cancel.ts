/** Driver suite, part 3: cancelling, and closing in the middle of everything. */

import assert from 'node:assert/strict';
import { pattern } from '../../chunkings.js';
import { type Random, withSeed } from '../../prng.js';
import type { TestRunner, TestSetup } from '../../runner.js';
import { nextTurn, turns } from '../../turns.js';
import { assertSameBytes } from '../channel/base.js';
import {
  type DriverFixture,
  type FullDriverTraits,
  itWithPorts,
  type PortScene,
  result,
  type SocketPair,
} from './scene.js';

export function driverCancelSuite(
  runner: TestRunner,
  setup: TestSetup<DriverFixture>,
  traits: FullDriverTraits,
): void {
  itWithPorts(runner, setup, 'a cancelled receive loses nothing', async (scene) => {
    const port = scene.port();
    const { near, far } = await scene.pair(port);
    const chunks: Uint8Array[] = [];
    let sent = 0;
    for (let round = 0; round < 60; round++) {
      const recv = scene.recv(far, { onSlot: (bytes) => chunks.push(new Uint8Array(bytes)) });
      const byteCount = 1 + ((round * 37) % 500);
      const send = scene.send(near, [pattern(byteCount, sent)]);
      sent += byteCount;
      // The cancel is before, during or after the arrival of the bytes.
      await turns(round % 4);
      scene.cancel(recv);
      scene.cancel(recv);
      assert.equal(await recv.settled(), result.canceled);
      assert.equal(await send.settled(), byteCount);
    }
    const rest = scene.recv(far, { onSlot: (bytes) => chunks.push(new Uint8Array(bytes)) });
    await scene.shutdown(near).settled();
    assert.equal(await rest.settled(), result.ended);
    assertSameBytes(Buffer.concat(chunks), pattern(sent));
  });

  itWithPorts(runner, setup, 'a cancelled accept loses no connection', async (scene) => {
    const port = scene.port();
    const listener = await scene.listen(port);
    let accepted = 0;
    const clients = [];
    for (let round = 0; round < 20; round++) {
      const accept = scene.accept(listener);
      const client = scene.open(port, listener);
      clients.push(client);
      const connect = scene.connect(client);
      await turns(round % 4);
      scene.cancel(accept);
      assert.equal(await accept.settled(), result.canceled);
      assert.equal(await connect.settled(), 0);
      accepted += accept.sockets.length;
    }
    const last = scene.accept(listener);
    await last.until('the rest of the connections', () => accepted + last.sockets.length === clients.length);
  });

  itWithPorts(runner, setup, 'a cancelled send settles once', async (scene) => {
    const port = scene.port();
    for (const pause of [0, 1, 3]) {
      const { near, far } = await scene.pair(port);
      const send = scene.send(near, [pattern(30_000_000)]);
      await turns(pause);
      scene.cancel(send);
      assert.equal(await send.settled(), result.canceled);
      await scene.close(near, true).settled();
      await scene.close(far).settled();
    }
    assert.equal(port.stats.operationsInFlight, 0);
  });

  itWithPorts(runner, setup, 'cancelling what has settled does nothing', async (scene) => {
    const port = scene.port();
    const { near, far } = await scene.pair(port);
    const recv = scene.recv(far);
    const send = scene.send(near, [pattern(10)]);
    await send.settled();
    await recv.untilReceived(10);
    // The next operation may have the index of the token, but not its generation.
    const next = scene.send(near, [pattern(10)]);
    scene.cancel(send);
    assert.equal(await next.settled(), 10);
    scene.cancel(send);
    await recv.untilReceived(20);
    assert.equal(recv.settledWith, null);
  });

  itWithPorts(
    runner,
    setup,
    `[12] closes ${traits.stressRounds} times with operations in flight`,
    async (scene) => {
      const port = scene.port();
      await withSeed(async (random) => {
        for (let round = 0; round < traits.stressRounds; round += pairsAtOnce) {
          const pairs = await scene.pairs(port, pairsAtOnce);
          await Promise.all(pairs.map((pair) => closeBusy(scene, pair, random.fork())));
          scene.verifyProbes();
        }
      });
      await turns(2);
      const { operationsInFlight, handlesOpen, slots } = port.stats;
      assert.deepEqual([operationsInFlight, handlesOpen, slots.javascript], [0, 0, 0]);
    },
  );
}

const pairsAtOnce = 20;

/** Receives and sends on both ends, cancels at random, and closes both in the middle. */
async function closeBusy(scene: PortScene, { near, far }: SocketPair, random: Random): Promise<void> {
  const operations = [near, far].flatMap((socket) => [
    scene.recv(socket),
    scene.send(socket, [pattern(random.pick([1, 5000, 100_000, 1_000_000]))]),
  ]);
  for (let pause = random.integer(0, 3); pause > 0; pause--) await nextTurn();
  for (const operation of operations) if (random.chance(0.2)) scene.cancel(operation);
  const first = scene.close(near, random.chance(0.5));
  if (random.chance(0.5)) await first.settled();
  const second = scene.close(far, random.chance(0.5));
  assert.deepEqual([await first.settled(), await second.settled()], [0, 0]);
  for (const operation of operations)
    assert.ok(operation.settledWith !== null, `${operation.name} outlived its close`);
}
