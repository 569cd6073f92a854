/**
 * The TLS servers in Node.js that the benchmark compares. Started by it, each in a process of its own:
 * bench-tls-server lent|node <certificate> <key>
 */

import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import { CompletionPort } from '@iocp/core';
import { EchoServer } from './echo-server.js';

const address = { host: '127.0.0.1', port: 0 } as const;
const [face = '', certFile = '', keyFile = ''] = process.argv.slice(2);
const credentials = { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };

/** Each starts one kind of server and gives its port. */
const servers: Readonly<Record<string, () => Promise<number>>> = {
  lent: async () => {
    const listening = await new EchoServer(new CompletionPort()).listenTls(address, credentials);
    return 'port' in listening ? listening.port : 0;
  },
  node: startNodeServer,
};

/** What an experienced user of node:tls writes: no delay, backpressure, no closure per connection. */
function startNodeServer(): Promise<number> {
  const server = createServer({ ...credentials, noDelay: true }, (socket) => {
    socket.on('data', echo);
    socket.on('drain', socket.resume);
    socket.on('error', ignore);
  });
  return new Promise((resolve) => {
    server.listen({ ...address, backlog: 4096 }, () => resolve((server.address() as AddressInfo).port));
  });
}

function echo(this: TLSSocket, bytes: Buffer): void {
  if (!this.write(bytes)) this.pause();
}

function ignore(): void {
  // A reset ends the connection, which is all that is wanted.
}

const start = servers[face];
if (start === undefined) throw new Error('usage: bench-tls-server lent|node CERTIFICATE KEY');
process.stdout.write(`listening ${await start()}\n`);
process.on('disconnect', () => process.exit());
