// Runs under a low descriptor limit. Takes orders from its parent: fill, free. Says what happens to the listener.
import { subscribe } from 'node:diagnostics_channel';
import { closeSync, openSync } from 'node:fs';
import { CompletionPort } from '@iocp/core';
import { listen } from '@iocp/tcp';

const port = new CompletionPort({ backend: process.argv[2] });
subscribe('iocp.tcp.accept-pause', ({ pauses }) => {
  process.send({ event: 'pauses', pauses, at: performance.now(), errors: listener.stats.acceptErrors });
});
const listener = await listen(
  { host: '127.0.0.1', completionPort: port },
  {
    open: (connection) => process.send({ event: 'open', port: connection.remotePort }),
    data: (connection, bytes) => connection.write(bytes),
  },
);

const held = [];
function fill() {
  try {
    for (;;) held.push(openSync('/dev/null'));
  } catch (error) {
    process.send({ event: 'filled', code: error.code, count: held.length });
  }
}

process.on('message', async (order) => {
  if (order === 'fill') fill();
  if (order === 'free') for (const descriptor of held.splice(0)) closeSync(descriptor);
  if (order === 'close') {
    await listener.close({ graceMs: 0 });
    await port.close();
    process.send({ event: 'closed', cpu: process.cpuUsage() });
    process.disconnect();
  }
});
process.send({ event: 'listening', port: listener.address().port });
