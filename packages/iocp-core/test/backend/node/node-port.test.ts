/** What the suites do not ask of every backend: refusals, and where `node:net` sets the rules. */

import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket as NetSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { onWindows, socketPath } from '../../../../../system.shared.js';
import type { CompletionPort } from '../../../src/port/completion-port.js';
import { SegmentList } from '../../../src/port/segment-list.js';
import type { Socket } from '../../../src/port/socket.js';
import { CompleteFlag, ShutdownDirection } from '../../../src/protocol.gen.js';
import { send } from '../../port/loopback-rig.js';
import { NativeRig } from '../../port/native-rig.js';
import { Recorder } from '../../port/recorder.js';

const result = {
  badHandle: -9,
  fault: -14,
  invalid: -22,
  brokenPipe: -32,
  noDestination: -89,
  aborted: -103,
  reset: -104,
  connected: -106,
  notConnected: -107,
  already: -114,
  canceled: -125,
} as const;

let rig: NativeRig;
let port: CompletionPort;

beforeEach(() => {
  rig = new NativeRig({ backend: 'node', pool: { slotBytes: 4096, minSlots: 8, maxSlots: 64 } });
  ({ port } = rig);
});

afterEach(() => rig.close());

/** Submits, and gives the result that settles the operation. */
async function outcome(submit: (recorder: Recorder) => void): Promise<number | undefined> {
  const recorder = new Recorder(port);
  submit(recorder);
  await recorder.until(({ settled }) => settled.length > 0);
  return recorder.settled[0];
}

const recvOn = (socket: Socket) => outcome((recorder) => port.submitRecv(socket, recorder));
const sendOn = (socket: Socket) =>
  send(port, socket, Buffer.from('x')).until(({ settled }) => settled.length > 0);
const shutOn = (socket: Socket, direction: ShutdownDirection) =>
  outcome((recorder) => port.submitShutdown(socket, direction, recorder));
const closeOn = (socket: Socket, abortive = false) =>
  outcome((recorder) => port.submitClose(socket, recorder, abortive));

describe('refusals', () => {
  test('a second operation of a kind', async () => {
    const { client, listener } = await rig.connectedPair();
    port.submitRecv(client, new Recorder(port));
    expect(await recvOn(client)).toBe(result.already);
    expect(await outcome((recorder) => port.submitAccept(listener, recorder))).toBe(result.already);
    const list = new SegmentList(port);
    list.add(Buffer.alloc(64 * 1024 * 1024));
    port.submitSend(client, list, new Recorder(port));
    expect((await sendOn(client)).settled).toEqual([result.already]);
    await closeOn(client, true);
    list.releaseAll();
  });

  test('what a listening socket cannot do', async () => {
    const listener = await port.listen({ host: '127.0.0.1' });
    expect(await recvOn(listener)).toBe(result.notConnected);
    expect((await sendOn(listener)).settled).toEqual([result.brokenPipe]);
    expect(await shutOn(listener, ShutdownDirection.WRITE)).toBe(result.notConnected);
    expect(await outcome((recorder) => port.submitConnect(listener, recorder))).toBe(result.noDestination);
  });

  test('what a socket cannot do before it is connected, and what it cannot do again', async () => {
    const { client, server, listener } = await rig.connectedPair();
    const fresh = port.open({ remote: { host: '127.0.0.1', port: listener.address()?.port ?? 0 } });
    expect(fresh.address()).toEqual({ family: 'IPv4', address: '0.0.0.0', port: 0 });
    expect(fresh.peer()).toBeNull();
    expect(await recvOn(fresh)).toBe(result.notConnected);
    expect((await sendOn(fresh)).settled).toEqual([result.brokenPipe]);
    expect(await shutOn(fresh, ShutdownDirection.WRITE)).toBe(result.notConnected);
    expect(await outcome((recorder) => port.submitAccept(fresh, recorder))).toBe(result.invalid);
    expect(await outcome((recorder) => port.submitConnect(client, recorder))).toBe(result.connected);
    expect(await outcome((recorder) => port.submitConnect(server, recorder))).toBe(result.noDestination);
    expect(await closeOn(fresh)).toBe(0);
    expect(await closeOn(fresh)).toBe(result.badHandle);
  });

  test('segments outside of the memory they name', async () => {
    const { client } = await rig.connectedPair();
    for (const words of [
      [-1, 64 * 4096, 1],
      [-1, -1, 1],
      [-1, 0, -1],
      [0, 0, 1],
      [-1, 0, 1, -1, 0, 1, 7, 0, 1],
    ]) {
      const list = new SegmentList(port);
      list.words = words;
      list.count = words.length / 3;
      expect(await outcome((recorder) => port.submitSend(client, list, recorder))).toBe(result.fault);
    }
  });

  test.skipIf(onWindows)('names of Unix sockets that libuv would cut off', async () => {
    const path = join(tmpdir(), 'x'.repeat(110));
    await expect(port.listen({ path })).rejects.toMatchObject({ code: 'ENAMETOOLONG', address: path });
    expect(() => port.open({ remote: { path } })).toThrow(expect.objectContaining({ code: 'ENAMETOOLONG' }));
  });

  test('a port that closes while it begins to listen', async () => {
    const refused = expect(port.listen({ host: '127.0.0.1' })).rejects.toMatchObject({
      code: 'ERR_IOCP_PORT_CLOSED',
    });
    await port.close();
    await refused;
  });
});

describe('a connection', () => {
  test('that failed to connect can be tried again', async () => {
    const path = socketPath(tmpdir(), `iocp-${randomUUID()}.sock`);
    const client = port.open({ remote: { path } });
    expect(await outcome((recorder) => port.submitConnect(client, recorder))).toBe(-2);
    await port.listen({ path });
    expect(await outcome((recorder) => port.submitConnect(client, recorder))).toBe(0);
    expect(client.peer()).toEqual({ family: 'unix', address: path, port: 0 });
    if (!onWindows) rmSync(path);
  });

  test('whose connect is cancelled is not connected', async () => {
    const listener = await port.listen({ host: '127.0.0.1' });
    const client = port.open({ remote: { host: '127.0.0.1', port: listener.address()?.port ?? 0 } });
    const connecting = new Recorder(port);
    port.cancel(port.submitConnect(client, connecting));
    expect((await connecting.first()).settled).toEqual([result.canceled]);
    expect(await recvOn(client)).toBe(result.notConnected);
  });

  test('is reset by a send that is cancelled half-way, and says so', async () => {
    const { client, server } = await rig.connectedPair();
    const list = new SegmentList(port);
    list.add(Buffer.alloc(64 * 1024 * 1024));
    const sending = new Recorder(port);
    const token = port.submitSend(client, list, sending);
    const receiving = new Recorder(port);
    port.submitRecv(client, receiving);
    port.cancel(token);
    expect((await sending.first()).settled).toEqual([result.canceled]);
    list.releaseAll();
    expect((await receiving.first()).settled).toEqual([result.aborted]);
    expect(await recvOn(client)).toBe(result.aborted);
    expect((await sendOn(client)).settled).toEqual([result.aborted]);
    expect(await recvOn(server)).toBe(result.reset);
    expect(await recvOn(server), 'told once').toBe(0);
    expect((await sendOn(server)).settled).toEqual([result.brokenPipe]);
  });

  test('keeps what was sent although the send is cancelled', async () => {
    const { client, server } = await rig.connectedPair();
    const sending = send(port, client, Buffer.from('whole'));
    await sending.first();
    expect(sending.settled).toEqual([5]);
    const receiving = new Recorder(port);
    port.submitRecv(server, receiving);
    await receiving.until(({ received }) => received.length === 5);
    expect(receiving.settled).toEqual([]);
  });

  test('that shuts its reading down receives the end', async () => {
    const { client, server } = await rig.connectedPair();
    const receiving = new Recorder(port);
    port.submitRecv(client, receiving);
    expect(await shutOn(client, ShutdownDirection.READ)).toBe(0);
    expect(receiving.settled).toEqual([0]);
    expect(await recvOn(client)).toBe(0);
    expect((await sendOn(client)).settled).toEqual([1]);
    expect(await shutOn(client, ShutdownDirection.BOTH)).toBe(0);
    expect(await shutOn(client, ShutdownDirection.WRITE)).toBe(0);
    expect((await sendOn(client)).settled).toEqual([result.brokenPipe]);
    const rest = new Recorder(port);
    port.submitRecv(server, rest);
    await rest.until(({ settled }) => settled.length > 0);
    expect([String(rest.received), rest.settled]).toEqual(['x', [0]]);
  });

  test('that is aborted while it sends its end closes', async () => {
    const { client } = await rig.connectedPair();
    const shutting = new Recorder(port);
    port.submitShutdown(client, ShutdownDirection.WRITE, shutting);
    const posted = new Recorder(port);
    port.post(posted, 1);
    await posted.first();
    expect(await closeOn(client, true)).toBe(0);
    expect(shutting.settled.length).toBe(1);
  });

  test('knows its addresses when both directions have ended', async () => {
    const { client, server } = await rig.connectedPair();
    await shutOn(client, ShutdownDirection.WRITE);
    expect(await recvOn(server)).toBe(0);
    await shutOn(server, ShutdownDirection.WRITE);
    expect(await recvOn(client)).toBe(0);
    // By now `node:net` has closed its sockets.
    expect(server.peer()).toEqual(client.address());
    expect(client.address()?.port).toBeGreaterThan(0);
  });
});

describe('a listener', () => {
  test('holds connections up to the backlog while it does not accept, and resets others', async () => {
    const listener = await port.listen({ host: '127.0.0.1', backlog: 3 });
    const clients: NetSocket[] = [];
    const errors: unknown[] = [];
    for (let index = 0; index < 5; index++) {
      const client = connect(listener.address()?.port ?? 0, '127.0.0.1');
      client.on('error', ({ code }: NodeJS.ErrnoException) => errors.push(code));
      // Those that are reset may learn of it before they know that they are connected.
      await once(client, 'connect').catch(() => {});
      client.write(`${index}`);
      clients.push(client);
    }
    await rig.until(() => errors.length === 2);
    expect(errors).toEqual(['ECONNRESET', 'ECONNRESET']);
    const accepting = new Recorder(port);
    const accepted: Socket[] = [];
    accepting.on = ({ flags, value, extra }) => {
      if ((flags & CompleteFlag.HANDLE) !== 0) accepted.push(port.socket(value, extra));
    };
    port.submitAccept(listener, accepting);
    await accepting.until(() => accepted.length === 3);
    const texts = [];
    for (const socket of accepted) {
      const receiving = new Recorder(port);
      port.submitRecv(socket, receiving);
      texts.push(String((await receiving.first()).received));
    }
    expect(texts).toEqual(['0', '1', '2']);
    for (const client of clients) client.destroy();
  });

  test.skipIf(onWindows)(
    'that closes resets what it holds, and leaves the file of its path to others',
    async () => {
      const path = join(tmpdir(), `iocp-${randomUUID()}.sock`);
      const listener = await port.listen({ path });
      const held = connect(path);
      await once(held, 'connect');
      const gone = once(held, 'close');
      expect(await closeOn(listener)).toBe(0);
      await gone;
      expect(existsSync(path)).toBe(true);
      const late = connect(path);
      expect((await once(late, 'error'))[0]).toMatchObject({ code: 'ECONNREFUSED' });
      rmSync(path);
    },
  );

  test.runIf(process.platform === 'linux')('may have a name in the abstract space', async () => {
    const path = `\0iocp-${randomUUID()}`;
    const { client, server, listener } = await rig.connectedPair({ path });
    expect([listener.address()?.address, client.peer()?.address, server.address()?.address]).toEqual([
      path,
      path,
      path,
    ]);
    expect([client.address()?.address, server.peer()?.address]).toEqual(['', '']);
  });

  test('gives its options to what it accepts, each its own', async () => {
    const { server, client, listener } = await rig.connectedPair({
      host: '127.0.0.1',
      options: { noDelay: true, keepAlive: true, keepAliveIdle: 60 },
    });
    expect([server.getOption('noDelay'), server.getOption('keepAliveIdle')]).toEqual([true, 60]);
    server.setOption('noDelay', false);
    expect([listener.getOption('noDelay'), client.getOption('noDelay')]).toEqual([true, false]);
    expect(listener.getOption('reusePort')).toBe(false);
  });
});

// Windows gives a process no sockets as descriptors.
test.skipIf(onWindows)('takes over the descriptor of a Unix socket', async () => {
  const path = join(tmpdir(), `iocp-${randomUUID()}.sock`);
  const server = createServer().listen(path);
  await once(server, 'listening');
  const ours = connect(path);
  const [theirs] = (await once(server, 'connection')) as [NetSocket];
  const program = `
    const { CompletionPort } = require(${JSON.stringify(fileURLToPath(new URL('../../../dist/index.cjs', import.meta.url)))});
    const port = new CompletionPort({ backend: 'node' });
    port.ref();
    const socket = port.associate(3);
    const closed = { asyncResource: null, onCompletion: () => port.close().then(() => port.unref()) };
    port.submitRecv(socket, { asyncResource: null, onCompletion(_operation, result, _flags, slot) {
      if (result <= 0) return;
      console.log(socket.address().family, Buffer.from(port.pool.view(slot, result)).toString());
      port.submitClose(socket, closed, true);
    } });`;
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit', theirs] });
  theirs.destroy();
  let output = '';
  child.stdout?.on('data', (chunk) => {
    output += String(chunk);
  });
  ours.write('taken over');
  expect(await once(child, 'close')).toEqual([0, null]);
  expect(output).toBe('unix taken over\n');
  ours.destroy();
  server.close();
});

test('a port that holds nothing alive completes while the loop sleeps', async () => {
  const program = `
    const { CompletionPort } = require(${JSON.stringify(fileURLToPath(new URL('../../../dist/index.cjs', import.meta.url)))});
    setTimeout(() => { console.log('late'); process.exit(1); }, 10_000);
    const port = new CompletionPort({ backend: 'node' });
    const done = (submit) => new Promise((resolve) =>
      submit({ asyncResource: null, onCompletion: (...completion) => resolve(completion) }));
    (async () => {
      for (let round = 0; round < 100; round++) {
        const listener = await port.listen({ host: '127.0.0.1' });
        const accepted = done((handler) => port.submitAccept(listener, handler));
        const client = port.open({ remote: { host: '127.0.0.1', port: listener.address().port } });
        await done((handler) => port.submitConnect(client, handler));
        await accepted;
        for (const socket of [client, listener]) await done((handler) => port.submitClose(socket, handler));
      }
      console.log('in time');
      process.exit(0);
    })();`;
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout?.on('data', (chunk) => {
    output += String(chunk);
  });
  expect(await once(child, 'close')).toEqual([0, null]);
  expect(output).toBe('in time\n');
}, 15_000);
