/** What a medium brings to the channel suite, and the frame around each of its tests. */

import type { Channel } from '@iocp/core/layer';
import { ChannelProbe, type ProbeOptions } from '../../channel-probe.js';
import { addNote, SEED_VARIABLE } from '../../prng.js';
import { itWith, type TestRunner, type TestSetup } from '../../runner.js';

/** Two connected channels that nobody is attached to. For a transport, `near` has dialled and `far` was accepted. */
export interface ChannelPair {
  readonly near: Channel;
  readonly far: Channel;
}

/** Makes the connected pairs of one test. */
export interface ChannelSource {
  /** A new pair each time. The suite aborts what is still open at the end of a test. */
  pair(): Promise<ChannelPair>;
  /** Longest wait for an event before a test fails. Default 10 s. */
  readonly deadlineMs?: number;
  /** Seed of what is random in the pairs, told when a test fails. */
  readonly seed?: number;
  /** Resolves when all that the pairs used was given back (see `assertNoLeaks`); rejects with what is left. */
  assertReleased(): Promise<void>;
}

/** How a medium differs from the most common one, a TCP connection. */
export interface ChannelTraits {
  /** `'bytes'`: only the order of bytes counts. `'messages'`: each chunk written arrives as one. Default `'bytes'`. */
  readonly boundaries?: 'bytes' | 'messages';
  /** Whether each direction ends on its own. Default true. */
  readonly halfClose?: boolean;
  /** What the peer sees of `abort()`. Unix sockets have no reset, so it is `'end'` there. Default `'reset'`. */
  readonly abortSeenAs?: 'reset' | 'end';
  /** The same for a peer with bytes that it has not read yet. Default: as `abortSeenAs`. */
  readonly abortAfterDataSeenAs?: 'reset' | 'end';
  /** Codes of the peer's `onClose` after `abort()`. Default `['ECONNRESET']`. */
  readonly resetCodes?: readonly string[];
  /**
   * What becomes of lent bytes after `onData` has returned: `'owned'`: ordinary memory, they stay as they are;
   * `'poisoned'`: overwritten; `'detached'`: the view is empty; `'anything'`: it depends, and is not tested.
   * Default `'owned'`.
   */
  readonly lentBytesBecome?: 'owned' | 'poisoned' | 'detached' | 'anything';
  /** More bytes than a paused reader, the system and a writer that heeds the high-water mark hold. Default 24 MiB. */
  readonly bytesUntilBlocked?: number;
  /** Hard cap on queued bytes. Default 16 MiB; null when there is none. */
  readonly bufferedBytesMax?: number | null;
  /** Rounds of the stress tests. Default 1000. */
  readonly stressRounds?: number;
  /** Rounds of the seeded soak. Default 30. */
  readonly soakRounds?: number;
  /** Codes with which a channel may close in the soak though nobody aborted: those of injected faults. Default none. */
  readonly soakCodes?: readonly string[];
}

/** The traits with their defaults filled in. */
export type FullChannelTraits = Required<ChannelTraits>;

export function withDefaults(traits: ChannelTraits): FullChannelTraits {
  return {
    boundaries: traits.boundaries ?? 'bytes',
    halfClose: traits.halfClose ?? true,
    abortSeenAs: traits.abortSeenAs ?? 'reset',
    abortAfterDataSeenAs: traits.abortAfterDataSeenAs ?? traits.abortSeenAs ?? 'reset',
    resetCodes: traits.resetCodes ?? ['ECONNRESET'],
    lentBytesBecome: traits.lentBytesBecome ?? 'owned',
    bytesUntilBlocked: traits.bytesUntilBlocked ?? 24 * 1024 * 1024,
    bufferedBytesMax: traits.bufferedBytesMax === undefined ? 16 * 1024 * 1024 : traits.bufferedBytesMax,
    stressRounds: traits.stressRounds ?? 1000,
    soakRounds: traits.soakRounds ?? 30,
    soakCodes: traits.soakCodes ?? [],
  };
}

/** Probes on both ends of a pair. */
export interface ProbePair {
  readonly near: ChannelProbe;
  readonly far: ChannelProbe;
}

/** What one test of a channel works with. */
export class ChannelScene {
  readonly #source: ChannelSource;
  #probes: ChannelProbe[] = [];
  readonly #channels: Channel[] = [];

  constructor(source: ChannelSource) {
    this.#source = source;
  }

  /** Two connected channels without receivers. Whoever attaches by hand must also see to the close. */
  async rawPair(): Promise<ChannelPair> {
    const pair = await this.#source.pair();
    this.#channels.push(pair.near, pair.far);
    return pair;
  }

  /** Two connected channels with a probe on each. */
  async pair(near: ProbeOptions = {}, far: ProbeOptions = {}): Promise<ProbePair> {
    const pair = await this.#source.pair();
    return {
      near: this.probe(pair.near, { name: 'near', ...near }),
      far: this.probe(pair.far, { name: 'far', ...far }),
    };
  }

  /** A probe that is verified and closed when the test ends. */
  probe(channel: Channel, options: ProbeOptions = {}): ChannelProbe {
    const { deadlineMs } = this.#source;
    const probe = new ChannelProbe(channel, deadlineMs === undefined ? options : { deadlineMs, ...options });
    this.#probes.push(probe);
    return probe;
  }

  assertReleased(): Promise<void> {
    return this.#source.assertReleased();
  }

  /** Verifies and closes what was opened so far. */
  async finish(): Promise<void> {
    const probes = this.#probes;
    this.#probes = [];
    for (const probe of probes) if (!probe.channel.closed) probe.abort();
    for (const channel of this.#channels.splice(0)) if (!channel.closed) channel.abort();
    for (const probe of probes) {
      if (probe.attached) await probe.untilClosed();
      probe.verify();
    }
  }

  /** Adds what happened to the message of a failure. */
  explain(error: unknown): void {
    if (!(error instanceof Error)) return;
    const { seed } = this.#source;
    if (seed !== undefined) addNote(error, `seed ${seed}; replay with ${SEED_VARIABLE}=${seed}`);
    for (const probe of this.#probes.slice(-4)) addNote(error, `--- ${probe.name}\n${probe.transcript}`);
  }
}

/** Registers one test: set-up, body, contract checks, close of what is open, teardown. */
export function itWithChannels(
  runner: TestRunner,
  setup: TestSetup<ChannelSource>,
  name: string,
  body: (scene: ChannelScene) => Promise<void>,
): void {
  itWith(runner, setup, name, async (source) => {
    const scene = new ChannelScene(source);
    try {
      await body(scene);
    } catch (error) {
      scene.explain(error);
      await scene.finish().catch(() => {});
      throw error;
    }
    await scene.finish();
  });
}
