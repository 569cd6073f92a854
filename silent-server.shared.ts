/** A server that never answers, for tests of connecting that takes for ever. */

import { once } from 'node:events';
import { connect } from 'node:net';
import { Worker } from 'node:worker_threads';
import { onWindows } from './system.shared.js';

export interface SilentServer {
  readonly port: number;
  /** Gives back all that keeps it silent. */
  release(): Promise<void>;
}

const backlog = 1;

/** A thread that listens and then stands still: nobody accepts, whatever the library does by itself. */
const program = `
  const { parentPort, workerData: { host, backlog, released } } = require('node:worker_threads');
  const server = require('node:net').createServer();
  server.listen({ host, port: 0, backlog }, () => {
    parentPort.postMessage(server.address().port);
    Atomics.wait(released, 0, 0);
    server.close();
  });
`;

/** libuv has this many accepts under way on Windows, which take connections while the thread stands still. */
const acceptsUnderWay = onWindows ? 32 : 0;

/** Its backlog is full: Linux (and so Wine) completes one connection more than that, and drops the SYN of the next. */
export async function silentServer(host: string): Promise<SilentServer> {
  const released = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(program, { eval: true, workerData: { host, backlog, released } });
  const [port] = (await once(worker, 'message')) as [number];
  const fillers = Array.from({ length: acceptsUnderWay + backlog + 1 }, () => connect({ host, port }));
  for (const filler of fillers) filler.on('error', () => {});
  await Promise.all(fillers.map((filler) => once(filler, 'connect')));
  return {
    port,
    async release() {
      for (const filler of fillers) filler.destroy();
      const exited = once(worker, 'exit');
      Atomics.store(released, 0, 1);
      Atomics.notify(released, 0);
      await exited;
    },
  };
}
