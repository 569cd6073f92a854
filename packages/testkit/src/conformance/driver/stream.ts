/** Driver suite, part 2: accept, connect, receive, send, shutdown and close on stream sockets. */

import assert from 'node:assert/strict';
import type { Socket } from '@iocp/core';
import { concatenate, pattern } from '../../chunkings.js';
import type { TestRunner, TestSetup } from '../../runner.js';
import { turns, whenQuiet } from '../../turns.js';
import { assertSameBytes } from '../channel/base.js';
import { type DriverFixture, type FullDriverTraits, itWithPorts, type PortScene, result } from './scene.js';

export function driverStreamSuite(
  runner: TestRunner,
  setup: TestSetup<DriverFixture>,
  traits: FullDriverTraits,
): void {
  connectTests(runner, setup, traits);
  transferTests(runner, setup);
  endTests(runner, setup, traits);
}

function connectTests(runner: TestRunner, setup: TestSetup<DriverFixture>, traits: FullDriverTraits): void {
  itWithPorts(runner, setup, 'accepts every connection of one multishot accept', async (scene) => {
    const port = scene.port();
    const listener = await scene.listen(port);
    const accept = scene.accept(listener);
    const clients = Array.from({ length: 30 }, () => scene.open(port, listener));
    const connects = clients.map((client) => scene.connect(client));
    for (const connect of connects) assert.equal(await connect.settled(), 0);
    await accept.until('30 connections', () => accept.sockets.length === 30);
    assert.equal(new Set(accept.sockets.map((socket) => socket.index)).size, 30);
    assert.equal(accept.settledWith, null, 'the accept goes on');
    assert.equal(port.stats.handlesOpen, 61);
    for (const socket of [...clients, ...accept.sockets, listener]) await scene.close(socket).settled();
    assert.equal(port.stats.handlesOpen, 0);
  });

  itWithPorts(runner, setup, 'knows the addresses of both ends', async (scene) => {
    const port = scene.port();
    const { near, far } = await scene.pair(port);
    assert.deepEqual(near.peer(), far.address());
    const [family, peerFamily] = [near.address()?.family, far.peer()?.family];
    assert.equal(family, peerFamily);
    if (traits.descriptors) assert.ok(near.fd >= 0 && far.fd >= 0 && near.fd !== far.fd);
    else assert.deepEqual([near.fd, far.fd], [-1, -1]);
  });

  itWithPorts(runner, setup, 'closes accepted sockets that nobody takes', async (scene) => {
    const port = scene.port();
    const listener = await scene.listen(port);
    const accept = scene.accept(listener, { refuseSockets: true });
    const client = scene.open(port, listener);
    assert.equal(await scene.connect(client).settled(), 0);
    await accept.until('the connection', () => accept.records.length === 1);
    const recv = scene.recv(client);
    assert.ok([result.ended, result.reset].includes((await recv.settled()) as 0));
    await scene.close(client).settled();
    await scene.close(listener).settled();
    await whenQuiet(() => port.stats.handlesOpen, 5);
    assert.equal(port.stats.handlesOpen, 0);
  });

  itWithPorts(
    runner,
    setup,
    `[11] connect where nobody listens results in ${traits.refusedResult}`,
    async (scene) => {
      const port = scene.port();
      const socket = scene.openRefused(port);
      assert.equal(await scene.connect(socket).settled(), traits.refusedResult);
      await scene.close(socket).settled();
      assert.equal(port.stats.handlesOpen, 0);
    },
  );
}

function transferTests(runner: TestRunner, setup: TestSetup<DriverFixture>): void {
  itWithPorts(runner, setup, '[1] sends and receives from one byte to megabytes', async (scene) => {
    const port = scene.port();
    const { near, far } = await scene.pair(port);
    const recv = scene.recv(far);
    const sent: Uint8Array[] = [];
    for (const byteCount of [1, 2, 4095, 4096, 16_384, 16_385, 100_000, 5_000_000]) {
      const bytes = pattern(byteCount, sent.length);
      sent.push(bytes);
      assert.equal(await scene.send(near, [bytes]).settled(), byteCount);
    }
    const expected = concatenate(sent);
    await recv.untilReceived(expected.byteLength);
    assertSameBytes(recv.received(), expected);
    assert.ok(
      recv.records.every(({ flags }) => (flags & scene.core.CompleteFlag.MORE) !== 0),
      'the receive goes on',
    );
  });

  itWithPorts(runner, setup, '[1] sends gathered segments of every kind, in order', async (scene) => {
    const port = scene.port();
    const { near, far } = await scene.pair(port);
    const recv = scene.recv(far);
    const lengths = Array.from({ length: 700 }, (_, index) =>
      index % 50 === 49 ? 40_000 : 1 + (index % 13),
    );
    let position = 0;
    const segments = lengths.map((byteCount) => {
      position += byteCount;
      return pattern(byteCount, position - byteCount);
    });
    assert.equal(await scene.send(near, segments).settled(), position);
    await recv.untilReceived(position);
    assertSameBytes(recv.received(), pattern(position));
  });

  itWithPorts(
    runner,
    setup,
    '[1] sends lent bytes on without a copy, and keeps their slot until sent',
    async (scene) => {
      const port = scene.port();
      const { near, far } = await scene.pair(port);
      const echoes: Promise<number>[] = [];
      scene.recv(far, { onSlot: (bytes) => echoes.push(scene.send(far, [bytes]).settled()) });
      const back = scene.recv(near);
      const bytes = pattern(200);
      for (let round = 0; round < 50; round++) {
        await scene.send(near, [bytes]).settled();
        await back.untilReceived(bytes.byteLength * (round + 1));
      }
      await Promise.all(echoes);
      assertSameBytes(back.received(), concatenate(Array.from({ length: 50 }, () => bytes)));
      assert.equal(port.stats.slots.javascript, 0);
    },
  );

  itWithPorts(
    runner,
    setup,
    '[6] a send waits for a receiver that does not read, and then goes through',
    async (scene) => {
      const port = scene.port();
      const { near, far } = await scene.pair(port);
      const bytes = pattern(30_000_000);
      const send = scene.send(near, [bytes]);
      await whenQuiet(() => port.stats.completions);
      assert.equal(send.settledWith, null, '30 MB went to nobody');
      assert.equal(port.stats.pins, 1);
      const recv = scene.recv(far);
      assert.equal(await send.settled(), bytes.byteLength);
      await recv.untilReceived(bytes.byteLength);
      assertSameBytes(recv.received(), bytes);
      await whenQuiet(() => port.stats.pins, 5);
      assert.equal(port.stats.pins, 0);
    },
  );

  itWithPorts(runner, setup, 'many connections at once keep their bytes apart', async (scene) => {
    const port = scene.port();
    const pairs = await scene.pairs(port, 40);
    await Promise.all(
      pairs.map(async ({ near, far }, index) => {
        const recv = scene.recv(far);
        const bytes = pattern(60_000, index * 1000);
        for (let offset = 0; offset < bytes.byteLength; offset += 6000) {
          await scene.send(near, [bytes.subarray(offset, offset + 6000)]).settled();
        }
        await recv.untilReceived(bytes.byteLength);
        assertSameBytes(recv.received(), bytes);
      }),
    );
  });
}

function endTests(runner: TestRunner, setup: TestSetup<DriverFixture>, traits: FullDriverTraits): void {
  itWithPorts(runner, setup, '[7] shutdown is the end of one direction', async (scene) => {
    const port = scene.port();
    const { near, far } = await scene.pair(port);
    const recv = scene.recv(far);
    await scene.send(near, [pattern(5000)]).settled();
    assert.equal(await scene.shutdown(near).settled(), 0);
    assert.equal(await recv.settled(), result.ended);
    assertSameBytes(recv.received(), pattern(5000));
    const back = scene.recv(near);
    assert.equal(await scene.send(far, [pattern(300)]).settled(), 300);
    await back.untilReceived(300);
    assert.equal(await scene.send(near, [pattern(10)]).settled(), result.brokenPipe);
  });

  itWithPorts(runner, setup, 'close delivers what was sent, then the end', async (scene) => {
    const port = scene.port();
    const { near, far } = await scene.pair(port);
    await scene.send(near, [pattern(40_000)]).settled();
    assert.equal(await scene.close(near).settled(), 0);
    const recv = scene.recv(far);
    assert.equal(await recv.settled(), result.ended);
    assertSameBytes(recv.received(), pattern(40_000));
  });

  const { reset, ended } = result;
  const seen: readonly number[] = { reset: [reset], end: [ended], either: [reset, ended] }[
    traits.abortSeenAs
  ];
  itWithPorts(
    runner,
    setup,
    `[10] the peer of an abortive close receives ${seen.join(' or ')}`,
    async (scene) => {
      const port = scene.port();
      const [idle, busy] = await scene.pairs(port, 2);
      assert.ok(idle !== undefined && busy !== undefined);
      const recv = scene.recv(idle.far);
      await turns(2);
      assert.equal(await scene.close(idle.near, true).settled(), 0);
      assert.ok(seen.includes(await recv.settled()));
      assert.equal(await scene.close(busy.near, true).settled(), 0);
      assert.ok(seen.includes(await scene.recv(busy.far).settled()));
    },
  );

  itWithPorts(
    runner,
    setup,
    '[10] a local close is ECANCELED for what was in flight, never a reset',
    async (scene) => {
      const port = scene.port();
      for (const abortive of [false, true]) {
        const { near, far } = await scene.pair(port);
        const order: string[] = [];
        const record = (name: string) => ({ onRecord: () => order.push(name) });
        const recv = scene.recv(near, record('recv'));
        const send = scene.send(near, [pattern(30_000_000)]);
        await turns(2);
        const close = scene.close(near, abortive);
        assert.equal(await close.settled(), 0);
        assert.ok(
          recv.settledWith !== null && send.settledWith !== null,
          'close came before what it cancels',
        );
        assert.equal(recv.settledWith.result, result.canceled);
        assert.equal(send.settledWith.result, result.canceled);
        await scene.close(far).settled();
      }
    },
  );

  itWithPorts(runner, setup, '[17] a socket object of a closed socket names nothing', async (scene) => {
    const port = scene.port();
    const { near, far } = await scene.pair(port);
    await scene.close(near).settled();
    await assertNamesNothing(scene, near);
    // Sockets that take the place of the closed one are not reached by it.
    const others = await scene.pairs(port, 3);
    await assertNamesNothing(scene, near);
    for (const other of others) {
      const recv = scene.recv(other.far);
      assert.equal(await scene.send(other.near, [pattern(50)]).settled(), 50);
      await recv.untilReceived(50);
    }
    await scene.close(far).settled();
  });
}

async function assertNamesNothing(scene: PortScene, socket: Socket): Promise<void> {
  const probes = [
    scene.recv(socket),
    scene.connect(socket),
    scene.accept(socket),
    scene.send(socket, [pattern(10)]),
    scene.shutdown(socket),
    scene.close(socket),
  ];
  for (const probe of probes) assert.equal(await probe.settled(), result.badHandle, probe.name);
  assert.throws(() => socket.address(), { code: 'EBADF' });
}
