// Listens, serves one connection while the listener is referenced, and must then end by itself with everything open.
import { once } from 'node:events';
import net from 'node:net';
import { CompletionPort } from '@iocp/core';
import { connect, listen } from '@iocp/tcp';

process.on('exit', () => console.log('exit'));
const port = new CompletionPort({ backend: process.argv[2] });
const listener = await listen(
  { host: '127.0.0.1', completionPort: port },
  {
    open: (connection) => connection.unref(),
    data: (connection, bytes) => connection.write(bytes),
  },
);
console.log('listening');
listener.unref();
listener.unref();
listener.ref();
const socket = net.connect(listener.address().port, '127.0.0.1');
socket.write('x');
await once(socket, 'data');
console.log('served while unref is undone');
const client = await connect({ host: '127.0.0.1', port: listener.address().port, completionPort: port });
client.handle({});
client.unref();
socket.unref();
listener.unref();
