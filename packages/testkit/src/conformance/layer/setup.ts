/** What a layer brings to the layer suite, and the frame around each of its tests. */

import type { Channel, Layer } from '@iocp/core/layer';
import { ChannelProbe } from '../../channel-probe.js';
import { assertNoLeaks } from '../../leak-check.js';
import { MemoryNetwork } from '../../memory-network.js';
import { itWith, type TestRunner, type TestSetup } from '../../runner.js';
import type { ChannelTraits } from '../channel/setup.js';

/** The layer under test, once for each side. */
export interface LayerPair {
  readonly client: Layer;
  readonly server: Layer;
}

export interface LayerTraits extends ChannelTraits {
  /** Whether `wrap` waits for bytes of the peer. Default false. */
  readonly handshake?: boolean;
  /** Code of the upper `onClose` when the lower stream ends in the middle of a message. Null: it is just an end. Default null. */
  readonly truncationCode?: string | null;
  /**
   * Whether `end()` also ends the stream below. Where it does not, damage may leave both sides waiting for each other, as a length
   * that has grown does. Default true.
   */
  readonly endsBelow?: boolean;
}

export async function wrapBoth(
  layers: LayerPair,
  near: Channel,
  far: Channel,
): Promise<{ near: Channel; far: Channel }> {
  const [client, server] = await Promise.all([
    layers.client.wrap(near, 'client'),
    layers.server.wrap(far, 'server'),
  ]);
  return { near: client, far: server };
}

/** One test over one in-memory network, of which nothing may be left. */
export function itWithLayers(
  runner: TestRunner,
  setup: TestSetup<LayerPair>,
  name: string,
  body: (layers: LayerPair, network: MemoryNetwork) => Promise<void>,
): void {
  itWith(runner, setup, name, async (layers) => {
    const network = new MemoryNetwork();
    await body(layers, network);
    await assertNoLeaks(network);
  });
}

export async function abortAll(...channels: Channel[]): Promise<void> {
  await Promise.all(
    channels.map((channel) => {
      const probe = new ChannelProbe(channel);
      probe.abort();
      return probe.untilClosed();
    }),
  );
}
