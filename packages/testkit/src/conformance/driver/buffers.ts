/** Driver suite, part 4: the buffer pool: parking, growth, leases, debug mode. */

import assert from 'node:assert/strict';
import { type Lease, lease } from '@iocp/core/layer';
import { concatenate, pattern } from '../../chunkings.js';
import type { TestRunner, TestSetup } from '../../runner.js';
import { codeOf } from '../../transcript.js';
import { nextTurn, whenQuiet } from '../../turns.js';
import { assertSameBytes } from '../channel/base.js';
import { type DriverFixture, itWithPorts, result } from './scene.js';

const smallPool = { pool: { slotBytes: 4096, minSlots: 4, maxSlots: 8 } } as const;

export function driverBufferSuite(runner: TestRunner, setup: TestSetup<DriverFixture>): void {
  itWithPorts(
    runner,
    setup,
    '[15] an empty pool parks receives; slots that come back wake them',
    async (scene) => {
      const port = scene.port(smallPool);
      const { near, far } = await scene.pair(port);
      const held: Lease[] = [];
      const recv = scene.recv(far, { onSlot: (bytes) => held.push(lease(bytes)) });
      const bytes = pattern(1_000_000);
      const send = scene.send(near, [bytes]);
      let stalls = 0;
      while (recv.bytesReceived < bytes.byteLength) {
        await whenQuiet(() => recv.bytesReceived, 3);
        if (recv.bytesReceived === bytes.byteLength) break;
        assert.equal(recv.settledWith, null, 'an empty pool is not an error');
        assert.equal(port.stats.parked, 1, 'the receive waits for a slot');
        assert.ok(held.length > 0);
        stalls++;
        for (const each of held.splice(0)) each.release();
      }
      assert.ok(stalls > 5, 'the pool was never empty');
      assert.equal(await send.settled(), bytes.byteLength);
      assertSameBytes(recv.received(), bytes);
      for (const each of held) each.release();
    },
  );

  itWithPorts(runner, setup, '[15] a parked receive keeps no processor busy', async (scene) => {
    const port = scene.port(smallPool);
    const { near, far } = await scene.pair(port);
    const held: Lease[] = [];
    const recv = scene.recv(far, { onSlot: (bytes) => held.push(lease(bytes)) });
    const send = scene.send(near, [pattern(30_000_000)]);
    await whenQuiet(() => recv.bytesReceived);
    const { batches, systemCalls } = port.stats;
    await whenQuiet(() => recv.bytesReceived, 100);
    assert.ok(port.stats.batches - batches <= 2, `${port.stats.batches - batches} batches while parked`);
    assert.ok(
      port.stats.systemCalls - systemCalls <= 4,
      `${port.stats.systemCalls - systemCalls} system calls while parked`,
    );
    for (const operation of [recv, send]) {
      scene.cancel(operation);
      assert.equal(await operation.settled(), result.canceled);
    }
    for (const each of held) each.release();
  });

  itWithPorts(
    runner,
    setup,
    '[15] slots that come back go round among the receives that wait',
    async (scene) => {
      const port = scene.port(smallPool);
      const [greedy, modest] = await scene.pairs(port, 2);
      assert.ok(greedy !== undefined && modest !== undefined);
      const held: Lease[] = [];
      const hoard = scene.recv(greedy.far, { onSlot: (bytes) => held.push(lease(bytes)) });
      // More than kernels take in before any of it is read.
      const flood = scene.send(greedy.near, [pattern(20_000_000)]);
      await whenQuiet(() => held.length, 5);
      const recv = scene.recv(modest.far);
      await scene.send(modest.near, [pattern(10)]).settled();
      for (let round = 0; round < 5 && recv.bytesReceived === 0; round++) {
        for (const each of held.splice(0)) each.release();
        await whenQuiet(() => held.length, 5);
      }
      assert.equal(recv.bytesReceived, 10, 'the greedy receive had five turns, the modest one none');
      for (const operation of [hoard, flood]) {
        scene.cancel(operation);
        assert.equal(await operation.settled(), result.canceled);
      }
      for (const each of held) each.release();
    },
  );

  itWithPorts(runner, setup, '[15] a cancelled or closed receive may be parked', async (scene) => {
    const port = scene.port(smallPool);
    const pairs = await scene.pairs(port, 3);
    const held: Lease[] = [];
    const keep = { onSlot: (bytes: Uint8Array) => held.push(lease(bytes)) };
    const recvs = pairs.map(({ far }) => scene.recv(far, keep));
    const sends = pairs.map(({ near }) => scene.send(near, [pattern(300_000)]));
    await whenQuiet(() => held.length);
    assert.ok(port.stats.parked > 0);
    const first = recvs[0] as (typeof recvs)[0];
    scene.cancel(first);
    assert.equal(await first.settled(), result.canceled);
    for (const { near, far } of pairs) {
      await Promise.all([scene.close(far, true).settled(), scene.close(near, true).settled()]);
    }
    for (const operation of [...recvs, ...sends]) await operation.settled();
    assert.equal(port.stats.parked, 0);
    for (const each of held) each.release();
    assert.equal(port.stats.slots.javascript, 0);
  });

  itWithPorts(runner, setup, '[13] slots come back however receives end', async (scene) => {
    const port = scene.port();
    for (const ending of ['end', 'cancel', 'close', 'abort'] as const) {
      const { near, far } = await scene.pair(port);
      const recv = scene.recv(far);
      await scene.send(near, [pattern(50_000)]).settled();
      if (ending === 'end') await scene.shutdown(near).settled();
      if (ending === 'cancel') scene.cancel(recv);
      if (ending === 'abort') await scene.close(near, true).settled();
      await scene.close(far).settled();
      await recv.settled();
      if (ending !== 'abort') await scene.close(near).settled();
    }
    const { operationsInFlight, handlesOpen, parked, pins, slots } = port.stats;
    assert.deepEqual([operationsInFlight, handlesOpen, parked, pins, slots.javascript], [0, 0, 0, 0, 0]);
    assert.equal(slots.kernel + slots.free, slots.total);
  });

  itWithPorts(runner, setup, '[14] in debug mode lent bytes are gone after the handler', async (scene) => {
    const port = scene.port({ debug: true });
    const { near, far } = await scene.pair(port);
    const views: Uint8Array[] = [];
    const recv = scene.recv(far, { onSlot: (bytes) => views.push(bytes) });
    await scene.send(near, [pattern(1000)]).settled();
    await recv.untilReceived(1000);
    await nextTurn();
    assert.ok(views.every((view) => view.byteLength === 0));
    assert.throws(
      () => lease(views[0] as Uint8Array),
      (error) => codeOf(error) === 'ERR_IOCP_NOT_LENT',
    );
  });

  itWithPorts(
    runner,
    setup,
    '[14] leased bytes stay until they are released, in debug mode too',
    async (scene) => {
      const port = scene.port({ debug: true });
      const { near, far } = await scene.pair(port);
      const leases: Lease[] = [];
      const recv = scene.recv(far, { onSlot: (bytes) => leases.push(lease(bytes)) });
      await scene.send(near, [pattern(9000)]).settled();
      await recv.untilReceived(9000);
      await scene.close(far).settled();
      await scene.close(near).settled();
      assertSameBytes(concatenate(leases.map(({ bytes }) => bytes)), pattern(9000));
      assert.equal(port.stats.slots.javascript, leases.length);
      for (const each of leases) each.release();
      assert.equal(port.stats.slots.javascript, 0);
    },
  );
}
