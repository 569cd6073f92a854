/** The servers in Node.js that the benchmark compares. Started by it, each in a process of its own. */

import { type AddressInfo, createServer, type Socket } from 'node:net';
import { CompletionPort } from '@iocp/core';
import { listen, type TcpConnection, type TcpListener } from '@iocp/tcp';
import { EchoServer } from './echo-server.js';

const address = { host: '127.0.0.1', port: 0 } as const;
const listenOptions = { ...address, backlog: 4096 };

/** Starts one kind of server and gives its port. */
const servers: Readonly<Record<string, () => Promise<number>>> = {
  lent: async () => {
    const listening = await new EchoServer(new CompletionPort()).listenTcp(address);
    return 'port' in listening ? listening.port : 0;
  },
  owned: async () => portOf(await listen(listenOptions, { data: echo, drain: resume })),
  iteration: async () => serveEach(echoByIteration),
  duplex: async () => serveEach(echoByDuplex),
  node: startNodeServer,
};

function echo(connection: TcpConnection, bytes: Uint8Array): void {
  if (!connection.write(bytes)) connection.pause();
}

function resume(connection: TcpConnection): void {
  connection.resume();
}

async function echoByIteration(connection: TcpConnection): Promise<void> {
  try {
    for await (const bytes of connection) {
      if (!connection.write(bytes)) await connection.drained();
    }
  } catch {
    // The peer has reset the connection: nothing is left to be done for it.
  }
}

function echoByDuplex(connection: TcpConnection): void {
  const stream = connection.toDuplex();
  stream.on('error', ignore);
  stream.pipe(stream);
}

function ignore(): void {
  // A reset ends the stream, which is all that is wanted.
}

async function serveEach(serve: (connection: TcpConnection) => unknown): Promise<number> {
  const listener = await listen(listenOptions);
  void (async () => {
    for await (const connection of listener) void serve(connection);
  })();
  return portOf(listener);
}

function portOf(listener: TcpListener): number {
  return listener.address().port;
}

/** What an experienced user of node:net writes: no delay, backpressure, no closure per connection. */
function startNodeServer(): Promise<number> {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('data', echoOnSocket);
    socket.on('drain', socket.resume);
    socket.on('error', ignore);
  });
  return new Promise((resolve) => {
    server.listen(listenOptions, () => resolve((server.address() as AddressInfo).port));
  });
}

function echoOnSocket(this: Socket, bytes: Buffer): void {
  if (!this.write(bytes)) this.pause();
}

const start = servers[process.argv[2] ?? ''];
if (start === undefined) throw new Error(`usage: bench-server ${Object.keys(servers).join(' | ')}`);
process.stdout.write(`listening ${await start()}\n`);
// The benchmark asks for a collection before it measures memory, and is gone when it disconnects.
process.on('message', () => {
  globalThis.gc?.();
  process.send?.('collected');
});
process.on('disconnect', () => process.exit());
