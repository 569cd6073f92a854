/** One short conversation through a layer, with faults below one side of it. */

import assert from 'node:assert/strict';
import type { Channel } from '@iocp/core/layer';
import { ChannelProbe } from '../../channel-probe.js';
import { pattern } from '../../chunkings.js';
import { FaultyChannel, faultless } from '../../faulty-channel.js';
import type { MemoryNetwork } from '../../memory-network.js';
import type { Random } from '../../prng.js';
import { describeError } from '../../transcript.js';
import { type LayerPair, type LayerTraits, wrapBoth } from './setup.js';

/** Lengths of the messages that the stream tests send from each side. */
export const messageLengths = [1, 5, 60, 3];

/** What came out of a layer. */
export interface Outcome {
  readonly messages: readonly number[];
  readonly bytes: string;
  readonly ended: boolean;
}

/** Runs one exchange with faults under one side, and gives what that side saw. Rejects when a side closes with an error. */
export async function exchange(
  layers: LayerPair,
  network: MemoryNetwork,
  side: 'near' | 'far',
  below: (lower: Channel) => Channel,
  traits: LayerTraits,
): Promise<Outcome> {
  const lower = network.pair();
  const { near, far } = await wrapBoth(
    layers,
    side === 'near' ? below(lower.near) : lower.near,
    side === 'far' ? below(lower.far) : lower.far,
  );
  const probes = {
    near: new ChannelProbe(near, { name: 'near' }),
    far: new ChannelProbe(far, { name: 'far' }),
  };
  for (const probe of [probes.near, probes.far]) {
    let position = 0;
    for (const byteCount of messageLengths) {
      probe.write(pattern(byteCount, position));
      position += byteCount;
    }
    probe.end();
  }
  for (const probe of [probes.near, probes.far]) {
    const error = await probe.untilClosed();
    probe.verify();
    assert.equal(error, null, `${probe.name} closed with ${describeError(error)}\n${probe.transcript}`);
  }
  const seen = probes[side];
  return {
    messages: traits.boundaries === 'messages' ? seen.chunks.map((chunk) => chunk.byteLength) : [],
    bytes: Buffer.from(seen.received()).toString('hex'),
    ended: seen.ended,
  };
}

/** Most cuts that are tried one by one; longer streams get that many at random. */
const cutsMax = 400;

/** Passes a lower channel through and tells afterwards how many bytes came in. */
export function countBytes() {
  let channel: FaultyChannel | undefined;
  return {
    below: (lower: Channel): Channel => {
      channel = new FaultyChannel(lower, faultless);
      return channel;
    },
    count: (): number => channel?.bytesRead ?? 0,
  };
}

export function chooseCuts(byteCount: number, random: Random): number[] {
  const all = Array.from({ length: Math.max(0, byteCount - 1) }, (_, index) => index + 1);
  while (all.length > cutsMax) all.splice(random.integer(0, all.length - 1), 1);
  return all;
}
