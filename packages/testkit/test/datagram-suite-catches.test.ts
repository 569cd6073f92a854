/** The datagram suite is worth something only if it fails for channels that break the rules. */

import type { DatagramChannel } from '@iocp/core/layer';
import { describe, expect, it } from 'vitest';
import { captureUncaught, datagramSuite, memoryDatagramNetwork } from '../src/index.js';
import { brokenDatagramChannels } from './broken-datagram-channels.js';
import { CollectingRunner } from './collecting-runner.js';
import { Changing, Forwarding } from './forwarding-datagrams.js';
import { memoryDatagramTraits, memorySource } from './memory-datagram-setup.js';

function suiteFor(channel: new (lower: DatagramChannel) => DatagramChannel): CollectingRunner {
  const runner = new CollectingRunner();
  datagramSuite(
    runner,
    {
      async setup() {
        const source = memorySource(memoryDatagramNetwork(), 'IPv4', { turnsMax: 100 });
        return {
          ...source,
          deadlineMs: 300,
          bind: async (options) => new channel(await source.bind(options)),
          connect: async (remote, options) => new channel(await source.connect(remote, options)),
          bindAt: async (address) => new channel(await source.bindAt(address)),
        };
      },
      teardown: (source) => source.assertReleased(),
    },
    { ...memoryDatagramTraits, stressRounds: 20 },
  );
  return runner;
}

describe('the datagram suite', () => {
  it('finds nothing wrong with a channel that only forwards', { timeout: 60_000 }, async () => {
    expect(await suiteFor(Forwarding).failures('')).toEqual([]);
  });

  it('finds nothing wrong with a channel that shows the same by itself', { timeout: 60_000 }, async () => {
    class Same extends Changing {
      protected override change() {
        return {};
      }
    }
    expect(await suiteFor(Same).failures('')).toEqual([]);
  });

  for (const [name, [item, channel]] of Object.entries(brokenDatagramChannels)) {
    it(`notices with ${item} a channel that ${name}`, { timeout: 60_000 }, async () => {
      let failures: string[] = [];
      // What a broken channel throws in its own time counts as nothing here.
      await captureUncaught(async () => {
        failures = await suiteFor(channel).failures(item);
      });
      expect(failures).not.toEqual([]);
    });
  }
});
