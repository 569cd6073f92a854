// Plain HTTP and WebSocket on one port. `attachTo` takes any http.Server: that of Express or Fastify as well, and one that
// listens by itself. Only requests for a WebSocket at `/echo` are taken; everything else stays the HTTP server's.
// Run: node examples/websocket-with-http.mjs
import { createServer } from 'node:http';
import { listen } from '@iocp/tcp';
import { connect, createWebSocketServer } from '@iocp/websocket';

const http = createServer((request, response) => {
  response.setHeader('content-type', 'text/plain');
  response.end(`You asked for ${request.url}\n`);
});

const sockets = createWebSocketServer(
  { paths: '/echo' },
  { message: (socket, data, binary) => void socket.send(data, binary) },
);
sockets.attachTo(http);

// Our connections, rather than `http.listen(…)`: a WebSocket then has no stream of Node's in between.
const listener = await listen({ host: '127.0.0.1', port: 0 });
listener.attachTo(http);
const { port } = listener.address();

const response = await fetch(`http://127.0.0.1:${port}/hello`);
console.log(response.status, (await response.text()).trim());

const client = await connect(`ws://127.0.0.1:${port}/echo`);
client.send('and back');
for await (const message of client) {
  console.log('echo:', message);
  break;
}
await client.close();

try {
  await connect(`ws://127.0.0.1:${port}/elsewhere`);
} catch (error) {
  console.log('refused:', /** @type {{ statusCode?: number }} */ (error).statusCode);
}

await sockets.close();
// What HTTP keeps alive is of no use any more.
await listener.close({ graceMs: 0 });
