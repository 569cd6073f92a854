// One peer does not read while 100 MB are on the way to it; others echo meanwhile. Reports over IPC what it saw.
import { createHash } from 'node:crypto';
import { CompletionPort } from '@iocp/core';
import { connect, listen } from '@iocp/tcp';

const completionPort = new CompletionPort({ backend: process.argv[2] });
const chunk = Buffer.alloc(64 * 1024, 'slow reader ');
const chunksTotal = 1600;
const highWaterMark = 1024 * 1024;
const echoes = 2000;

globalThis.gc?.();
const residentBefore = process.memoryUsage.rss();
let residentMost = residentBefore;
let bufferedMost = 0;
let sent = 0;

function sample(connection) {
  bufferedMost = Math.max(bufferedMost, connection.bufferedAmount);
  residentMost = Math.max(residentMost, process.memoryUsage.rss());
}

function push(connection) {
  while (sent < chunksTotal) {
    sent++;
    const more = connection.write(chunk);
    sample(connection);
    if (!more) return;
  }
  connection.end();
}

const pusher = await listen(
  { host: '127.0.0.1', port: 0, completionPort, highWaterMark, bufferedBytesMax: highWaterMark * 2 },
  { open: push, drain: push },
);
const echo = await listen(
  { host: '127.0.0.1', port: 0, completionPort, lend: true },
  { data: (c, bytes) => c.write(bytes) },
);

const slow = await connect({ ...endpoint(pusher), completionPort });
const others = await Promise.all(
  Array.from({ length: 10 }, () => connect({ ...endpoint(echo), completionPort })),
);
function endpoint(listener) {
  const { address: host, port } = listener.address();
  return { host, port };
}

// The slow one has not read a byte: everybody else goes on.
for (const other of others) {
  for (let index = 0; index < echoes / others.length; index++) {
    other.write(chunk.subarray(0, 512));
    let bytes = 0;
    while (bytes < 512) bytes += (await other.read()).length;
  }
}
const sentWhileBlocked = sent;
const residentWhileBlocked = process.memoryUsage.rss() - residentBefore;

const hash = createHash('sha256');
let received = 0;
for await (const bytes of slow) {
  received += bytes.length;
  hash.update(bytes);
  residentMost = Math.max(residentMost, process.memoryUsage.rss());
}
const wanted = createHash('sha256');
for (let index = 0; index < chunksTotal; index++) wanted.update(chunk);

await Promise.all([slow, ...others].map((connection) => connection.close()));
await Promise.all([pusher.close(), echo.close()]);
const { operationsInFlight, handlesOpen, slots, pins } = completionPort.stats;
process.send({
  echoes,
  sentWhileBlocked,
  chunksTotal,
  bufferedMost,
  residentWhileBlocked,
  residentMost: residentMost - residentBefore,
  received,
  intact: hash.digest('hex') === wanted.digest('hex'),
  left: { operationsInFlight, handlesOpen, pins, lent: slots.javascript },
});
await completionPort.close();
