// Two workers of a cluster bind the same port: with node:dgram they would share a socket, with ours the second is refused.
import cluster from 'node:cluster';
import { once } from 'node:events';
import { CompletionPort } from '@iocp/core';
import { createSocket } from '@iocp/udp/dgram';

if (cluster.isPrimary) {
  const first = cluster.fork({ TEST_PORT: '0' });
  const [{ port }] = await once(first, 'message');
  const second = cluster.fork({ TEST_PORT: String(port) });
  const [{ code }] = await once(second, 'message');
  console.log(code);
  for (const worker of [first, second]) worker.disconnect();
} else {
  const completionPort = new CompletionPort({ backend: process.argv[2] });
  const socket = createSocket({ type: 'udp4', completionPort });
  socket.on('error', ({ code }) => process.send({ code }));
  socket.bind(Number(process.env.TEST_PORT), '127.0.0.1', () => process.send(socket.address()));
  process.once('disconnect', () => socket.close());
}
