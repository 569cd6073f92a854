/** A million datagrams, some of them lost on purpose: each arrives at most once, and not one is unaccounted for. */

import { CompletionPort } from '@iocp/core';
import type { DatagramBatch, DatagramReceiver } from '@iocp/core/layer';
import {
  assertNoLeaks,
  chooseSeed,
  type FaultyDatagramChannel,
  faultyDatagramChannel,
  nextTurn,
  Random,
} from '@iocp/testkit';
import { bindChannel, connectChannel, type UdpChannel } from '@iocp/udp';
import { expect, it } from 'vitest';
import { spawnRetries, underWine } from '../../../../system.shared.js';
import { type Backend, describeBackends } from '../support/backends.js';

const senders = 8;
const receivers = 2;
const datagramBytes = 64;

function datagramsOf(backend: Backend): number {
  if (underWine) return 30_000;
  return backend === 'node' ? 200_000 : 1_000_000;
}

/** `node` knows only what it drops itself, Windows nothing. */
const countsWhatTheSystemDrops: ReadonlySet<Backend> = new Set(['io_uring', 'epoll']);
/** Elsewhere senders leave at most that many on their way, so that the system drops none. */
const windowMax = 32;
/** What those that drop send in a turn at most: more than their queue holds. */
const burstMax = 300;
const queuedDatagramsMax = 256;

/** Notes what has arrived from each sender. */
class Receiver implements DatagramReceiver {
  received = 0;
  readonly wrong: string[] = [];
  readonly #seen: readonly Uint8Array[];
  readonly #arrived: (sender: number) => void;

  constructor(seen: readonly Uint8Array[], arrived: (sender: number) => void) {
    this.#seen = seen;
    this.#arrived = arrived;
  }

  onDatagrams(batch: DatagramBatch): void {
    for (const { data } of batch) this.#note(data);
  }

  #note(data: Uint8Array): void {
    this.received++;
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    const [sender, index] = [view.getUint32(0), view.getUint32(4)];
    const seen = this.#seen[sender];
    const isWhole =
      data.byteLength === datagramBytes && data[8] === (index & 0xff) && data.at(-1) === data[8];
    if (!isWhole || seen === undefined || seen[index] !== 0) this.wrong.push(`${index} of ${sender}`);
    else seen[index] = 1;
    this.#arrived(sender);
  }

  onDrain(): void {}
  onError(error: Error): void {
    this.wrong.push(error.message);
  }
  onClose(): void {}
}

/** Sends its datagrams as fast as its queue and its window let it. */
class Sender implements DatagramReceiver {
  readonly channel: FaultyDatagramChannel;
  readonly finished: Promise<void>;
  arrived = 0;
  readonly #number: number;
  readonly #count: number;
  readonly #window: number;
  readonly #blocks: boolean;
  readonly #random: Random;
  readonly #scratch = Buffer.alloc(datagramBytes);
  #given = 0;
  #waits = false;
  #finish: () => void = () => {};

  constructor(
    channel: FaultyDatagramChannel,
    options: { number: number; count: number; window: number; blocks: boolean },
  ) {
    this.channel = channel;
    this.#number = options.number;
    this.#count = options.count;
    this.#window = options.window;
    this.#blocks = options.blocks;
    this.#random = new Random(channel.seed);
    this.finished = new Promise((resolve) => {
      this.#finish = resolve;
    });
    channel.attach(this);
  }

  /** Sends on: after something has arrived, and after a drain. */
  fill(): void {
    if (this.#waits) return;
    let burst = this.#random.integer(1, burstMax);
    while (this.#given < this.#count && this.#mayBeOnItsWay()) {
      if (burst-- === 0) {
        this.#fillNextTurn();
        return;
      }
      if (!this.#send(this.#given) && this.#blocks) {
        this.#waits = true;
        return;
      }
      this.#given++;
    }
    if (this.#given === this.#count) this.channel.close();
  }

  #fillNextTurn(): void {
    this.#waits = true;
    setImmediate(() => {
      this.#waits = false;
      this.fill();
    });
  }

  #mayBeOnItsWay(): boolean {
    if (this.#window === Number.POSITIVE_INFINITY) return true;
    const { lost } = this.channel.faults.send;
    const { droppedQueueFull } = this.channel.stats;
    return this.#given - lost - droppedQueueFull - this.arrived < this.#window;
  }

  #send(index: number): boolean {
    this.#scratch.fill(index & 0xff);
    this.#scratch.writeUInt32BE(this.#number, 0);
    this.#scratch.writeUInt32BE(index, 4);
    return this.channel.send(this.#scratch);
  }

  onDatagrams(): void {}
  onDrain(): void {
    if (!this.#blocks) return;
    this.#waits = false;
    this.fill();
  }
  onError(): void {}
  onClose(error: Error | null): void {
    expect(error).toBe(null);
    this.#finish();
  }
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0);

describeBackends((backend) => {
  const count = datagramsOf(backend);
  it(`accounts for ${count} datagrams, 1 % of them lost on purpose`, {
    timeout: 240_000,
    retry: spawnRetries,
  }, async () => {
    const random = new Random(chooseSeed());
    const each = count / senders;
    const [receiving, sending] = [new CompletionPort({ backend }), new CompletionPort({ backend })];
    const seen = Array.from({ length: senders }, () => new Uint8Array(each));
    const arrived = (number: number) => {
      const sender = all[number] as Sender;
      sender.arrived++;
      if (window !== Number.POSITIVE_INFINITY) sender.fill();
    };
    const channels: UdpChannel[] = [];
    const sinks: Receiver[] = [];
    for (let number = 0; number < receivers; number++) {
      const channel = await bindChannel({ host: '127.0.0.1', completionPort: receiving });
      const sink = new Receiver(seen, arrived);
      channel.attach(sink);
      channels.push(channel);
      sinks.push(sink);
    }
    const countsDrops = countsWhatTheSystemDrops.has(backend);
    const window = countsDrops ? Number.POSITIVE_INFINITY : windowMax;
    const all: Sender[] = [];
    for (let number = 0; number < senders; number++) {
      const blocks = number < senders / 2;
      const { localPort } = (channels[number % receivers] as UdpChannel).info;
      const lower = await connectChannel({
        host: '127.0.0.1',
        port: localPort as number,
        completionPort: sending,
        overflow: blocks ? 'block' : 'drop-new',
        // With a window, a queue that is shorter still.
        queuedDatagramsMax: countsDrops ? queuedDatagramsMax : windowMax / 2,
      });
      const seed = random.integer(0, 2 ** 32 - 1);
      const channel = faultyDatagramChannel(lower, { loss: 0.01, direction: 'send', seed });
      all.push(new Sender(channel, { number, count: each, window, blocks }));
    }
    for (const sender of all) sender.fill();
    await Promise.all(all.map(({ finished }) => finished));

    const sent = all.map(({ channel }) => channel.stats);
    for (const [number, stats] of sent.entries()) {
      const { droppedQueueFull, droppedClosed, sendErrors, queued } = stats;
      expect(stats.sent + droppedQueueFull + droppedClosed + sendErrors, `sender ${number}`).toBe(each);
      expect(queued).toBe(0);
    }
    const dropped = sum(sent.map((stats) => stats.droppedQueueFull + stats.droppedClosed + stats.sendErrors));
    const lost = sum(all.map(({ channel }) => channel.faults.send.lost));
    const accountedFor = () =>
      sum(channels.map(({ stats }) => stats.received + (stats.droppedBySystem ?? 0))) + lost + dropped;
    // What was sent last may be on its way still.
    for (let turn = 0; turn < 20_000 && accountedFor() < each * senders; turn++) await nextTurn();
    const bySystem = sum(channels.map(({ stats }) => stats.droppedBySystem ?? 0));
    const received = sum(sinks.map((sink) => sink.received));
    expect(
      { accountedFor: accountedFor(), received, wrong: sinks.flatMap(({ wrong }) => wrong) },
      `${received} received, ${lost} lost, ${dropped} dropped by queues, ${bySystem} by the system; seed ${random.seed}`,
    ).toEqual({
      accountedFor: each * senders,
      received: sum(seen.map((flags) => sum([...flags]))),
      wrong: [],
    });
    expect(lost).toBeGreaterThan(0);
    expect(received).toBeGreaterThan(0);

    for (const channel of channels) channel.close();
    for (const port of [receiving, sending]) {
      await assertNoLeaks(port);
      await port.close();
    }
  });
});
