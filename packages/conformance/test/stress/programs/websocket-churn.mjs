// Opens WebSockets, echoes a little and closes, again and again: some close themselves, some are left by a reset, in the middle of a
// message or not, and some end without a word.
import { CompletionPort } from '@iocp/core';
import { connect } from '@iocp/websocket';

const [backend, port] = process.argv.slice(2);
const completionPort = new CompletionPort({ backend });
const atOnce = 64;
// Ended connections occupy their addresses for a while: several local addresses have enough of them.
const localAddresses = Array.from({ length: 16 }, (_, index) => `127.0.0.${index + 1}`);
const url = `ws://127.0.0.1:${port}/`;

async function once(index) {
  const localAddress = localAddresses[index % localAddresses.length];
  const socket = await connect(url, { tcp: { completionPort, localAddress } });
  const messages = socket.messages();
  socket.send('hello');
  const { value } = await messages.next();
  if (value !== 'hello') throw new Error(`got ${value} instead of hello`);
  if (index % 4 === 0) {
    socket.startMessage().write(new Uint8Array(1000));
    socket.terminate();
    await socket.whenClosed();
  } else if (index % 4 === 1) {
    socket.terminate();
    await socket.whenClosed();
  } else {
    const { code } = await socket.close(4000, 'enough');
    if (code !== 4000) throw new Error(`closed with ${code}`);
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
