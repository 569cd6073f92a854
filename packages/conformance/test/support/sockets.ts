import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CompletionPort, type PortOptions } from '@iocp/core';
import { type Layer, stack } from '@iocp/core/layer';
import { connect, listen, type TcpConnectionOptions } from '@iocp/tcp';
import { assertNoLeaks, type ChannelSource, resourceSnapshot, type TestSetup } from '@iocp/testkit';
import { type Backend, pathKind } from '../../../../system.shared.js';

export type SocketKind = 'tcp' | 'unix';

export function socketKinds(backend: Backend): readonly SocketKind[] {
  return pathKind(backend) === 'unix' ? ['tcp', 'unix'] : ['tcp'];
}

/** Gives new addresses of a kind, each of its own. */
export interface AddressBook {
  next(): { readonly host: string; readonly port: number } | { readonly path: string };
  remove(): Promise<void>;
}

export async function addressBook(kind: SocketKind): Promise<AddressBook> {
  if (kind === 'tcp') return { next: () => ({ host: '127.0.0.1', port: 0 }), remove: async () => {} };
  const folder = await mkdtemp(join(tmpdir(), 'iocp-'));
  let count = 0;
  return {
    next: () => ({ path: join(folder, `${count++}.sock`) }),
    remove: () => rm(folder, { recursive: true }),
  };
}

export interface SocketSetupOptions extends TcpConnectionOptions {
  /** Protocols on top of both ends. */
  readonly layers?: readonly Layer[];
}

/** Channels of `@iocp/tcp` over a port of their own for each test, which must end with nothing left. */
export function socketSetup(
  kind: SocketKind,
  portOptions: PortOptions,
  { layers = [], ...options }: SocketSetupOptions = {},
): TestSetup<ChannelSource> {
  const removers = new WeakMap<ChannelSource, () => Promise<void>>();
  return {
    async setup() {
      const addresses = await addressBook(kind);
      const before = resourceSnapshot();
      const completionPort = new CompletionPort(portOptions);
      const shared = { ...options, completionPort };
      const listener = await listen({ ...addresses.next(), ...shared, layers });
      const { address, port } = listener.address();
      const target = kind === 'tcp' ? { host: address, port } : { path: address };
      const source: ChannelSource = {
        ...(portOptions.faults === undefined ? {} : { seed: portOptions.faults.seed }),
        async pair() {
          const dialled = connect({ ...target, ...shared }).then(({ channel }) =>
            stack(channel, 'client', layers),
          );
          const [near, far] = await Promise.all([dialled, listener.accept()]);
          if (far === null) throw new Error('The listener has closed');
          return { near, far: far.channel };
        },
        // What stays is the listener.
        assertReleased: () =>
          assertNoLeaks({
            get stats() {
              const { stats } = completionPort;
              return {
                ...stats,
                operationsInFlight: stats.operationsInFlight - 1,
                handlesOpen: stats.handlesOpen - 1,
              };
            },
          }),
      };
      removers.set(source, async () => {
        await listener.close();
        await assertNoLeaks(completionPort);
        await completionPort.close();
        await addresses.remove();
        await assertNoLeaks(null, { since: before });
      });
      return source;
    },
    async teardown(source) {
      await source.assertReleased();
      await removers.get(source)?.();
    },
  };
}
