/** The port over loopback, once per backend. */

import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { createServer, type Socket as NetSocket, connect as netConnect, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  backendsUnderTest,
  isWineSocket,
  onWindows,
  pathKind,
  underWine,
} from '../../../../system.shared.js';
import type { CompletionHandler } from '../../src/port/completion-handler.js';
import { CompletionPort } from '../../src/port/completion-port.js';
import { SegmentList } from '../../src/port/segment-list.js';
import type { Socket } from '../../src/port/socket.js';
import { CompleteFlag, Operation, ShutdownDirection } from '../../src/protocol.gen.js';
import { send, uncaught } from './loopback-rig.js';
import { NativeRig } from './native-rig.js';
import { Recorder } from './recorder.js';

const ecanceled = -125;

describe.each(backendsUnderTest)('%s', (backend) => {
  let rig: NativeRig;
  let port: CompletionPort;

  beforeEach(() => {
    rig = new NativeRig({ backend, pool: { slotBytes: 4096, minSlots: 8, maxSlots: 64 } });
    ({ port } = rig);
  });

  afterEach(() => rig.close());

  test('says what it is', () => {
    expect(port.info.backend).toBe(backend);
    expect(port.info.rejected).toEqual([]);
    expect(port.info.kernel).toMatch(/^\d+\./);
  });

  test('accepts, connects and knows the addresses of both ends', async () => {
    const { client, server, listener } = await rig.connectedPair();
    expect(listener.address()).toMatchObject({ family: 'IPv4', address: '127.0.0.1' });
    expect(client.peer()).toEqual(listener.address());
    expect(server.address()).toEqual(listener.address());
    expect(server.peer()).toEqual(client.address());
    expect(listener.peer()).toBeNull();
    if (backend !== 'node') expect(client.fd).toBeGreaterThan(2);
  });

  test('carries bytes of every kind in order, to the end of the stream', async () => {
    const { client, server } = await rig.connectedPair();
    const received = new Recorder(port);
    port.submitRecv(server, received);
    const large = Buffer.alloc(300_000, 'abcdefghijk');
    const sent = send(port, client, Buffer.from('head '), large, Buffer.from(' tail'));
    expect((await sent.first()).settled).toEqual([large.length + 10]);
    const shut = new Recorder(port);
    port.submitShutdown(client, ShutdownDirection.WRITE, shut);
    await received.until(({ settled }) => settled.length > 0);
    expect(received.settled).toEqual([0]);
    expect(received.received.equals(Buffer.concat([Buffer.from('head '), large, Buffer.from(' tail')]))).toBe(
      true,
    );
    expect((await shut.first()).settled).toEqual([0]);
  });

  test('sends as many segments as one send takes', async () => {
    const { client, server } = await rig.connectedPair();
    const received = new Recorder(port);
    port.submitRecv(server, received);
    const list = new SegmentList(port);
    const neighbour = new SegmentList(port);
    const expected: string[] = [];
    for (let count = 0; count < 600; count++) {
      const text = `<${count}>`;
      list.add(Buffer.from(text));
      neighbour.add(Buffer.from('-'));
      expected.push(text);
    }
    neighbour.releaseAll();
    const sent = new Recorder(port);
    port.submitSend(client, list, sent);
    expect((await sent.first()).settled).toEqual([list.byteLength]);
    list.releaseAll();
    await received.until((each) => each.received.length >= expected.join('').length);
    expect(received.received.toString()).toBe(expected.join(''));
  });

  test('echoes to a client of node:net without copying', async () => {
    const listener = await port.listen({ host: '127.0.0.1' });
    const [first, second] = [new SegmentList(port), new SegmentList(port)];
    let [queue, inFlight] = [first, second];
    let ended = false;
    let server: Socket | undefined;
    const flush = () => {
      if (inFlight.count > 0 || server === undefined) return;
      if (queue.count > 0) {
        [queue, inFlight] = [inFlight, queue];
        port.submitSend(server, inFlight, echo);
      } else if (ended) {
        port.submitClose(server, echo);
      }
    };
    const echo: CompletionHandler = {
      asyncResource: null,
      onCompletion(operation, result, _flags, value, extra) {
        if (operation === Operation.ACCEPT && result === 0) {
          server = port.socket(value, extra);
          port.submitRecv(server, echo);
        } else if (operation === Operation.RECV) {
          if (result > 0) queue.add(port.pool.view(value, result));
          else ended = true;
          flush();
        } else if (operation === Operation.SEND) {
          expect(result).toBe(inFlight.byteLength);
          inFlight.releaseAll();
          flush();
        }
      },
    };
    port.submitAccept(listener, echo);
    const client = netConnect(listener.address()?.port ?? 0, '127.0.0.1');
    const chunks: Buffer[] = [];
    client.on('data', (chunk) => chunks.push(chunk));
    const payload = Buffer.alloc(200_000, '0123456789');
    await once(client, 'connect');
    client.end(payload);
    await once(client, 'close');
    expect(Buffer.concat(chunks).equals(payload)).toBe(true);
    expect(port.stats.slots.javascript).toBe(0);
  });

  test('a refused connection and a bad address are told apart by code', async () => {
    const free = await port.listen({ host: '127.0.0.1' });
    const { port: number = 0 } = free.address() ?? {};
    const closed = new Recorder(port);
    port.submitClose(free, closed);
    await closed.first();
    const client = port.open({ remote: { host: '127.0.0.1', port: number } });
    const connected = new Recorder(port);
    port.submitConnect(client, connected);
    expect((await connected.first()).settled).toEqual([-111]);
    await expect(port.listen({ host: '192.0.2.1', port: 1 })).rejects.toMatchObject({
      code: 'EADDRNOTAVAIL',
      syscall: backend === 'node' ? 'listen' : 'bind',
      address: '192.0.2.1',
      port: 1,
    });
    const taken = await port.listen({ host: '127.0.0.1' });
    await expect(port.listen({ host: '127.0.0.1', port: taken.address()?.port ?? 0 })).rejects.toMatchObject({
      code: 'EADDRINUSE',
    });
  });

  test('a reset by the peer is ECONNRESET, an abortive close resets the peer', async () => {
    const { client, server } = await rig.connectedPair();
    const received = new Recorder(port);
    port.submitRecv(client, received);
    const closed = new Recorder(port);
    port.submitClose(server, closed, true);
    expect((await closed.first()).settled).toEqual([0]);
    // Wine shuts a socket down before it closes it, and the end comes first.
    expect(underWine ? [[0], [-104]] : [[-104]]).toContainEqual((await received.first()).settled);
  });

  test('cancel and close settle what is in flight with ECANCELED, before the close itself', async () => {
    const { client, listener } = await rig.connectedPair();
    const order: string[] = [];
    const named = (name: string) => {
      const recorder = new Recorder(port);
      recorder.on = ({ result }) => order.push(`${name} ${result}`);
      return recorder;
    };
    const cancelled = named('recv');
    const token = port.submitRecv(client, cancelled);
    port.cancel(token);
    await cancelled.first();
    const again = named('recv again');
    port.submitRecv(client, again);
    const closed = named('close');
    port.submitClose(client, closed);
    await closed.first();
    const listening = named('close listener');
    port.submitClose(listener, listening);
    await listening.first();
    expect(order).toEqual(['recv -125', 'recv again -125', 'close 0', 'close listener 0']);
    const late = new Recorder(port);
    port.submitRecv(client, late);
    expect((await late.first()).settled).toEqual([-9]);
    expect(() => client.address()).toThrow(expect.objectContaining({ code: 'EBADF' }));
  });

  test('options are set and read', async () => {
    const { client } = await rig.connectedPair();
    client.setOption('noDelay', true);
    expect(client.getOption('noDelay')).toBe(true);
    client.setOption('noDelay', false);
    expect(client.getOption('noDelay')).toBe(false);
    client.setOption('keepAlive', true);
    expect(client.getOption('keepAlive')).toBe(true);
    if (isWineSocket(backend)) return;
    client.setOption('keepAliveIdle', 123);
    expect(client.getOption('keepAliveIdle')).toBe(123);
  });

  test.runIf(backend === 'io_uring' || backend === 'epoll')("Linux's own options and facts", async () => {
    const { client } = await rig.connectedPair();
    expect(client.getOption('congestion')).toMatch(/^[a-z]+$/);
    expect(Object.keys(client.tcpInfo()).length).toBeGreaterThan(3);
  });

  test.runIf(backend === 'node')('what node:net cannot do is refused by code', async () => {
    const { client, listener } = await rig.connectedPair();
    for (const socket of [client, listener]) {
      const noOption = expect.objectContaining({ code: 'ENOPROTOOPT' });
      expect(() => socket.getOption('congestion')).toThrow(noOption);
      expect(() => socket.setOption('ttl', 9)).toThrow(noOption);
      expect(() => socket.getOption('keepAliveIdle'), 'not set, not known').toThrow(noOption);
      expect(() => socket.tcpInfo()).toThrow(expect.objectContaining({ code: 'EOPNOTSUPP' }));
      expect(socket.fd).toBe(-1);
    }
    await expect(port.listen({ options: { linger: 0 } })).rejects.toMatchObject({ code: 'ENOPROTOOPT' });
    // It means nothing on Windows.
    if (!onWindows)
      await expect(port.listen({ reuseAddress: false })).rejects.toMatchObject({ code: 'ENOPROTOOPT' });
    const remote = { host: '127.0.0.1', port: 1 };
    expect(() => port.open({ remote, options: { sendBuffer: 1 } })).toThrow(
      expect.objectContaining({ code: 'ENOPROTOOPT' }),
    );
    expect(() => new CompletionPort({ backend, faults: { seed: 1 } })).toThrow(
      expect.objectContaining({ code: 'ENOSYS' }),
    );
  });

  test.runIf(pathKind(backend) === 'unix')('Unix sockets, by path', async () => {
    const path = join(tmpdir(), `iocp-${randomUUID()}.sock`);
    try {
      const { client, server } = await rig.connectedPair({ path });
      expect(server.address()).toMatchObject({ family: 'unix', address: path, port: 0 });
      const received = new Recorder(port);
      port.submitRecv(server, received);
      send(port, client, Buffer.from('over a path'));
      expect((await received.first()).received.toString()).toBe('over a path');
    } finally {
      rmSync(path, { force: true });
    }
  });

  test('posts complete in a later turn, in order', async () => {
    const posts = new Recorder(port);
    for (const value of [1, -2, 0x7fffffff, -0x80000000]) port.post(posts, value);
    expect(posts.completions).toEqual([]);
    await posts.until(({ settled }) => settled.length === 4);
    expect(posts.settled).toEqual([1, -2, 0x7fffffff, -0x80000000]);
  });

  test('a handler that throws does not disturb the others', async () => {
    const posts = new Recorder(port);
    posts.on = ({ result }) => {
      if (result === 2) throw new Error('thrown by a handler');
    };
    const reported = uncaught();
    for (const value of [1, 2, 3]) port.post(posts, value);
    expect(await reported).toMatchObject({ message: 'thrown by a handler' });
    await posts.until(({ settled }) => settled.length === 3);
  });

  test('an exhausted pool parks receives until slots come back, and loses nothing', async () => {
    const { client, server } = await rig.connectedPair();
    const payload = Buffer.alloc(2 * 64 * 4096);
    for (let at = 0; at < payload.length; at += 4) payload.writeUInt32LE(at, at);
    const held: number[] = [];
    let receivedBytes = 0;
    const hoarder = new Recorder(port);
    hoarder.on = ({ result, value, flags }) => {
      if ((flags & CompleteFlag.SLOT) === 0) return;
      port.pool.retain(value);
      held.push(value);
      receivedBytes += result;
    };
    port.submitRecv(server, hoarder);
    const sent = send(port, client, payload);
    let spells = 0;
    while (receivedBytes < payload.length) {
      await rig.until(() => port.stats.parked === 1 || receivedBytes === payload.length);
      if (port.stats.slots.free === 0 && port.stats.parked === 1) spells++;
      for (const slot of held.splice(0)) port.pool.release(slot);
    }
    expect(hoarder.received.equals(payload)).toBe(true);
    expect(spells).toBeGreaterThan(0);
    expect((await sent.first()).settled).toEqual([payload.length]);
  });

  test('a sender that nobody reads from waits, and close ends it', async () => {
    const { client, server } = await rig.connectedPair();
    const list = new SegmentList(port);
    list.add(Buffer.alloc(64 * 1024 * 1024));
    const sent = new Recorder(port);
    port.submitSend(client, list, sent);
    const posted = new Recorder(port);
    port.post(posted, 1);
    await posted.first();
    expect(sent.settled).toEqual([]);
    expect(port.stats.pins).toBe(1);
    const closed = new Recorder(port);
    port.submitClose(client, closed);
    await closed.first();
    expect(sent.settled).toEqual([ecanceled]);
    list.releaseAll();
    expect(server.address()).not.toBeNull();
  });

  test('many connections at once, each with its own bytes', async () => {
    const server: Server = createServer((socket: NetSocket) => socket.pipe(socket));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port: number } = server.address() as { port: number };
    const clients = Array.from({ length: 100 }, (_, at) => ({
      text: `I am ${at}`,
      recorder: new Recorder(port),
    }));
    for (const { text, recorder } of clients) {
      const socket = port.open({ remote: { host: '127.0.0.1', port: number } });
      recorder.on = ({ operation }) => {
        if (operation !== Operation.CONNECT) return;
        send(port, socket, Buffer.from(text));
        port.submitRecv(socket, recorder);
      };
      port.submitConnect(socket, recorder);
    }
    for (const { text, recorder } of clients) {
      await recorder.until((each) => each.received.length >= text.length);
      expect(recorder.received.toString()).toBe(text);
    }
    await port.close();
    server.close();
    await once(server, 'close');
  });

  test('close settles everything, and nothing works afterwards', async () => {
    const { client, server, listener } = await rig.connectedPair();
    const recorders = [client, server].map((socket) => {
      const recorder = new Recorder(port);
      recorder.on = ({ result }) => {
        if (result === ecanceled) port.submitClose(socket, recorder);
      };
      port.submitRecv(socket, recorder);
      return recorder;
    });
    await port.close();
    for (const recorder of recorders) expect(recorder.settled).toEqual([ecanceled, 0]);
    const closed = expect.objectContaining({ code: 'ERR_IOCP_PORT_CLOSED' });
    expect(() => listener.address()).toThrow(closed);
    expect(() => port.submitRecv(client, new Recorder(port))).toThrow(closed);
    expect(port.stats).toMatchObject({ operationsInFlight: 0, handlesOpen: 0, pins: 0, parked: 0 });
  });
});
