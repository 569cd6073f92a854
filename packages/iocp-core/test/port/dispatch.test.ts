import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CompletionPort } from '../../src/port/completion-port.js';
import { CompleteFlag, Operation } from '../../src/protocol.gen.js';
import type { LoopbackDevice } from './loopback-device.js';
import { LoopbackRig, uncaught } from './loopback-rig.js';
import { Recorder } from './recorder.js';

let rig: LoopbackRig;
let port: CompletionPort;
let device: LoopbackDevice;

beforeEach(() => {
  rig = new LoopbackRig();
  ({ port, device } = rig);
});

afterEach(() => rig.close());

describe('dispatch', () => {
  test('a handler that throws is reported, and the rest of the batch goes on', async () => {
    const { client, server } = await rig.connectedPair();
    const order: string[] = [];
    const thrower = new Recorder(port);
    thrower.on = () => {
      throw new Error('thrown by a handler');
    };
    const after = new Recorder(port);
    after.on = () => order.push('after');
    port.submitRecv(server, thrower);
    rig.send(client, Buffer.from('x'));
    device.turn();
    port.post(after, 1);
    const reported = uncaught();
    device.settle();
    expect(order).toEqual(['after']);
    thrower.on = undefined;
    expect(await reported).toMatchObject({ message: 'thrown by a handler' });
    expect(port.stats.slots.javascript, 'the slot it was lent went back').toBe(0);
  });

  test('handlers run in their context; neighbours share a scope', () => {
    const storage = new AsyncLocalStorage<string>();
    const resources = ['a', 'b'].map((name) => storage.run(name, () => new AsyncResource('test')));
    const entered: unknown[] = [];
    for (const resource of resources) {
      const run = resource.runInAsyncScope.bind(resource);
      resource.runInAsyncScope = ((...values: Parameters<typeof run>) => {
        entered.push(resource);
        return run(...values);
      }) as typeof run;
    }
    const seen: (string | undefined)[] = [];
    const handlers = [resources[0], resources[0], null, resources[1], resources[0]].map((resource) => {
      const recorder = new Recorder(port);
      recorder.asyncResource = resource ?? null;
      recorder.on = () => seen.push(storage.getStore());
      return recorder;
    });
    for (const handler of handlers) port.post(handler, 0);
    storage.run('turn', () => device.settle());
    expect(seen).toEqual(['a', 'a', 'turn', 'b', 'a']);
    expect(entered).toEqual([resources[0], resources[1], resources[0]]);
  });

  test('a scope that cannot be entered costs its completion only', async () => {
    const broken = new Recorder(port);
    broken.asyncResource = {} as AsyncResource;
    const fine = new Recorder(port);
    port.post(broken, 1);
    port.post(fine, 2);
    const reported = uncaught();
    device.settle();
    expect(await reported).toBeInstanceOf(TypeError);
    expect(broken.completions).toEqual([]);
    expect(fine.settled).toEqual([2]);
  });

  test('stale completions are counted, never delivered, and what they carry is given back', async () => {
    const received = new Recorder(port);
    const { client } = await rig.connectedPair();
    port.submitRecv(client, received);
    device.turn();
    const slot = device.takeSlot();
    device.forge(Operation.RECV | (CompleteFlag.SLOT << 8), 77, 1, 5, slot);
    device.forge(Operation.POST, 0, 999, 5);
    device.settle();
    expect(received.completions).toEqual([]);
    expect(port.stats.staleCompletions).toBe(2);
    expect(device.kernelSlots).toContain(slot);
  });

  test('tasks run once at the end of the turn, after all completions', () => {
    const order: string[] = [];
    const task = { turnPending: false, onTurnEnd: () => void order.push('task') };
    const posts = new Recorder(port);
    posts.on = ({ result }) => {
      order.push(`completion ${result}`);
      port.atTurnEnd(task);
    };
    port.post(posts, 1);
    port.post(posts, 2);
    device.settle();
    expect(order).toEqual(['completion 1', 'completion 2', 'task']);
  });

  test('tasks scheduled outside of a dispatch, or by a task, run in a microtask', async () => {
    const order: string[] = [];
    const second = { onTurnEnd: () => void order.push('second') };
    const first = {
      onTurnEnd: () => {
        order.push('first');
        port.atTurnEnd(second);
      },
    };
    port.atTurnEnd(first);
    port.atTurnEnd(first);
    order.push('scheduled');
    await Promise.resolve();
    expect(order).toEqual(['scheduled', 'first']);
    await Promise.resolve();
    expect(order).toEqual(['scheduled', 'first', 'second']);
  });

  test('a task that throws is reported, and the others run', async () => {
    let ran = false;
    port.atTurnEnd({
      onTurnEnd() {
        throw new Error('thrown by a task');
      },
    });
    port.atTurnEnd({
      onTurnEnd() {
        ran = true;
      },
    });
    expect(await uncaught()).toMatchObject({ message: 'thrown by a task' });
    expect(ran).toBe(true);
  });
});
