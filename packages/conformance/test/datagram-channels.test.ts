/** The datagram suite over UDP, on each backend, as it is and with a faulty channel on top that does nothing. */

import { type DatagramTraits, datagramSuite, faultyDatagramChannel } from '@iocp/testkit';
import { describe } from 'vitest';
import { isToldOfUnreachable, underWine } from '../../../system.shared.js';
import { type Backend, describeBackends } from './support/backends.js';
import { datagramSetup, families, hasIpv6, smallSlotBytes } from './support/datagrams.js';
import { runner } from './support/runner.js';

const traitsOf = (backend: Backend): DatagramTraits => ({
  lentBytesBecome: 'detached',
  smallSlotBytes,
  unreachableCode: isToldOfUnreachable(backend) ? 'ECONNREFUSED' : null,
  dualStack: hasIpv6,
  // node:dgram knows nothing of single datagrams but who sent them.
  receiveInfo: backend !== 'node',
  stressRounds: underWine ? 20 : 50,
});

describeBackends((backend) => {
  for (const family of families) {
    describe(family, () => {
      datagramSuite(runner, datagramSetup(backend, family), traitsOf(backend));
    });
  }

  describe('below a faulty channel without faults', () => {
    datagramSuite(
      runner,
      datagramSetup(backend, 'IPv4', { wrap: (channel) => faultyDatagramChannel(channel) }),
      traitsOf(backend),
    );
  });
});
