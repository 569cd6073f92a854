const { once } = require('node:events');
const { pathToFileURL } = require('node:url');
const { loadAddon } = require('@iocp/core/addon');

// What a project that has installed the packages does with them; printed is what they say of themselves.
exports.exchange = async ({ core, layer, tcp, testkit, udp, dgram, tls, nodeTls, websocket, ws }) => {
  const certificates = await testkit.testCertificates();
  const completionPort = new core.CompletionPort();
  await overTcp(tcp, completionPort);
  await overTls(tls, certificates, completionPort);
  await overUdp(udp, completionPort);
  await overWebSocket(websocket, completionPort);
  const { backend, rejected } = completionPort.info;
  await completionPort.close();

  await overDgram(dgram);
  await overNodeTls(nodeTls, certificates);
  await overWs(ws);
  await overMemory(layer, testkit);
  console.log(JSON.stringify({ backend, rejected, engine: tls.engineInfo().engine, mask: hasNativeMask() }));
};

function expectText(received, text) {
  if (String(Buffer.from(received)) !== text) throw new Error(`Received "${Buffer.from(received)}"`);
}

async function overTcp({ connect, listen }, completionPort) {
  const listener = await listen({ host: '127.0.0.1', port: 0, completionPort });
  const { address: host, port } = listener.address();
  const [client, server] = await Promise.all([connect({ host, port, completionPort }), listener.accept()]);
  await client.send('over tcp');
  expectText(await server.read(), 'over tcp');
  await Promise.all([client.close(), server.close(), listener.close()]);
}

async function overTls({ connect, listen, tlsOf }, { ca, server: credentials }, completionPort) {
  const listener = await listen({ host: '127.0.0.1', port: 0, completionPort, ...credentials });
  const { address: host, port } = listener.address();
  const [client, server] = await Promise.all([
    connect({ host, port, completionPort, ca: ca.cert }),
    listener.accept(),
  ]);
  const { authorized, protocol } = tlsOf(client);
  if (!authorized || protocol !== 'TLSv1.3') throw new Error(`${protocol}, authorized: ${authorized}`);
  await client.send('over tls');
  expectText(await server.read(), 'over tls');
  await Promise.all([client.close(), server.close(), listener.close()]);
}

async function overUdp({ bind }, completionPort) {
  const echo = {
    messages(_socket, batch) {
      for (const message of batch) message.reply(message.data);
    },
  };
  const receiver = await bind({ host: '127.0.0.1', completionPort }, echo);
  const sender = await bind({ host: '127.0.0.1', completionPort });
  sender.send('over udp', receiver.address());
  const { data } = await sender.receive();
  expectText(data, 'over udp');
  await Promise.all([sender.close(), receiver.close()]);
}

async function overDgram({ createSocket }) {
  const socket = createSocket('udp4', (message) => socket.emit('text', message));
  socket.bind(0, '127.0.0.1', () => socket.send('over dgram', socket.address().port, '127.0.0.1'));
  const [text] = await once(socket, 'text');
  expectText(text, 'over dgram');
  await new Promise((resolve) => socket.close(resolve));
}

async function overNodeTls({ connect, createServer }, { ca, server: credentials }) {
  const server = createServer(credentials, (socket) => socket.end("over node:tls's interface"));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect({ host: '127.0.0.1', port: server.address().port, ca: ca.cert });
  const received = [];
  for await (const chunk of socket) received.push(chunk);
  expectText(Buffer.concat(received), "over node:tls's interface");
  await new Promise((resolve) => server.close(resolve));
}

async function overWebSocket({ connect, listen }, completionPort) {
  const echo = { message: (socket, data, binary) => void socket.send(data, binary) };
  const server = await listen({ host: '127.0.0.1', completionPort }, echo);
  const socket = await connect(`ws://127.0.0.1:${server.address().port}`, { tcp: { completionPort } });
  socket.send('over a websocket');
  for await (const message of socket) {
    expectText(Buffer.from(message), 'over a websocket');
    break;
  }
  await Promise.all([socket.close(), server.close()]);
}

async function overWs({ WebSocket, WebSocketServer }) {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  server.on('connection', (socket) => socket.send('over ws'));
  await once(server, 'listening');
  const socket = new WebSocket(`ws://127.0.0.1:${server.address().port}`);
  const [message] = await once(socket, 'message');
  expectText(message, 'over ws');
  socket.close();
  await new Promise((resolve) => server.close(resolve));
}

/** Found as `@iocp/websocket` finds it, which does without it. */
function hasNativeMask() {
  const module = pathToFileURL(require.resolve('@iocp/websocket')).href;
  try {
    return loadAddon({ fileName: 'iocp_websocket.node', module, variable: '', needs: '' }).mask !== undefined;
  } catch ({ code }) {
    if (code === 'ENOENT') return false;
    throw new Error(`The addon of @iocp/websocket does not load: ${code}`);
  }
}

async function overMemory({ stack }, { memoryPair }) {
  const { near, far } = memoryPair();
  if ((await stack(near, 'client', [])) !== near)
    throw new Error('stack() of no layers is not the channel itself');
  near.abort();
  far.abort();
}
