/** Addresses to connect to, and what they do. */

import net, { type AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { CompletionHandler } from '@iocp/core';
import type { LookupFunction } from '../src/index.js';
import { dialNet, type Fixture } from './support.js';

/** Whether this machine has an IPv6 loopback. */
export const hasIpv6 = Object.values(networkInterfaces()).some((addresses) =>
  addresses?.some(({ address }) => address === '::1'),
);

const ignore: CompletionHandler = { asyncResource: null, onCompletion() {} };

/** A lookup that gives these addresses for every name. */
export function resolvesTo(...addresses: string[]): LookupFunction & { calls: string[] } {
  const lookup = (hostname: string, _options: object, callback: Parameters<LookupFunction>[2]): void => {
    lookup.calls.push(hostname);
    setImmediate(
      callback,
      null,
      addresses.map((address) => ({ address, family: net.isIP(address) })),
    );
  };
  lookup.calls = [] as string[];
  return lookup;
}

/** An address whose connections are never answered: nobody accepts, and the queue of the system is full. */
export async function blackHole(fixture: Fixture, host: string): Promise<number> {
  const socket = fixture.port.listen({ host, port: 0, backlog: 1 });
  fixture.after(() => fixture.port.submitClose(socket, ignore));
  const port = socket.address()?.port as number;
  for (let queued = 0; queued < 2; queued++) {
    const filler = await dialNet(port, { host });
    filler.on('error', () => {});
    fixture.after(() => filler.destroy());
  }
  return port;
}

/** A port of the system's choice on which nothing listens now. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
