// A socket that answers while it is referenced; the process must then end by itself with everything open.
import { CompletionPort } from '@iocp/core';
import { createSocket } from '@iocp/udp/dgram';

process.on('exit', () => console.log('exit'));
const completionPort = new CompletionPort({ backend: process.argv[2] });
const idle = createSocket({ type: 'udp4', completionPort }).unref();
idle.bind(0, '127.0.0.1');
const server = createSocket({ type: 'udp4', completionPort }, (data, from) => {
  console.log(`received ${data}`);
  server.send(data, from.port, from.address, () => server.unref());
});
server.bind(0, '127.0.0.1', () => {
  console.log('listening');
  const client = createSocket({ type: 'udp4', completionPort }, () => client.unref());
  client.send('x', server.address().port, '127.0.0.1');
});
