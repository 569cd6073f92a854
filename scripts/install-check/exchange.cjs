const { once } = require('node:events');

// What a project that has installed the packages does with them; printed is what the port says of itself.
exports.exchange = async (
  { CompletionPort },
  { stack },
  { connect, listen },
  { memoryPair },
  { bind },
  { createSocket },
) => {
  const completionPort = new CompletionPort();
  const listener = await listen({ host: '127.0.0.1', port: 0, completionPort });
  const { address, port } = listener.address();
  const [client, server] = await Promise.all([
    connect({ host: address, port, completionPort }),
    listener.accept(),
  ]);
  await client.send('over tcp');
  const received = Buffer.from(await server.read()).toString();
  if (received !== 'over tcp') throw new Error(`Received "${received}"`);
  await Promise.all([client.close(), server.close(), listener.close()]);

  const echo = {
    messages(_socket, batch) {
      for (const message of batch) message.reply(message.data);
    },
  };
  const receiver = await bind({ host: '127.0.0.1', completionPort }, echo);
  const sender = await bind({ host: '127.0.0.1', completionPort });
  sender.send('over udp', receiver.address());
  const { data } = await sender.receive();
  if (Buffer.from(data).toString() !== 'over udp') throw new Error(`Received "${Buffer.from(data)}"`);
  await Promise.all([sender.close(), receiver.close()]);

  const socket = createSocket('udp4', (message) => socket.emit('text', message.toString()));
  socket.bind(0, '127.0.0.1', () => socket.send('over dgram', socket.address().port, '127.0.0.1'));
  const [text] = await once(socket, 'text');
  if (text !== 'over dgram') throw new Error(`Received "${text}"`);
  await new Promise((resolve) => socket.close(resolve));

  const { backend, rejected } = completionPort.info;
  await completionPort.close();

  const { near, far } = memoryPair();
  if ((await stack(near, 'client', [])) !== near)
    throw new Error('stack() of no layers is not the channel itself');
  near.abort();
  far.abort();
  console.log(JSON.stringify({ backend, rejected }));
};
