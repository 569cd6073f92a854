/** TCP with seeded faults injected at the completion, by the simulating build of the addon. */

import { channelSuite, chooseSeed, soakSuite } from '@iocp/testkit';
import { describe } from 'vitest';
import { describeBackends } from './support/backends.js';
import { resetSeenAs } from './support/resets.js';
import { runner } from './support/runner.js';
import { useSimulatingAddon } from './support/simulating-addon.js';
import { socketSetup } from './support/sockets.js';

useSimulatingAddon();

/** Faults that nobody may notice. */
const harmless = { shortSend: 0.3, shortRecv: 0.3, noBuffers: 0.1, delay: 0.3, emfile: 0.2 };
/** What a connection that was broken may be closed with: reading or writing found it first. */
const resetCodes = ['ECONNRESET', 'EPIPE'];

describeBackends((backend) => {
  const seed = chooseSeed();

  describe('short transfers, delays, missing buffers and descriptors', () => {
    channelSuite(runner, socketSetup('tcp', { backend, faults: { ...harmless, seed } }), {
      lentBytesBecome: 'anything',
      abortSeenAs: resetSeenAs,
      stressRounds: 200,
    });
  });

  describe('resets as well', () => {
    soakSuite(runner, socketSetup('tcp', { backend, faults: { ...harmless, reset: 0.01, seed } }), {
      soakRounds: 100,
      soakCodes: resetCodes,
    });
  });
}, 'only the simulating build of the addon injects faults');
