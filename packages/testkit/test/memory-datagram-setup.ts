import { DatagramAddress } from '@iocp/core/layer';
import {
  assertNoLeaks,
  type DatagramSource,
  type DatagramTraits,
  type LeakCheckOptions,
  type MemoryDatagramNetwork,
  memoryDatagramNetwork,
  type TestSetup,
} from '../src/index.js';

const smallSlotBytes = 512;

export const memoryDatagramTraits: DatagramTraits = {
  lentBytesBecome: 'poisoned',
  smallSlotBytes,
  dualStack: true,
  receiveInfo: true,
};

/** Sockets of one in-memory network a test. */
export function memoryDatagramSetup(family: 'IPv4' | 'IPv6' = 'IPv4'): TestSetup<DatagramSource> {
  return {
    async setup() {
      return memorySource(memoryDatagramNetwork(), family);
    },
    teardown: (source) => source.assertReleased(),
  };
}

export function memorySource(
  network: MemoryDatagramNetwork,
  family: 'IPv4' | 'IPv6',
  leakCheck: LeakCheckOptions = {},
): DatagramSource {
  const host = family === 'IPv4' ? '127.0.0.1' : '::1';
  const slots = (small: boolean | undefined) => (small ? { slotBytes: smallSlotBytes } : {});
  return {
    bind: ({ dualStack, smallSlots, ...options } = {}) =>
      network.bind({ host: dualStack ? '::' : host, ...slots(smallSlots), ...options }),
    connect: (remote, { smallSlots, dualStack: _, ...options } = {}) =>
      network.connect(remote, { ...slots(smallSlots), ...options }),
    unreachable: async () => network.unreachable(family),
    bindAt: ({ address, port }) => network.bind({ host: address, port }),
    otherFamily: DatagramAddress.of(family === 'IPv4' ? '::1' : '127.0.0.1', 9),
    assertReleased: () => assertNoLeaks(network, leakCheck),
  };
}
