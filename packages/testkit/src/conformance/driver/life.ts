/** Driver suite, part 1: the life of a port, posts, and what a closed port does. */

import assert from 'node:assert/strict';
import { captureUncaught } from '../../capture-uncaught.js';
import { pattern } from '../../chunkings.js';
import type { TestRunner, TestSetup } from '../../runner.js';
import { codeOf } from '../../transcript.js';
import { nextTurn, turns, whenQuiet } from '../../turns.js';
import { type DriverFixture, type FullDriverTraits, itWithPorts, result } from './scene.js';

export function driverLifeSuite(
  runner: TestRunner,
  setup: TestSetup<DriverFixture>,
  traits: FullDriverTraits,
): void {
  itWithPorts(runner, setup, `says that it is ${traits.backend}`, async (scene) => {
    const { info } = scene.port();
    assert.equal(info.backend, traits.backend);
    assert.match(info.kernel, /\d/);
    assert.deepEqual(info.rejected, [], 'an explicit choice rejects no other');
  });

  itWithPorts(runner, setup, 'an idle port does nothing', async (scene) => {
    const port = scene.port();
    await turns(20);
    const { batches, completions } = port.stats;
    await whenQuiet(() => port.stats.batches);
    assert.deepEqual([port.stats.batches, port.stats.completions], [batches, completions]);
  });

  postTests(runner, setup);
  closeTests(runner, setup);

  itWithPorts(runner, setup, 'a handler that throws costs nobody else a completion', async (scene) => {
    const port = scene.port();
    const boom = new Error('thrown by a handler');
    const throwing = scene.probe(port, 'throwing post', {
      onRecord: () => {
        throw boom;
      },
    });
    const others = Array.from({ length: 10 }, (_, index) => scene.probe(port, `post ${index}`));
    const uncaught = await captureUncaught(async () => {
      for (const probe of others.slice(0, 5)) port.post(probe, 1);
      port.post(throwing, 2);
      for (const probe of others.slice(5)) port.post(probe, 3);
      for (const probe of [...others, throwing]) await probe.settled();
      await nextTurn();
    });
    assert.deepEqual(uncaught, [boom]);
  });
}

function postTests(runner: TestRunner, setup: TestSetup<DriverFixture>): void {
  itWithPorts(runner, setup, 'posts complete in order with their values', async (scene) => {
    const port = scene.port();
    const values: number[] = [];
    const sent = [0, -1, 7, 2 ** 31 - 1, -(2 ** 31)];
    const probes = sent.map((value) => {
      const probe = scene.probe(port, `post ${value}`, {
        onRecord: ({ result: posted }) => values.push(posted),
      });
      port.post(probe, value);
      return probe;
    });
    assert.deepEqual(values, [], 'a post completed inside post()');
    for (const probe of probes) await probe.settled();
    assert.deepEqual(values, sent);
  });

  itWithPorts(runner, setup, 'takes more submissions in one turn than its ring holds', async (scene) => {
    const port = scene.port();
    const probes = Array.from({ length: 10_000 }, (_, index) => scene.probe(port, `post ${index}`));
    for (const [index, probe] of probes.entries()) port.post(probe, index);
    for (const [index, probe] of probes.entries()) assert.equal(await probe.settled(), index);
  });

  itWithPorts(runner, setup, 'a poster delivers every value until it is closed', async (scene) => {
    const port = scene.port();
    const { postTo } = scene.core;
    const values: number[] = [];
    const handler = {
      asyncResource: null,
      onCompletion: (_: number, value: number) => void values.push(value),
    };
    const poster = port.poster(handler);
    const handle = structuredClone(poster.handle);
    for (let value = 0; value < 3000; value++) assert.equal(postTo(handle, value), true);
    while (values.length < 3000) await nextTurn();
    assert.deepEqual(
      values,
      Array.from({ length: 3000 }, (_, index) => index),
    );
    poster.close();
    poster.close();
    assert.equal(postTo(handle, 1), false);
    await turns(5);
    assert.equal(values.length, 3000);
    assert.equal(port.stats.operationsInFlight, 0);
  });
}

function closeTests(runner: TestRunner, setup: TestSetup<DriverFixture>): void {
  itWithPorts(runner, setup, '[12] closing a port settles all that is in flight', async (scene) => {
    const port = scene.port();
    const [first, second] = await scene.pairs(port, 2);
    assert.ok(first !== undefined && second !== undefined);
    const listener = await scene.listen(port);
    const probes = [
      scene.accept(listener),
      scene.recv(first.near),
      scene.recv(first.far),
      scene.recv(second.near),
      scene.send(second.far, [pattern(30_000_000)]),
    ];
    await nextTurn();
    await Promise.all([port.close(), port.close()]);
    for (const probe of probes) {
      assert.ok(probe.settledWith !== null, `${probe.name} has not settled`);
      const expected = [result.canceled, ...(probe.name === 'send' ? [30_000_000] : [])];
      assert.ok(expected.includes(probe.settledWith.result), probe.describe());
    }
    assert.equal(port.stats.operationsInFlight, 0);
    assert.equal(port.stats.handlesOpen, 0);
  });

  itWithPorts(runner, setup, 'a port can be closed from inside a handler', async (scene) => {
    const port = scene.port();
    let closing: Promise<void> | undefined;
    const probe = scene.probe(port, 'closing post', {
      onRecord: () => {
        closing = port.close();
      },
    });
    port.post(probe, 1);
    await probe.settled();
    await closing;
    assert.equal(port.closed, true);
  });

  itWithPorts(runner, setup, '[17] a closed port refuses everything with a coded error', async (scene) => {
    const port = scene.port();
    const { near, far } = await scene.pair(port);
    await port.close();
    const handler = { asyncResource: null, onCompletion() {} };
    const segments = new scene.core.SegmentList(port);
    segments.add(pattern(10));
    await assert.rejects(scene.listen(port), (error) => codeOf(error) === 'ERR_IOCP_PORT_CLOSED');
    const calls = [
      () => port.submitAccept(near, handler),
      () => port.submitConnect(near, handler),
      () => port.submitRecv(near, handler),
      () => port.submitSend(near, segments, handler),
      () => port.submitShutdown(near, scene.core.ShutdownDirection.WRITE, handler),
      () => port.submitClose(far, handler),
      () => port.post(handler, 1),
      () => port.poster(handler),
      () => near.address(),
      () => near.fd,
    ];
    for (const call of calls) assert.throws(call, (error) => codeOf(error) === 'ERR_IOCP_PORT_CLOSED');
    segments.releaseAll();
    port.ref();
    port.unref();
    await port.close();
  });

  itWithPorts(runner, setup, 'ports are independent of each other', async (scene) => {
    const ports = Array.from({ length: 4 }, () => scene.port());
    const pairs = await Promise.all(ports.map((port) => scene.pair(port)));
    const [closed, ...open] = pairs;
    await closed?.near.port.close();
    for (const { near, far } of open) {
      const recv = scene.recv(far);
      assert.equal(await scene.send(near, [pattern(100)]).settled(), 100);
      await recv.untilReceived(100);
    }
  });
}
