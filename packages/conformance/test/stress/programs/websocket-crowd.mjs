// Holds `count` WebSockets, each of which was answered once, until it is told to close them.
import { CompletionPort } from '@iocp/core';
import { connect } from '@iocp/websocket';

const [backend, port, countText] = process.argv.slice(2);
const completionPort = new CompletionPort({ backend });
const count = Number(countText);
const dialAtOnce = 200;
const url = `ws://127.0.0.1:${port}/`;

const sockets = [];
while (sockets.length < count) {
  const dialled = Array.from({ length: Math.min(dialAtOnce, count - sockets.length) }, () =>
    connect(url, { tcp: { completionPort } }),
  );
  sockets.push(...(await Promise.all(dialled)));
}
await Promise.all(
  sockets.map(async (socket, index) => {
    socket.send(`connection ${index}`);
    const { value } = await socket.messages().next();
    if (value !== `connection ${index}`) throw new Error(`connection ${index} got ${value}`);
  }),
);
process.send({ echoed: sockets.length });
await new Promise((resolve) => process.once('message', resolve));
const codes = new Set((await Promise.all(sockets.map((socket) => socket.close()))).map(({ code }) => code));
const { operationsInFlight, handlesOpen, slots } = completionPort.stats;
process.send({ codes: [...codes], left: { operationsInFlight, handlesOpen, lent: slots.javascript } });
await completionPort.close();
if (process.connected) process.disconnect();
