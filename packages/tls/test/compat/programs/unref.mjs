// Ends by itself although a server listens and connections are open: nothing of it keeps the process.

import { testCertificates } from '@iocp/testkit';
import tls from '@iocp/tls/tls';

const { ca, server: own } = await testCertificates();
const server = tls.createServer(own, (socket) => socket.unref());
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address();
  const client = tls.connect({ port, host: '127.0.0.1', servername: 'localhost', ca: ca.cert });
  client.once('data', () => {});
  client.once('secureConnect', () => {
    console.log('connected');
    client.unref();
    server.unref();
  });
});
