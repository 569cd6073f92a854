// A TCP proxy that copies nothing: lent bytes of one connection are written to another on the same port, which keeps
// their memory until they are sent. Backpressure passes through: when one side is slow, the other is not read from.
// Run: node examples/proxy.mjs
import { createServer } from 'node:net';
import { connect, listen } from '@iocp/tcp';

// Somebody else's server, to be proxied.
const upstream = createServer((socket) => socket.pipe(socket));
await new Promise((resolve) => upstream.listen(0, '127.0.0.1', () => resolve(undefined)));
const upstreamAddress = /** @type {import('node:net').AddressInfo} */ (upstream.address());

/** Passes on what comes from one connection to the other, which it finds in `data`. */
const forwarding = {
  data(connection, bytes) {
    if (!connection.data.write(bytes)) connection.pause();
  },
  drain: (connection) => connection.data.resume(),
  end: (connection) => connection.data.end(),
  close(connection, error) {
    if (error !== null) connection.data.abort();
  },
};

let forwarded = 0;
const options = { lend: true, allowHalfOpen: true };
const proxy = await listen({ host: '127.0.0.1', port: 0, ...options });
const serving = (async () => {
  for await (const client of proxy) {
    const server = await connect({ host: '127.0.0.1', port: upstreamAddress.port, ...options });
    client.data = server;
    server.data = client;
    client.handle(forwarding);
    server.handle(forwarding);
    server.whenClosed().then(() => {
      forwarded += server.bytesRead;
    });
  }
})();

const client = await connect({ host: '127.0.0.1', port: proxy.address().port });
const total = 4 * 1024 * 1024;
const sending = client.send(Buffer.alloc(total, 'proxy ')).then(() => client.end());
let received = 0;
for await (const bytes of client) received += bytes.length;
await sending;
console.log(`client: ${received} of ${total} bytes came back through the proxy`);

await proxy.close();
await serving;
upstream.close();
console.log(`proxy: forwarded ${forwarded} bytes from upstream`);
process.exitCode = received === total ? 0 : 1;
