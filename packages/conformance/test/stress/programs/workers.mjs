// Starts `count` workers, a few at a time, and terminates each while its port is busy.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { openDescriptors } from './descriptors.mjs';

const [backend, countText] = process.argv.slice(2);
const count = Number(countText);
const atOnce = 4;
const program = new URL('../../fixtures/port-traffic.mjs', import.meta.url);

async function one() {
  const worker = new Worker(program, { workerData: { backend, exits: false, connections: 4 } });
  const [word] = await once(worker, 'message');
  if (word !== 'busy') throw new Error(`a worker said ${word}`);
  await worker.terminate();
}

async function run(total) {
  let next = 0;
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (next++ < total) await one();
    }),
  );
}

// The first few make what the process keeps: thread stacks, heaps.
await run(atOnce * 2);
globalThis.gc?.();
const before = { descriptors: openDescriptors(), residentBytes: process.memoryUsage.rss() };
await run(count);
globalThis.gc?.();
process.send({
  terminated: count,
  before,
  after: { descriptors: openDescriptors(), residentBytes: process.memoryUsage.rss() },
});
process.disconnect();
