// The completion port itself, without @iocp/tcp: a server for a protocol of our own, written with operations.
// The protocol: a client sends 32-bit numbers, the server answers each with the sum of all so far.
// Run: node examples/custom-protocol-on-the-port.mjs
import { once } from 'node:events';
import { connect } from 'node:net';
import { CompleteFlag, CompletionPort, Operation, SegmentList } from '@iocp/core';

const port = new CompletionPort();
console.log(`running on ${port.info.backend}`);

/** One connection. Its completions come to `onCompletion`, for operations of all kinds. */
class Adder {
  asyncResource = null;
  sum = 0;
  /** Bytes of a number that has not arrived whole. */
  rest = Buffer.alloc(0);
  /** Answers that wait while a send is in flight: one send at a time keeps them in order. */
  waiting = new SegmentList(port);
  sending = new SegmentList(port);

  /** @param {import('@iocp/core').Socket} socket */
  constructor(socket) {
    this.socket = socket;
    port.submitRecv(socket, this);
  }

  /** @param {number} operation @param {number} result @param {number} flags @param {number} slot */
  onCompletion(operation, result, flags, slot) {
    if (operation === Operation.SEND) this.sent();
    else if (operation === Operation.RECV && flags & CompleteFlag.SLOT)
      this.received(port.pool.view(slot, result));
    else if (operation === Operation.RECV)
      port.submitClose(this.socket, this); // the end, or an error
    else if (operation === Operation.CLOSE) console.log(`server: a client has left, its sum was ${this.sum}`);
  }

  /** The bytes are lent until this returns. @param {Buffer} bytes */
  received(bytes) {
    const numbers = this.rest.length > 0 ? Buffer.concat([this.rest, bytes]) : bytes;
    const whole = numbers.length - (numbers.length % 4);
    for (let at = 0; at < whole; at += 4) {
      this.sum = (this.sum + numbers.readInt32BE(at)) | 0;
      const answer = Buffer.alloc(4);
      answer.writeInt32BE(this.sum);
      this.waiting.add(answer);
    }
    this.rest = Buffer.from(numbers.subarray(whole));
    this.send();
  }

  send() {
    if (this.sending.count > 0 || this.waiting.count === 0) return;
    [this.sending, this.waiting] = [this.waiting, this.sending];
    port.submitSend(this.socket, this.sending, this);
  }

  sent() {
    this.sending.releaseAll();
    this.send();
  }
}

const listener = await port.listen({ host: '127.0.0.1', port: 0 });
port.submitAccept(listener, {
  asyncResource: null,
  onCompletion(_operation, result, flags, index, generation) {
    if (flags & CompleteFlag.HANDLE) new Adder(port.socket(index, generation));
    else if (result < 0) console.log('server: accepts no more');
  },
});
port.ref(); // what is submitted does not keep the program running; this does

const client = connect(/** @type {{ port: number }} */ (listener.address()).port, '127.0.0.1');
await once(client, 'connect');
for (const number of [1, 20, 300]) {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(number);
  client.write(bytes);
  const [answer] = await once(client, 'data');
  console.log(`client: + ${number} = ${answer.readInt32BE(0)}`);
}
client.end();
await once(client, 'close');

console.log(`port: ${port.stats.completions} completions in ${port.stats.batches} batches`);
await port.close();
