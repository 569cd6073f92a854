// The same without callbacks: connections and bytes are iterated over. What is not taken yet waits in the system, so a
// slow loop slows down its peers instead of filling memory.
// Run: node examples/async-iteration.mjs
import { connect, listen } from '@iocp/tcp';

const listener = await listen({ host: '127.0.0.1', port: 0 });
const { port } = listener.address();

/** Answers every chunk in capitals. */
async function shout(connection) {
  for await (const bytes of connection) {
    await connection.send(Buffer.from(bytes).toString().toUpperCase());
  }
}

const serving = (async () => {
  for await (const connection of listener) {
    shout(connection).catch((error) => console.error('server:', error.message));
  }
})();

for (const word of ['one', 'two', 'three']) {
  const client = await connect({ host: '127.0.0.1', port });
  client.end(word);
  let reply = '';
  for await (const bytes of client) reply += Buffer.from(bytes).toString();
  console.log(`client: ${word} -> ${reply}`);
}

await listener.close();
await serving;
console.log('server: the loop has ended');
