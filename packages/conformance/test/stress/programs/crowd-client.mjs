// Holds `count` connections at once; each sends bytes of its own, twice, and wants exactly these back.
import { CompletionPort } from '@iocp/core';
import { connect } from '@iocp/tcp';

const [backend, portText, countText] = process.argv.slice(2);
const completionPort = new CompletionPort({ backend });
const port = Number(portText);
const count = Number(countText);
const dialAtOnce = 200;

function message(index, round) {
  return Buffer.from(
    `connection ${index} round ${round} `.padEnd(64, String.fromCharCode(97 + (index % 26))),
  );
}

async function expectEcho(connection, index, round) {
  const sent = message(index, round);
  connection.write(sent);
  const parts = [];
  let bytes = 0;
  while (bytes < sent.length) {
    const part = await connection.read();
    if (part === null) throw new Error(`connection ${index} ended early`);
    parts.push(part);
    bytes += part.length;
  }
  if (!Buffer.concat(parts).equals(sent)) throw new Error(`connection ${index} got other bytes`);
}

const connections = [];
while (connections.length < count) {
  const dialled = Array.from({ length: Math.min(dialAtOnce, count - connections.length) }, () =>
    connect({ host: '127.0.0.1', port, completionPort }),
  );
  connections.push(...(await Promise.all(dialled)));
}
for (const round of [1, 2]) {
  await Promise.all(connections.map((connection, index) => expectEcho(connection, index, round)));
}
process.send({ echoed: connections.length });
await new Promise((resolve) => process.once('message', resolve));
await Promise.all(connections.map((connection) => connection.close()));
const { operationsInFlight, handlesOpen, slots } = completionPort.stats;
process.send({ left: { operationsInFlight, handlesOpen, lent: slots.javascript } });
await completionPort.close();
process.disconnect();
