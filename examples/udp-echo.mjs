// Datagrams in batches: a handler gets all that arrived in a turn, and what it sends leaves together at the end of it.
// With `lend: true` the bytes are sent from the memory they were received in.
// Run: node examples/udp-echo.mjs
import { bind, connect } from '@iocp/udp';

const server = await bind(
  { host: '127.0.0.1', lend: true },
  {
    messages(_socket, batch) {
      for (const message of batch) message.reply(message.data);
    },
  },
);
const { address, port } = server.address();
console.log(`server: receiving at ${address}:${port}`);

// A connected socket has one peer, and is told when nobody is there.
const client = await connect({ host: address, port });
for (const word of ['one', 'two', 'three']) client.send(word);
for (let answers = 0; answers < 3; answers++) {
  // Datagrams can get lost: whoever waits for one should know for how long.
  const message = await client.receive({ signal: AbortSignal.timeout(5000) });
  if (message === null) break; // the socket was closed meanwhile
  console.log(`client: got "${Buffer.from(message.data)}" from ${message.peer}`);
}

await client.close();
await server.close();
const { received, sent } = server.stats;
console.log(`server: ${received} datagrams received, ${sent} sent back`);
