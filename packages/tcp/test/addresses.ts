/** Addresses to connect to, and what they do. */

import net, { type AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { silentServer } from '../../../silent-server.shared.js';
import type { LookupFunction } from '../src/index.js';
import type { Fixture } from './support.js';

/** Whether this machine has an IPv6 loopback. */
export const hasIpv6 = Object.values(networkInterfaces()).some((addresses) =>
  addresses?.some(({ address }) => address === '::1'),
);

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

/** A port whose connections are never answered. */
export async function blackHole(fixture: Fixture, host: string): Promise<number> {
  const { port, release } = await silentServer(host);
  fixture.after(release);
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
