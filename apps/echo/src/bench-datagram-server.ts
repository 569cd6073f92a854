/**
 * The programs in Node.js that the benchmark of datagrams compares: they echo, or send in bulk. Started by it, each in a
 * process of its own: bench-datagram-server echo|bulk <face> <bytes of a datagram>
 */

import { createSocket } from 'node:dgram';
import type { DatagramAddress } from '@iocp/core/layer';
import { bind, type UdpHandlers, type UdpSocket } from '@iocp/udp';
import { CountedDatagram, goOnMs } from './bench/load/bulk-protocol.js';

const host = '127.0.0.1';
const bufferBytes = 4 * 1024 * 1024;
/** What an experienced user of node:dgram keeps on its way, for want of a signal that there is room. */
const nodeInFlight = 64;
const messageBytes = Number(process.argv[4]);

/** Each starts one kind of program and gives its port. */
const programs: Readonly<Record<string, () => Promise<number>>> = {
  'echo lent': () => echo(true),
  'echo owned': () => echo(false),
  'echo node': echoInNode,
  'bulk lent': () => sendInBulk(true),
  'bulk owned': () => sendInBulk(false),
  'bulk node': sendInBulkInNode,
};

const echoHandlers: UdpHandlers = {
  messages(_socket, batch) {
    for (const message of batch) message.reply(message.data);
  },
};

async function echo(lend: boolean): Promise<number> {
  const socket = await bind(
    { host, lend, receiveBuffer: bufferBytes, sendBuffer: bufferBytes },
    echoHandlers,
  );
  return socket.address().port;
}

function echoInNode(): Promise<number> {
  return new Promise((resolve) => {
    const socket = createSocket({ type: 'udp4', recvBufferSize: bufferBytes, sendBufferSize: bufferBytes });
    socket.on('message', (bytes, { address, port }) => socket.send(bytes, port, address));
    socket.bind(0, host, () => resolve(socket.address().port));
  });
}

/** Sends to whoever asks, for as long as it asks; waits when the queue is full. */
class BulkSender implements UdpHandlers {
  readonly #datagram = new CountedDatagram(messageBytes);
  #peer: DatagramAddress | undefined;
  #until = 0;

  messages(socket: UdpSocket, batch: Iterable<{ readonly peer: DatagramAddress }>): void {
    for (const { peer } of batch) this.#peer = peer;
    const resting = performance.now() > this.#until;
    this.#until = performance.now() + goOnMs;
    if (resting) this.drain(socket);
  }

  drain(socket: UdpSocket): void {
    while (performance.now() < this.#until) {
      for (let each = 0; each < 64; each++) {
        if (!socket.send(this.#datagram.bytes, this.#peer)) return;
        this.#datagram.next();
      }
    }
  }
}

async function sendInBulk(offload: boolean): Promise<number> {
  const socket = await bind(
    { host, offload, overflow: 'block', receiveBuffer: bufferBytes, sendBuffer: bufferBytes },
    new BulkSender(),
  );
  return socket.address().port;
}

function sendInBulkInNode(): Promise<number> {
  const datagrams = Array.from({ length: nodeInFlight }, () => new CountedDatagram(messageBytes));
  let count = 0;
  let until = 0;
  let running = 0;
  let peer = { address: '', port: 0 };
  const socket = createSocket({ type: 'udp4', recvBufferSize: bufferBytes, sendBufferSize: bufferBytes });
  const sendNext = (datagram: CountedDatagram): void => {
    if (performance.now() > until) {
      running--;
      return;
    }
    datagram.set(count++);
    socket.send(datagram.bytes, peer.port, peer.address, () => sendNext(datagram));
  };
  socket.on('message', (_bytes, sender) => {
    peer = sender;
    until = performance.now() + goOnMs;
    if (running > 0) return;
    running = datagrams.length;
    for (const datagram of datagrams) sendNext(datagram);
  });
  return new Promise((resolve) => {
    socket.bind(0, host, () => resolve(socket.address().port));
  });
}

const start = programs[`${process.argv[2]} ${process.argv[3]}`];
if (start === undefined) throw new Error('usage: bench-datagram-server echo|bulk lent|owned|node BYTES');
process.stdout.write(`listening ${await start()}\n`);
process.on('message', () => process.send?.('collected'));
process.on('disconnect', () => process.exit());
