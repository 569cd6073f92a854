// Connects, echoes a little and closes, again and again: half of the connections end in order, half by a reset.
import { CompletionPort } from '@iocp/core';
import { connect } from '@iocp/tcp';

const [backend, portText] = process.argv.slice(2);
const completionPort = new CompletionPort({ backend });
const port = Number(portText);
const atOnce = 64;
// Ended connections occupy their addresses for a while: several local addresses have enough of them.
const localAddresses = Array.from({ length: 16 }, (_, index) => `127.0.0.${index + 1}`);

async function once(index) {
  const localAddress = localAddresses[index % localAddresses.length];
  const connection = await connect({ host: '127.0.0.1', port, localAddress, completionPort });
  connection.write('hello');
  let bytes = 0;
  while (bytes < 5) bytes += (await connection.read()).length;
  if (index % 2 === 0) {
    connection.abort();
    await connection.whenClosed();
  } else {
    await connection.close();
  }
}

async function churn(count) {
  let next = 0;
  const worker = async () => {
    while (next < count) await once(next++);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

process.on('message', async ({ churn: count }) => {
  await churn(count);
  const { operationsInFlight, handlesOpen, slots } = completionPort.stats;
  process.send({ done: count, left: { operationsInFlight, handlesOpen, lent: slots.javascript } });
});
process.on('disconnect', () => process.exit(0));
process.send({ ready: true });
