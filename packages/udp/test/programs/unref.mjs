// Binds a socket, serves while it is referenced, and must then end by itself with everything open.
import { CompletionPort } from '@iocp/core';
import { bind } from '@iocp/udp';

process.on('exit', () => console.log('exit'));
const completionPort = new CompletionPort({ backend: process.argv[2] });
const options = { host: '127.0.0.1', completionPort };
const server = await bind(options, {
  messages(socket, batch) {
    for (const message of batch) message.reply(message.data);
    console.log('served');
    socket.unref();
    client.unref();
  },
});
console.log('bound');
server.unref().unref().ref();
const client = await bind(options, {});
client.send('x', { address: '127.0.0.1', port: server.address().port });
