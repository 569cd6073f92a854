// Echoes on an ephemeral port. Says where over IPC, and answers { ask: 'state' } with what is open and in use.
import { CompletionPort } from '@iocp/core';
import { listen } from '@iocp/tcp';
import { openDescriptors } from './descriptors.mjs';

const port = new CompletionPort({ backend: process.argv[2] });
const handlers = {
  data: (connection, bytes) => connection.write(bytes),
  // Peers that reset are part of the test.
  error() {},
};
const listener = await listen(
  { port: 0, host: '0.0.0.0', backlog: 4096, completionPort: port, lend: true },
  handlers,
);

function state() {
  globalThis.gc?.();
  const { operationsInFlight, handlesOpen, slots, pins } = port.stats;
  return {
    operationsInFlight,
    handlesOpen,
    lent: slots.javascript,
    pins,
    connections: listener.connections,
    accepted: listener.stats.accepted,
    descriptors: openDescriptors(),
    residentBytes: process.memoryUsage.rss(),
    heapBytes: process.memoryUsage().heapUsed,
  };
}

process.on('message', (message) => {
  if (message.ask === 'state') process.send({ state: state() });
});
process.on('disconnect', () => process.exit(0));
process.send({ listening: listener.address().port, backend: port.info.backend });
