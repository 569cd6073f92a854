// One port per thread: four workers listen on the same address, and the system shares the connections out among them.
// Run: node examples/workers.mjs
import { once } from 'node:events';
import { isMainThread, parentPort, threadId, Worker, workerData } from 'node:worker_threads';
import { connect, listen } from '@iocp/tcp';

const workers = 4;
const clients = 40;

/** In each worker: answers every message with the number of the thread. */
async function serve(port) {
  const listener = await listen(
    { host: '127.0.0.1', port, reusePort: true },
    { data: (connection) => void connection.write(`${threadId}`) },
  );
  parentPort?.postMessage(listener.address().port);
}

async function main() {
  const threads = [];
  let port = 0;
  for (let index = 0; index < workers; index++) {
    const worker = new Worker(new URL(import.meta.url), { workerData: { port } });
    [port] = await once(worker, 'message');
    threads.push(worker);
  }
  console.log(`${workers} threads listen on port ${port}`);

  /** @type {Map<string, number>} */
  const served = new Map();
  for (let index = 0; index < clients; index++) {
    const client = await connect({ host: '127.0.0.1', port });
    await client.send('who are you?');
    const thread = Buffer.from((await client.read()) ?? []).toString();
    served.set(thread, (served.get(thread) ?? 0) + 1);
    await client.close();
  }
  for (const [thread, count] of [...served].sort())
    console.log(`thread ${thread} served ${count} of ${clients} clients`);

  // Terminating a thread closes its port and everything on it.
  await Promise.all(threads.map((worker) => worker.terminate()));
}

await (isMainThread ? main() : serve(workerData.port));
