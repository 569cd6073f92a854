/**
 * The port and the process around it: workers that start and end, what keeps the event loop alive, descriptors from
 * elsewhere. The workers and child processes run the built package.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { backendsUnderTest, onWindows } from '../../../../system.shared.js';
import { postTo } from '../../src/port/poster.js';
import { NativeRig } from './native-rig.js';
import { Recorder } from './recorder.js';

const built = fileURLToPath(new URL('../../dist/index.cjs', import.meta.url));

/** A port with a listening socket, a connection, and every kind of operation in flight. */
const busyPort = `
  const { CompletionPort, SegmentList } = require(${JSON.stringify(built)});
  const handler = { asyncResource: null, onCompletion() {} };
  const port = new CompletionPort({ backend: process.env.BACKEND, pool: { maxSlots: 64 } });
  port.ref();
  const list = new SegmentList(port);
  const poster = port.poster(handler);
  port.listen({ host: '127.0.0.1' }).then((listener) => {
    port.submitAccept(listener, { asyncResource: null, onCompletion(_operation, result, _flags, index, generation) {
      if (result === 0) port.submitRecv(port.socket(index, generation), handler);
    } });
    const client = port.open({ remote: { host: '127.0.0.1', port: listener.address().port } });
    port.submitConnect(client, { asyncResource: null, onCompletion() {
      port.submitRecv(client, handler);
      list.add(Buffer.alloc(32 * 1024 * 1024));
      port.submitSend(client, list, handler);
      ready();
    } });
  });
`;

function startWorker(code: string, backend: string, workerData?: unknown): Worker {
  return new Worker(code, { eval: true, env: { ...process.env, BACKEND: backend }, workerData });
}

function exitCode(worker: Worker): Promise<number> {
  return new Promise((resolve) => worker.once('exit', resolve));
}

/** Runs a program and gives its exit code, or the signal that ended it, with what it printed. */
async function runProgram(code: string, backend: string, stdio: 'pipe'[] | unknown[] = []) {
  const child = spawn(process.execPath, ['-e', code], {
    env: { ...process.env, BACKEND: backend },
    stdio: ['ignore', 'pipe', 'inherit', ...(stdio as 'pipe'[])],
  });
  let output = '';
  child.stdout?.on('data', (chunk) => {
    output += String(chunk);
  });
  const [status, signal] = await once(child, 'close');
  return { status: signal ?? status, output };
}

describe.each(backendsUnderTest)('%s', (backend) => {
  test('a worker that is terminated with operations in flight takes everything with it', async () => {
    for (let round = 0; round < 5; round++) {
      const worker = startWorker(
        `const ready = () => require('node:worker_threads').parentPort.postMessage('ready'); ${busyPort}`,
        backend,
      );
      await once(worker, 'message');
      expect(await worker.terminate()).toBe(1);
    }
  });

  test('a worker may exit, or end with an exception, with operations in flight', async () => {
    const exits = startWorker(`const ready = () => process.exit(7); ${busyPort}`, backend);
    expect(await exitCode(exits)).toBe(7);
    const throws = startWorker(
      `const ready = () => { throw new Error('on purpose'); }; ${busyPort}`,
      backend,
    );
    const failed = once(throws, 'error');
    expect(await exitCode(throws)).toBe(1);
    expect(await failed).toMatchObject([{ message: 'on purpose' }]);
  });

  test('a worker ends by itself when its port is closed, or not referenced', async () => {
    const closes = startWorker(`const ready = () => port.close(); ${busyPort}`, backend);
    expect(await exitCode(closes)).toBe(0);
    const unreferenced = startWorker(`const ready = () => port.unref(); ${busyPort}`, backend);
    expect(await exitCode(unreferenced)).toBe(0);
  });

  test('two ports in one thread do not disturb each other', async () => {
    const rigs = [new NativeRig({ backend }), new NativeRig({ backend })];
    const recorders = rigs.map(({ port }) => new Recorder(port));
    rigs.forEach(({ port }, at) => {
      port.post(recorders[at] as Recorder, at);
    });
    await Promise.all(recorders.map((recorder) => recorder.first()));
    expect(recorders.map(({ settled }) => settled)).toEqual([[0], [1]]);
    for (const { port } of rigs) await port.close();
  });

  test('workers post to a port of this thread', async () => {
    const rig = new NativeRig({ backend });
    const posts = new Recorder(rig.port);
    const poster = rig.port.poster(posts);
    const code = `
      const { workerData: { handle, first } } = require('node:worker_threads');
      const { postTo } = require(${JSON.stringify(built)});
      for (let value = first; value < first + 1000; value++) if (!postTo(handle, value)) process.exit(2);
    `;
    const workers = [0, 1000, 2000].map((first) =>
      startWorker(code, backend, { handle: poster.handle, first }),
    );
    expect(await Promise.all(workers.map(exitCode))).toEqual([0, 0, 0]);
    await posts.until(({ completions }) => completions.length === 3000);
    const values = posts.completions.map(({ result }) => result);
    expect([...values].sort((a, b) => a - b)).toEqual(Array.from({ length: 3000 }, (_, at) => at));
    for (const first of [0, 1000, 2000]) {
      const ofOne = values.filter((value) => value >= first && value < first + 1000);
      expect(ofOne, 'what one thread posts keeps its order').toEqual([...ofOne].sort((a, b) => a - b));
    }
    poster.close();
    const late = startWorker(code, backend, { handle: poster.handle, first: 0 });
    // Without native code the threads share nothing that could tell the worker: its posts go nowhere.
    expect(await exitCode(late)).toBe(backend === 'node' ? 0 : 2);
    expect(postTo(poster.handle, 1)).toBe(false);
    await rig.close();
  });

  test('a process ends with operations in flight, unless the port is referenced', async () => {
    const ended = await runProgram(
      `const ready = () => { port.unref(); console.log('ready'); }; ${busyPort}`,
      backend,
    );
    expect(ended).toEqual({ status: 0, output: 'ready\n' });
    const stays = await runProgram(
      `const ready = () => setTimeout(() => { console.log('still here'); process.exit(3); }, 50).unref(); ${busyPort}`,
      backend,
    );
    expect(stays).toEqual({ status: 3, output: 'still here\n' });
  });

  // Windows gives a process no sockets as descriptors.
  test.skipIf(onWindows)('takes over a descriptor that it is given', async () => {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port: number } = server.address() as { port: number };
    const ours = connect(number, '127.0.0.1');
    const [theirs] = await once(server, 'connection');
    const echo = `
      const { CompletionPort, SegmentList } = require(${JSON.stringify(built)});
      const port = new CompletionPort({ backend: process.env.BACKEND });
      port.ref();
      const socket = port.associate(3);
      const list = new SegmentList(port);
      const closed = { asyncResource: null, onCompletion: () => port.unref() };
      const sent = { asyncResource: null, onCompletion() { list.releaseAll(); port.submitClose(socket, closed); } };
      port.submitRecv(socket, { asyncResource: null, onCompletion(_operation, result, _flags, slot) {
        if (result <= 0) return;
        list.add(port.pool.view(slot, result));
        port.submitSend(socket, list, sent);
      } });
    `;
    const program = runProgram(echo, backend, [theirs]);
    theirs.destroy();
    ours.end('taken over');
    const [chunk] = await once(ours, 'data');
    expect(String(chunk)).toBe('taken over');
    expect(await program).toEqual({ status: 0, output: '' });
    server.close();
  });
});

test.skipIf(onWindows).each(backendsUnderTest)(
  'a descriptor that is no socket is refused and stays open: %s',
  async (backend) => {
    const rig = new NativeRig({ backend });
    const file = openSync(built, 'r');
    expect(() => rig.port.associate(file)).toThrow(expect.objectContaining({ code: 'ENOTSOCK' }));
    closeSync(file);
    expect(() => rig.port.associate(file)).toThrow(expect.objectContaining({ code: 'EBADF' }));
    await rig.close();
  },
);

test('the two formats of the package share the default port', async () => {
  const { output } = await runProgram(
    `import(${JSON.stringify(pathToFileURL(built.replace(/cjs$/, 'js')).href)}).then((esm) => {
       const port = esm.defaultPort();
       console.log(port === require(${JSON.stringify(built)}).defaultPort(), port.closed);
       return port.close().then(() => console.log(esm.defaultPort() === port));
     });`,
    'auto',
  );
  expect(output).toBe('true false\nfalse\n');
});
