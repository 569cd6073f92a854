import { networkInterfaces } from 'node:os';
import { CompletionPort, Limit } from '@iocp/core';
import { DatagramAddress, type DatagramChannel } from '@iocp/core/layer';
import { assertNoLeaks, type DatagramSource, resourceSnapshot, type TestSetup } from '@iocp/testkit';
import { bindChannel, connectChannel } from '@iocp/udp';
import type { Backend } from '../../../../system.shared.js';

export type Family = 'IPv4' | 'IPv6';

const hosts = { IPv4: '127.0.0.1', IPv6: '::1' } as const;

export const hasIpv6 = Object.values(networkInterfaces()).some((list) =>
  list?.some(({ address }) => address === hosts.IPv6),
);

export const families: readonly Family[] = hasIpv6 ? ['IPv4', 'IPv6'] : ['IPv4'];

const smallPool = { slotBytes: 4096, maxSlots: 64 };
/** The most bytes that arrive whole at a socket of the port with small slots. */
export const smallSlotBytes = smallPool.slotBytes - Limit.DATAGRAM_OFFSET;

export interface DatagramSetupOptions {
  /** What to put over each channel. */
  readonly wrap?: (channel: DatagramChannel) => DatagramChannel;
  readonly seed?: number;
}

/** Channels of `@iocp/udp` over ports of their own for each test, which must end with nothing left. */
export function datagramSetup(
  backend: Backend,
  family: Family,
  { wrap = (channel) => channel, seed }: DatagramSetupOptions = {},
): TestSetup<DatagramSource> {
  const removers = new WeakMap<DatagramSource, () => Promise<void>>();
  const host = hosts[family];
  return {
    async setup() {
      const before = resourceSnapshot();
      // Debug mode takes lent bytes away after their time.
      const whole = new CompletionPort({ backend, debug: true, pool: { slotBytes: 131_072, maxSlots: 256 } });
      const small = new CompletionPort({ backend, debug: true, pool: smallPool });
      const portFor = (smallSlots: boolean | undefined) => ({ completionPort: smallSlots ? small : whole });
      const source: DatagramSource = {
        ...(seed === undefined ? {} : { seed }),
        async bind({ smallSlots, dualStack, receiveInfo = false, ...queue } = {}) {
          const info = { destination: receiveInfo, tos: receiveInfo, ttl: receiveInfo };
          const local = { host: dualStack ? '::' : host, ...portFor(smallSlots) };
          return wrap(await bindChannel({ ...queue, ...local, receiveInfo: info }));
        },
        async connect({ address, port }, { smallSlots, dualStack: _, receiveInfo: __, ...queue } = {}) {
          return wrap(await connectChannel({ ...queue, ...portFor(smallSlots), host: address, port }));
        },
        async unreachable() {
          const { channel, address } = await briefly(host, whole);
          await new Promise<void>((resolve) => {
            channel.attach({ onDatagrams() {}, onDrain() {}, onError() {}, onClose: () => resolve() });
            channel.close();
          });
          return address;
        },
        bindAt: async ({ address, port }) =>
          wrap(await bindChannel({ host: address, port, completionPort: whole })),
        // An IPv6 socket carries IPv4, too.
        ...(family === 'IPv4' ? { otherFamily: DatagramAddress.of('::1', 9) } : {}),
        async assertReleased() {
          await assertNoLeaks(whole);
          await assertNoLeaks(small);
        },
      };
      removers.set(source, async () => {
        await Promise.all([whole.close(), small.close()]);
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

/** A channel and where it is. */
async function briefly(host: string, completionPort: CompletionPort) {
  const channel = await bindChannel({ host, completionPort });
  return { channel, address: DatagramAddress.of(host, channel.info.localPort as number) };
}
