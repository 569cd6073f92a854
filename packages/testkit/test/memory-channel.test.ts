import { describe, it } from 'vitest';
import { channelSuite } from '../src/conformance/channel/index.js';
import { memorySetup } from './memory-setup.js';

describe('memory pair', () => {
  channelSuite({ describe, it }, memorySetup(), {
    lentBytesBecome: 'poisoned',
    bytesUntilBlocked: 1024 * 1024,
  });
});
