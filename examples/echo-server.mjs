// An echo server with handlers, the fast path: one object serves all connections, and with `lend: true` the bytes are
// sent from the memory they were received in.
// Run: node examples/echo-server.mjs
import { connect, listen } from '@iocp/tcp';

const listener = await listen(
  { host: '127.0.0.1', port: 0, lend: true },
  {
    open: (connection) => console.log(`server: ${connection.info.remoteAddress} has connected`),
    data(connection, bytes) {
      // false means that the peer reads more slowly than it writes: stop reading from it until it has caught up.
      if (!connection.write(bytes)) connection.pause();
    },
    drain: (connection) => connection.resume(),
    close: (connection, error) =>
      console.log(`server: closed, ${connection.bytesRead} bytes echoed`, error ?? ''),
  },
);

const { address, port } = listener.address();
console.log(`server: listening on ${address}:${port}`);

const client = await connect({ host: address, port });
await client.send('hello\n');
console.log('client: got', JSON.stringify(Buffer.from((await client.read()) ?? []).toString()));
await client.close();
await listener.close();
