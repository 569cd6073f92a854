// Echoes WebSocket messages on an ephemeral port, by `@iocp/websocket` or, for comparison, by `ws`. Says where over IPC, and answers
// { ask: 'state' } with what is open and in use.
import { once } from 'node:events';
import { CompletionPort } from '@iocp/core';
import { listen } from '@iocp/websocket';
import { WebSocketServer } from 'ws';
import { openDescriptors } from './descriptors.mjs';

const [library, backend] = process.argv.slice(2);
const host = '0.0.0.0';
const backlog = 4096;

async function ours() {
  const completionPort = new CompletionPort({ backend });
  const server = await listen(
    { host, completionPort, lend: true, tcp: { backlog } },
    {
      message: (socket, data, binary) => void socket.send(data, binary),
      // Peers that reset are part of the test.
      error() {},
    },
  );
  return {
    port: server.address().port,
    counts() {
      const { operationsInFlight, handlesOpen, slots, pins } = completionPort.stats;
      const { connections, accepted } = server.stats;
      return { operationsInFlight, handlesOpen, lent: slots.javascript, pins, connections, accepted };
    },
  };
}

async function theirs() {
  const server = new WebSocketServer({ host, port: 0, backlog });
  server.on('connection', (socket) => {
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
    socket.on('error', () => {});
  });
  await once(server, 'listening');
  return { port: server.address().port, counts: () => ({ connections: server.clients.size }) };
}

const { port, counts } = await (library === 'ws' ? theirs() : ours());

async function state() {
  // What was held by finalizers is free after the second.
  for (let round = 0; round < 3; round++) {
    globalThis.gc?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { rss, heapUsed } = process.memoryUsage();
  return { ...counts(), descriptors: openDescriptors(), residentBytes: rss, heapBytes: heapUsed };
}

process.on('message', async (message) => {
  if (message.ask === 'state') process.send({ state: await state() });
});
process.on('disconnect', () => process.exit(0));
process.send({ listening: port });
