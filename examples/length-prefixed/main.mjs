// A protocol of one's own on TCP: messages instead of a stream of bytes. The server answers each message with its
// length; the client sends three at once and gets three answers, however TCP has cut the bytes between them.
// Run: node examples/length-prefixed/main.mjs
import { Connection, stack } from '@iocp/core/layer';
import { connect, listen } from '@iocp/tcp';
import { lengthPrefixed } from './layer.mjs';

const layers = [lengthPrefixed({ messageBytesMax: 1000 })];

const listener = await listen(
  { host: '127.0.0.1', port: 0, layers },
  {
    open: (connection) => console.log(`server: a connection speaks ${connection.info.protocols.join(' + ')}`),
    data: (connection, message) => void connection.write(`${message.byteLength} bytes`),
  },
);

const { address, port } = listener.address();
const tcp = await connect({ host: address, port });
const client = new Connection(await stack(tcp.channel, 'client', layers));

const messages = ['one', 'and two', 'and then, after a while, three'];
client.write(messages.map((text) => Buffer.from(text)));
for (const text of messages) {
  const answer = await client.read();
  console.log(`client: ${JSON.stringify(text)} -> ${Buffer.from(answer ?? []).toString()}`);
}

await client.close();
await listener.close();
