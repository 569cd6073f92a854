/** The datagram suite over UDP, on each backend, as it is and with a faulty channel on top that does nothing. */

import { type DatagramTraits, datagramSuite, faultyDatagramChannel } from '@iocp/testkit';
import { describe } from 'vitest';
import { hearsOnAfterAnswer, isToldOfUnreachable, onWindows, underWine } from '../../../system.shared.js';
import { type Backend, describeBackends } from './support/backends.js';
import { datagramSetup, families, hasIpv6, smallSlotBytes } from './support/datagrams.js';
import { runner, runnerWithout } from './support/runner.js';

const traitsOf = (backend: Backend): DatagramTraits => ({
  lentBytesBecome: 'detached',
  smallSlotBytes,
  unreachableCode: isToldOfUnreachable(backend) ? 'ECONNREFUSED' : null,
  dualStack: hasIpv6,
  // node:dgram knows nothing of single datagrams but who sent them, Windows sets no time to live for one.
  receiveInfo: backend !== 'node' && !onWindows,
  stressRounds: underWine ? 20 : 50,
});

/** Without the test of what Wine has not. */
const suiteRunner = hearsOnAfterAnswer ? runner : runnerWithout(/^\[16\] tells ECONNREFUSED/);

describeBackends((backend) => {
  for (const family of families) {
    describe(family, () => {
      datagramSuite(suiteRunner, datagramSetup(backend, family), traitsOf(backend));
    });
  }

  describe('below a faulty channel without faults', () => {
    datagramSuite(
      suiteRunner,
      datagramSetup(backend, 'IPv4', { wrap: (channel) => faultyDatagramChannel(channel) }),
      traitsOf(backend),
    );
  });
});
