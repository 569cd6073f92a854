import { DatagramAddress, type DatagramChannel } from '@iocp/core/layer';
import { describe, expect, it } from 'vitest';
import {
  assertNoLeaks,
  chooseSeed,
  DatagramProbe,
  type DatagramProbeOptions,
  type DatagramSource,
  datagramSuite,
  type FaultyDatagramOptions,
  faultyDatagramChannel,
  memoryDatagramNetwork,
  nextTurn,
  turns,
  whenQuiet,
} from '../src/index.js';
import { memoryDatagramSetup, memoryDatagramTraits } from './memory-datagram-setup.js';

describe('faulty channels without faults', () => {
  const memory = memoryDatagramSetup();
  datagramSuite(
    { describe, it },
    {
      async setup(): Promise<DatagramSource> {
        const source = await memory.setup();
        const wrap = async (lower: Promise<DatagramChannel>) => faultyDatagramChannel(await lower);
        return {
          ...source,
          bind: (options) => wrap(source.bind(options)),
          connect: (remote, options) => wrap(source.connect(remote, options)),
          bindAt: (address) => wrap(source.bindAt(address)),
        };
      },
      teardown: (source) => source.assertReleased(),
    },
    memoryDatagramTraits,
  );
});

const count = 2000;
const everything = { loss: 0.05, duplicate: 0.05, reorder: 0.1, delay: 0.1 };
const numberOf = (bytes: Uint8Array) => Buffer.from(bytes).readUInt32BE(0);

function numbered(index: number): Buffer {
  const bytes = Buffer.alloc(64);
  bytes.writeUInt32BE(index);
  return bytes;
}

/** A sender and a receiver with faults on one of them. */
async function faultyPair(options: FaultyDatagramOptions, probe: DatagramProbeOptions = {}) {
  const network = memoryDatagramNetwork();
  const [near, far] = [await network.bind(), await network.bind()];
  const sends = options.direction === 'send';
  const faulty = faultyDatagramChannel(sends ? near : far, options);
  const sender = new DatagramProbe(sends ? faulty : near, { name: 'sender' });
  const receiver = new DatagramProbe(sends ? far : faulty, { name: 'receiver', ...probe });
  return { network, faulty, sender, receiver, to: receiver.address };
}

type Pair = Awaited<ReturnType<typeof faultyPair>>;

/** Sends and waits until nothing more comes. */
async function sendAll({ sender, receiver, to }: Pair, first = 0): Promise<void> {
  for (let index = first; index < first + count; index++) {
    sender.send(numbered(index), to);
    if (index % 50 === 49) await whenQuietBriefly(receiver);
  }
  await whenQuiet(() => receiver.received.length);
}

async function whenQuietBriefly(receiver: DatagramProbe): Promise<void> {
  for (let before = -1; before !== receiver.received.length; ) {
    before = receiver.received.length;
    await turns(12);
  }
}

async function closeAll({ network, sender, receiver }: Pair): Promise<void> {
  for (const { channel } of [sender, receiver]) channel.close();
  await Promise.all([sender.untilClosed(), receiver.untilClosed()]);
  await assertNoLeaks(network);
}

describe('faulty channels', () => {
  for (const direction of ['send', 'receive'] as const) {
    it(`account for every datagram, faults on ${direction}`, async () => {
      const pair = await faultyPair({ ...everything, direction });
      await sendAll(pair);
      const faults = pair.faulty.faults[direction];
      for (const [fault, times] of Object.entries(faults)) expect(times, fault).toBeGreaterThan(0);
      expect(pair.receiver.received.length).toBe(count - faults.lost + faults.duplicated);
      const numbers = pair.receiver.received.map(({ data }) => numberOf(data));
      expect(new Set(numbers).size).toBe(count - faults.lost);
      const overtaken = numbers.filter((number, index) => number < (numbers[index - 1] ?? 0)).length;
      expect(overtaken).toBeGreaterThan(0);
      const { sent } = pair.sender.channel.stats;
      expect(sent).toBe(count + (direction === 'send' ? faults.duplicated : 0));
      await closeAll(pair);
      expect(pair.faulty.faults[direction === 'send' ? 'receive' : 'send']).toEqual({
        lost: 0,
        duplicated: 0,
        reordered: 0,
        delayed: 0,
      });
    });

    it(`lose the same ones again for the same seed, faults on ${direction}`, async () => {
      const run = async (seed: number) => {
        const pair = await faultyPair({ loss: 0.1, duplicate: 0.1, reorder: 0.1, direction, seed });
        await sendAll(pair);
        const faults = pair.faulty.transcript.lines.slice();
        const numbers = pair.receiver.received.map(({ data }) => numberOf(data));
        await closeAll(pair);
        return { faults, lost: [...Array(count).keys()].filter((index) => !numbers.includes(index)) };
      };
      const seed = chooseSeed();
      const [first, again, other] = [await run(seed), await run(seed), await run(seed ^ 1)];
      expect(first).toEqual(again);
      expect(first.lost.length).toBeGreaterThan(0);
      expect(other.lost).not.toEqual(first.lost);
    });

    it(`keep no datagram for ever, faults on ${direction}`, async () => {
      const pair = await faultyPair({ reorder: 1, direction });
      pair.sender.send(numbered(0), pair.to);
      await pair.receiver.untilReceived(1);
      await closeAll(pair);
    });
  }

  it('send what they hold before they close', async () => {
    const pair = await faultyPair({ reorder: 0.5, delay: 0.5, direction: 'send' });
    const sends = Array.from({ length: 40 }, (_, index) => pair.sender.send(numbered(index), pair.to));
    expect(pair.faulty.stats.queued).toBe(40);
    pair.sender.close();
    expect(await pair.sender.untilClosed()).toBe(null);
    expect(sends.every(({ error }) => error === null)).toBe(true);
    await pair.receiver.untilReceived(40);
    pair.sender.verify();
    pair.receiver.close();
    await pair.receiver.untilClosed();
  });

  it('drop and count what they hold when they are aborted', async () => {
    const pair = await faultyPair({ reorder: 1, direction: 'send' });
    const reason = new Error('enough');
    const sends = Array.from({ length: 5 }, (_, index) => pair.sender.send(numbered(index), pair.to));
    pair.sender.abort(reason);
    expect(await pair.sender.untilClosed()).toBe(reason);
    expect(sends.map(({ error }) => error)).toEqual(Array(5).fill(reason));
    expect(pair.faulty.stats).toMatchObject({ droppedClosed: 5, sent: 0, queued: 0, queuedBytes: 0 });
    pair.sender.verify();
    pair.receiver.close();
    await pair.receiver.untilClosed();
    await assertNoLeaks(pair.network);
  });

  it('hold nothing back from a paused receiver but what it may not have yet', async () => {
    const pair = await faultyPair({ delay: 1, direction: 'receive' });
    for (let index = 0; index < 20; index++) pair.sender.send(numbered(index), pair.to);
    await nextTurn();
    await nextTurn();
    pair.receiver.pause();
    const before = pair.receiver.received.length;
    await turns(20);
    expect(pair.receiver.received.length).toBe(before);
    pair.receiver.resume();
    await pair.receiver.untilReceived(20);
    await closeAll(pair);
    pair.receiver.verify();
  });

  it('count as lost what a paused receiver never got', async () => {
    const pair = await faultyPair({ delay: 1, delayTurnsMax: 1, direction: 'receive' });
    for (let index = 0; index < 20; index++) pair.sender.send(numbered(index), pair.to);
    while (pair.faulty.faults.receive.delayed === 0) await nextTurn();
    pair.receiver.pause();
    await closeAll(pair);
    const { lost, delayed } = pair.faulty.faults.receive;
    expect(lost + pair.receiver.received.length).toBe(delayed);
    expect(lost).toBeGreaterThan(0);
  });

  it('keep to the policy of the channel below when that has no room', async () => {
    for (const overflow of ['block', 'drop-new', 'drop-old'] as const) {
      const network = memoryDatagramNetwork({ receivedDatagramsMax: 10_000 });
      const receiver = new DatagramProbe(await network.bind());
      const lower = await network.connect(receiver.address, { queuedDatagramsMax: 10, overflow });
      const faulty = faultyDatagramChannel(lower, { ...everything, direction: 'send' });
      const sender = new DatagramProbe(faulty, { overflow });
      let given = 0;
      for (let round = 0; round < 100; round++) {
        for (let index = 0; index < 15; index++) {
          const { taken } = sender.send(numbered(given));
          if (taken || overflow !== 'block') given++;
        }
        await turns(2);
      }
      sender.close();
      await sender.untilClosed();
      await whenQuiet(() => receiver.received.length);
      const { lost, duplicated } = faulty.faults.send;
      const { sent, droppedQueueFull, droppedClosed, sendErrors, queued } = faulty.stats;
      expect(sent + droppedQueueFull).toBe(given + duplicated);
      expect([droppedClosed, sendErrors, queued]).toEqual([0, 0, 0]);
      expect(receiver.received.length).toBe(sent - lost);
      expect(droppedQueueFull > 0).toBe(overflow !== 'block');
      receiver.close();
      await receiver.untilClosed();
      await assertNoLeaks(network);
    }
  });

  it('lose no misuse', async () => {
    const { sender, receiver } = await faultyPair({ loss: 1, direction: 'send' });
    expect(() => sender.channel.send(numbered(1))).toThrow(/say where/);
    expect(() => sender.channel.send('text' as never, DatagramAddress.of('127.0.0.1', 9))).toThrow(TypeError);
    sender.abort();
    receiver.abort();
  });
});
