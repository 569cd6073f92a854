/** What a medium brings to the datagram suite, and the frame around each of its tests. */

import assert from 'node:assert/strict';
import type { DatagramAddress, DatagramChannel, DatagramQueueOptions } from '@iocp/core/layer';
import { pattern } from '../../chunkings.js';
import {
  DatagramProbe,
  type DatagramProbeOptions,
  type ProbeDatagram,
} from '../../datagram/datagram-probe.js';
import type { DatagramData } from '../../datagram/send-arguments.js';
import { addNote, SEED_VARIABLE } from '../../prng.js';
import { itWith, type TestRunner, type TestSetup } from '../../runner.js';
import { assertSameBytes } from '../channel/base.js';

/** What a test asks of a channel; without a word, the defaults of the contract. */
export interface DatagramOpenOptions extends DatagramQueueOptions {
  /** At all addresses of both families. Only when the trait `dualStack` is set. */
  readonly dualStack?: boolean;
  /** Receives into memory that holds `smallSlotBytes`. Only when that trait is set. */
  readonly smallSlots?: boolean;
  /** Tells `tos`, `ttl` and `localAddress` of what arrives. Only when the trait `receiveInfo` is set. */
  readonly receiveInfo?: boolean;
}

/** Makes the channels of one test, each at a free address of this machine, with nobody attached. */
export interface DatagramSource {
  bind(options?: DatagramOpenOptions): Promise<DatagramChannel>;
  connect(remote: DatagramAddress, options?: DatagramOpenOptions): Promise<DatagramChannel>;
  /** An address that nobody is bound to. */
  unreachable(): Promise<DatagramAddress>;
  /** Binds a channel at exactly that address, which was `unreachable`. */
  bindAt(address: DatagramAddress): Promise<DatagramChannel>;
  /** An address that channels of `bind` cannot send to, because it is of another family. */
  readonly otherFamily?: DatagramAddress;
  /** Longest wait for an event before a test fails. Default 10 s. */
  readonly deadlineMs?: number;
  /** Seed of what is random in the channels, told when a test fails. */
  readonly seed?: number;
  /** Resolves when all that the channels used was given back (see `assertNoLeaks`); rejects with what is left. */
  assertReleased(): Promise<void>;
}

/** How a medium differs from UDP on Linux. */
export interface DatagramTraits {
  /** As in `ChannelTraits`. Default `'owned'`. */
  readonly lentBytesBecome?: 'owned' | 'poisoned' | 'detached' | 'anything';
  /**
   * The most bytes of a datagram that arrive whole with the option `smallSlots`; null when there is none. Default null.
   */
  readonly smallSlotBytes?: number | null;
  /** What a connected channel is told when nobody is bound to its peer's address; null for nothing. Default `'ECONNREFUSED'`. */
  readonly unreachableCode?: string | null;
  /** Code of a send to `otherFamily`. Default `'EAFNOSUPPORT'`. */
  readonly otherFamilyCode?: string;
  /** Whether a channel can carry both families. Default false. */
  readonly dualStack?: boolean;
  /** Whether type of service, time to live and local address can be set and told for each datagram. Default false. */
  readonly receiveInfo?: boolean;
  /** Datagrams of 100 bytes that wait in the system for a receiver that is paused, at least. Default 40. */
  readonly waitingMax?: number;
  /** Rounds of the stress tests. Default 100. */
  readonly stressRounds?: number;
}

export type FullDatagramTraits = Required<DatagramTraits>;

export function withDefaults(traits: DatagramTraits): FullDatagramTraits {
  return {
    lentBytesBecome: traits.lentBytesBecome ?? 'owned',
    smallSlotBytes: traits.smallSlotBytes ?? null,
    unreachableCode: traits.unreachableCode === undefined ? 'ECONNREFUSED' : traits.unreachableCode,
    otherFamilyCode: traits.otherFamilyCode ?? 'EAFNOSUPPORT',
    dualStack: traits.dualStack ?? false,
    receiveInfo: traits.receiveInfo ?? false,
    waitingMax: traits.waitingMax ?? 40,
    stressRounds: traits.stressRounds ?? 100,
  };
}

export interface ProbeSettings {
  readonly probe?: DatagramProbeOptions | undefined;
  readonly open?: DatagramOpenOptions | undefined;
}

/** Two channels, of which `near` knows how to reach `far`. */
export interface DatagramPair {
  readonly near: DatagramProbe;
  readonly far: DatagramProbe;
  /** What `near` names when it sends to `far`: nothing when it is connected. */
  readonly to: DatagramAddress | undefined;
  send(data: DatagramData): ProbeDatagram;
}

export type Shape = 'unconnected' | 'connected';
export const shapes: readonly Shape[] = ['unconnected', 'connected'];

/** What one test of datagram channels works with. */
export class DatagramScene {
  readonly source: DatagramSource;
  #probes: DatagramProbe[] = [];
  readonly #channels: DatagramChannel[] = [];

  constructor(source: DatagramSource) {
    this.source = source;
  }

  async bind({ open, probe }: ProbeSettings = {}): Promise<DatagramProbe> {
    return this.#probe(await this.source.bind(open), { overflow: open?.overflow, ...probe });
  }

  async connect(remote: DatagramAddress, { open, probe }: ProbeSettings = {}): Promise<DatagramProbe> {
    return this.#probe(await this.source.connect(remote, open), { overflow: open?.overflow, ...probe });
  }

  async bindAt(address: DatagramAddress): Promise<DatagramProbe> {
    return this.#probe(await this.source.bindAt(address), { name: 'late' });
  }

  /** `far` is bound; `near` is bound, or connected to it. */
  async pair(shape: Shape, near: ProbeSettings = {}, far: ProbeSettings = {}): Promise<DatagramPair> {
    const farProbe = await this.bind({ open: far.open, probe: { name: 'far', ...far.probe } });
    const { address } = farProbe;
    const named = { open: near.open, probe: { name: 'near', ...near.probe } };
    const nearProbe = shape === 'connected' ? await this.connect(address, named) : await this.bind(named);
    const to = shape === 'connected' ? undefined : address;
    return { near: nearProbe, far: farProbe, to, send: (data) => nearProbe.send(data, to) };
  }

  /** A channel without a receiver, to attach to by hand. Aborted when the test ends. */
  async raw(options?: DatagramOpenOptions): Promise<DatagramChannel> {
    const channel = await this.source.bind(options);
    this.#channels.push(channel);
    return channel;
  }

  /** Takes a raw channel over: attached, verified, and closed when the test ends. */
  adopt(channel: DatagramChannel, options: DatagramProbeOptions = {}): DatagramProbe {
    return this.#probe(channel, options);
  }

  #probe(channel: DatagramChannel, options: DatagramProbeOptions): DatagramProbe {
    const { deadlineMs } = this.source;
    const probe = new DatagramProbe(channel, deadlineMs === undefined ? options : { deadlineMs, ...options });
    this.#probes.push(probe);
    return probe;
  }

  /** Verifies and closes what was opened so far. */
  async finish(): Promise<void> {
    const probes = this.#probes;
    this.#probes = [];
    for (const probe of probes) if (!probe.channel.closed) probe.abort();
    for (const channel of this.#channels.splice(0)) if (!channel.closed) channel.abort();
    for (const probe of probes) {
      await probe.untilClosed();
      probe.verify();
    }
  }

  /** Adds what happened to the message of a failure. */
  explain(error: unknown): void {
    if (!(error instanceof Error)) return;
    const { seed } = this.source;
    if (seed !== undefined) addNote(error, `seed ${seed}; replay with ${SEED_VARIABLE}=${seed}`);
    for (const probe of this.#probes.slice(-4)) addNote(error, `--- ${probe.name}\n${probe.transcript}`);
  }
}

/** Registers one test: set-up, body, contract checks, close of what is open, leak check, teardown. */
export function itWithDatagrams(
  runner: TestRunner,
  setup: TestSetup<DatagramSource>,
  name: string,
  body: (scene: DatagramScene) => Promise<void>,
): void {
  itWith(runner, setup, name, async (source) => {
    const scene = new DatagramScene(source);
    try {
      await body(scene);
    } catch (error) {
      scene.explain(error);
      await scene.finish().catch(() => {});
      throw error;
    }
    await scene.finish();
    await source.assertReleased();
  });
}

/** A datagram that says which one it is. */
export function numbered(index: number, byteCount = 100): Uint8Array {
  const bytes = pattern(byteCount, index);
  new DataView(bytes.buffer).setUint32(0, index);
  return bytes;
}

export function numberOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0);
}

/** The numbers of what arrived, ascending: datagrams may come in any order. */
export function numbersReceived(probe: DatagramProbe): number[] {
  return probe.received.map(({ data }) => numberOf(data)).sort((first, second) => first - second);
}

export function range(from: number, end: number): number[] {
  return Array.from({ length: end - from }, (_, index) => from + index);
}

/** Fails unless those arrived, each once and as it was sent. */
export function assertReceived(probe: DatagramProbe, numbers: readonly number[], byteCount = 100): void {
  assert.deepEqual(numbersReceived(probe), numbers);
  for (const { data } of probe.received) assertSameBytes(data, numbered(numberOf(data), byteCount));
}
