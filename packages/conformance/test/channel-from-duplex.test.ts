/** The channel suite over Node's own streams: `fromDuplex`. */

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { fromDuplex } from '@iocp/core/layer';
import {
  assertNoLeaks,
  type ChannelPair,
  type ChannelSource,
  channelSuite,
  resourceSnapshot,
  type TestSetup,
} from '@iocp/testkit';
import { describe } from 'vitest';
import { resetSeenAs } from './support/resets.js';
import { runner } from './support/runner.js';

async function netPair(server: Server, port: number): Promise<ChannelPair> {
  const accepted = once(server, 'connection');
  const near = connect({ host: '127.0.0.1', port, noDelay: true });
  await once(near, 'connect');
  const [far] = (await accepted) as [Socket];
  return { near: fromDuplex(near), far: fromDuplex(far) };
}

function netSetup(): TestSetup<ChannelSource> {
  const servers = new WeakMap<ChannelSource, Server>();
  return {
    async setup() {
      const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      const since = resourceSnapshot();
      let last: Promise<unknown> = Promise.resolve();
      const source: ChannelSource = {
        pair() {
          // One after the other: then the connection that is accepted is the one that was dialled.
          const made = last.then(() => netPair(server, port));
          last = made;
          return made;
        },
        assertReleased: () => assertNoLeaks(null, { since }),
      };
      servers.set(source, server);
      return source;
    },
    async teardown(source) {
      await source.assertReleased();
      const server = servers.get(source) as Server;
      server.close();
      await once(server, 'close');
    },
  };
}

describe('fromDuplex(net.Socket)', () => {
  channelSuite(runner, netSetup(), {
    lentBytesBecome: 'owned',
    abortSeenAs: resetSeenAs,
    // libuv reports the end, not the reset, when it finds both a hang-up and the last of the data.
    abortAfterDataSeenAs: 'end',
  });
});
