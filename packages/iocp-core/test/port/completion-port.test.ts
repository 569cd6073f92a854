import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CompletionHandler } from '../../src/port/completion-handler.js';
import type { CompletionPort } from '../../src/port/completion-port.js';
import type { PortOptions } from '../../src/port/port-options.js';
import { SegmentList } from '../../src/port/segment-list.js';
import { CompleteFlag, ShutdownDirection } from '../../src/protocol.gen.js';
import type { LoopbackDevice } from './loopback-device.js';
import { LoopbackRig, slotBytes, uncaught } from './loopback-rig.js';
import { Recorder } from './recorder.js';

const ecanceled = -125;

let rig: LoopbackRig;
let port: CompletionPort;
let device: LoopbackDevice;

function openRig(options?: PortOptions): void {
  rig = new LoopbackRig(options);
  ({ port, device } = rig);
}

beforeEach(() => openRig());

afterEach(() => rig.close());

describe('a connection', () => {
  test('carries bytes from arena, slot and pinned memory in order, to the end of the stream', async () => {
    const { client, server } = await rig.connectedPair();
    const received = new Recorder(port);
    port.submitRecv(server, received);
    const large = Buffer.alloc(3 * slotBytes, 'L');
    const sent = rig.send(client, Buffer.from('head '), large, Buffer.from(' tail'));
    const shut = new Recorder(port);
    port.submitShutdown(client, ShutdownDirection.WRITE, shut);
    device.settle();
    expect(sent.settled).toEqual([10 + large.length]);
    expect(shut.settled).toEqual([0]);
    expect(received.received.toString()).toBe(`head ${large} tail`);
    expect(received.settled).toEqual([0]);
    expect(device.sends).toEqual([3]);
    expect(port.stats.slots.javascript).toBe(0);
  });

  test('echoes without a copy: the slot that came in goes out', async () => {
    const { client, server } = await rig.connectedPair();
    const lists = new SegmentList(port);
    const echoed = new Recorder(port);
    echoed.on = () => lists.releaseAll();
    const echo: CompletionHandler = {
      asyncResource: null,
      onCompletion(_operation, result, flags, value) {
        if ((flags & CompleteFlag.SLOT) === 0) return;
        lists.add(port.pool.view(value, result));
        expect(lists.words.slice(0, 2)).toEqual([-1, value * slotBytes]);
        port.submitSend(server, lists, echoed);
      },
    };
    port.submitRecv(server, echo);
    const back = new Recorder(port);
    port.submitRecv(client, back);
    for (let round = 0; round < 20; round++) {
      rig.send(client, Buffer.from(`message ${round};`));
      device.settle();
    }
    expect(back.received.toString()).toBe(Array.from({ length: 20 }, (_, at) => `message ${at};`).join(''));
    expect(port.stats.slots).toMatchObject({ javascript: 0, kernel: 4 });
  });

  test('works the same in debug mode, where bytes kept without a lease are gone', async () => {
    await port.close();
    openRig({ debug: true });
    const { client, server } = await rig.connectedPair();
    const received = new Recorder(port);
    const kept: Uint8Array[] = [];
    const replies = new SegmentList(port);
    received.on = ({ flags, value, result }) => {
      if ((flags & CompleteFlag.SLOT) === 0) return;
      const view = port.pool.view(value, result);
      kept.push(view);
      replies.add(view);
    };
    port.submitRecv(server, received);
    rig.send(client, Buffer.from('twice'));
    device.settle();
    expect(received.received.toString()).toBe('twice');
    expect(kept.map(({ length }) => length)).toEqual([0]);
    const back = new Recorder(port);
    port.submitRecv(client, back);
    const sent = new Recorder(port);
    sent.on = () => replies.releaseAll();
    port.submitSend(server, replies, sent);
    device.settle();
    expect(back.received.toString()).toBe('twice');
    expect(port.stats.slots.javascript).toBe(0);
  });

  test('closes after what was in flight has settled', async () => {
    const { client } = await rig.connectedPair();
    const received = new Recorder(port);
    const closed = new Recorder(port);
    port.submitRecv(client, received);
    port.submitClose(client, closed);
    device.settle();
    expect(received.settled).toEqual([ecanceled]);
    expect(closed.settled).toEqual([0]);
    expect(() => client.address()).toThrow(
      expect.objectContaining({ code: 'EBADF', syscall: 'getsockname' }),
    );
  });

  test('refused is a result, not an exception', () => {
    const client = port.open({ remote: { host: '127.0.0.1', port: 9999 } });
    const connected = new Recorder(port);
    port.submitConnect(client, connected);
    device.settle();
    expect(connected.settled).toEqual([-111]);
  });

  test('a cancelled receive settles once', async () => {
    const { client } = await rig.connectedPair();
    const received = new Recorder(port);
    const token = port.submitRecv(client, received);
    device.turn();
    port.cancel(token);
    port.cancel(token);
    device.settle();
    expect(received.settled).toEqual([ecanceled]);
    port.cancel(token);
    const again = new Recorder(port);
    port.submitRecv(client, again);
    device.settle();
    expect(again.settled, 'the old token does not reach the new operation').toEqual([]);
  });

  test('an accepted socket that no handler takes is closed', async () => {
    const listener = await port.listen({ host: '127.0.0.1' });
    const accepts = new Recorder(port);
    port.submitAccept(listener, accepts);
    device.turn();
    const client = port.open({ remote: { host: '127.0.0.1', port: listener.address()?.port ?? 0 } });
    port.submitConnect(client, new Recorder(port));
    device.settle();
    expect(accepts.completions.length).toBe(1);
    expect(port.stats.handlesOpen).toBe(2);
  });
});

describe('the pool', () => {
  test('grows while receives are parked, and says so when it is exhausted', async () => {
    await port.close();
    openRig({ pool: { slotBytes, minSlots: 1, maxSlots: 4 } });
    const spells: unknown[] = [];
    const listener = (message: unknown) => spells.push(message);
    subscribe('iocp.pool.exhausted', listener);
    const { client, server } = await rig.connectedPair();
    const held: number[] = [];
    const hoarder: CompletionHandler = {
      asyncResource: null,
      onCompletion(_operation, _result, flags, slot) {
        if ((flags & CompleteFlag.SLOT) === 0) return;
        port.pool.retain(slot);
        held.push(slot);
      },
    };
    port.submitRecv(server, hoarder);
    rig.send(client, Buffer.alloc(6 * slotBytes));
    device.settle();
    expect(held.length).toBe(4);
    expect(port.stats.parked).toBe(1);
    expect(spells).toEqual([expect.objectContaining({ port })]);
    while (held.length > 0) {
      port.pool.release(held.shift() ?? -1);
      device.settle();
    }
    unsubscribe('iocp.pool.exhausted', listener);
    expect(port.stats.parked).toBe(0);
    expect(port.stats.slots).toMatchObject({ javascript: 0, total: 4 });
  });

  test('a full submission ring is drained in the middle of a batch', () => {
    const before = device.flushes;
    const posts = new Recorder(port);
    for (let count = 0; count < 5000; count++) port.post(posts, count);
    expect(device.flushes).toBe(before + 1);
    device.settle();
    expect(posts.settled).toEqual(Array.from({ length: 5000 }, (_, at) => at));
  });
});

describe('posters', () => {
  test('complete with MORE until they are closed', () => {
    const posts = new Recorder(port);
    const poster = port.poster(posts);
    expect(structuredClone(poster.handle)).toEqual(poster.handle);
    expect(device.postTo(poster.handle.mailbox, 7)).toBe(true);
    expect(device.postTo(poster.handle.mailbox, 8)).toBe(true);
    device.settle();
    expect(posts.completions.map(({ result, flags }) => [result, flags])).toEqual([
      [7, CompleteFlag.MORE],
      [8, CompleteFlag.MORE],
    ]);
    device.postTo(poster.handle.mailbox, 9);
    poster.close();
    poster.close();
    expect(device.postTo(poster.handle.mailbox, 10)).toBe(false);
    device.settle();
    expect(posts.completions.length).toBe(2);
    expect(port.stats.operationsInFlight).toBe(0);
  });
});

describe('ref', () => {
  test('is counted; the driver hears of the first and the last', () => {
    port.ref();
    port.ref();
    expect(device.referenced).toBe(true);
    port.unref();
    expect(device.referenced).toBe(true);
    port.unref();
    expect(device.referenced).toBe(false);
    expect(() => port.unref()).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }));
  });
});

describe('close', () => {
  test('settles everything before it resolves, then refuses', async () => {
    const { client, server, listener } = await rig.connectedPair();
    const received = new Recorder(port);
    const accepted = new Recorder(port);
    const posted = new Recorder(port);
    port.submitRecv(server, received);
    port.submitAccept(listener, accepted);
    port.poster(posted);
    const closing = port.close();
    expect(port.closed).toBe(true);
    expect(port.close()).toBe(closing);
    expect(received.settled, 'not from inside close()').toEqual([]);
    await closing;
    expect(received.settled).toEqual([ecanceled]);
    expect(accepted.settled).toEqual([ecanceled]);
    expect(posted.settled).toEqual([ecanceled]);
    const closed = expect.objectContaining({ code: 'ERR_IOCP_PORT_CLOSED' });
    const handler = new Recorder(port);
    expect(() => port.submitRecv(client, handler)).toThrow(closed);
    expect(() => port.submitClose(client, handler)).toThrow(closed);
    expect(() => port.post(handler, 1)).toThrow(closed);
    expect(() => port.poster(handler)).toThrow(closed);
    await expect(port.listen({})).rejects.toThrow(closed);
    expect(() => port.open({ remote: { host: '::1', port: 1 } })).toThrow(closed);
    expect(() => port.associate(3)).toThrow(closed);
    expect(() => client.address()).toThrow(closed);
    port.ref();
    port.unref();
  });

  test('what handlers submit meanwhile is settled, too', async () => {
    const { client } = await rig.connectedPair();
    const closed = new Recorder(port);
    const received = new Recorder(port);
    received.on = () => port.submitClose(client, closed);
    port.submitRecv(client, received);
    await port.close();
    expect(received.settled).toEqual([ecanceled]);
    expect(closed.settled).toEqual([0]);
  });

  test('a handler that never gives up does not hold it', async () => {
    const { client } = await rig.connectedPair();
    const stubborn = new Recorder(port);
    stubborn.on = () => {
      if (!port.closed || stubborn.completions.length < 1000) port.submitRecv(client, stubborn);
    };
    port.submitRecv(client, stubborn);
    const reported = uncaught();
    await port.close();
    expect(await reported).toMatchObject({ code: 'ERR_IOCP_PORT_CLOSED' });
    expect(stubborn.completions.length).toBeLessThan(1000);
    expect(() => port.submitRecv(client, stubborn)).toThrow(
      expect.objectContaining({ code: 'ERR_IOCP_PORT_CLOSED' }),
    );
  });

  test('may be asked for by a handler', async () => {
    const posts = new Recorder(port);
    const order: string[] = [];
    posts.on = ({ result }) => {
      order.push(String(result));
      if (result === 1) void port.close().then(() => order.push('closed'));
    };
    port.post(posts, 1);
    port.post(posts, 2);
    device.settle();
    await port.close();
    expect(order).toEqual(['1', '2', 'closed']);
  });

  test('slots that are still held can be given back afterwards', async () => {
    const { client, server } = await rig.connectedPair();
    const received = new Recorder(port);
    let slot = -1;
    received.on = ({ flags, value }) => {
      if ((flags & CompleteFlag.SLOT) === 0) return;
      port.pool.retain(value);
      slot = value;
    };
    port.submitRecv(server, received);
    rig.send(client, Buffer.from('kept'));
    device.settle();
    await port.close();
    expect(port.pool.view(slot, 4).toString()).toBe('kept');
    expect(port.stats.slots.javascript).toBe(1);
    port.pool.release(slot);
    expect(port.stats.slots).toMatchObject({ javascript: 0, kernel: 0, free: 32 });
  });
});
