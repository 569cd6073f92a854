import { lease } from '@iocp/core/layer';
import { describe, expect, it } from 'vitest';
import {
  assertNoLeaks,
  byteByByte,
  ChannelProbe,
  chooseSeed,
  concatenate,
  everySplitInTwo,
  FaultyChannel,
  MemoryNetwork,
  memoryPair,
  nextTurn,
  POISON,
  pattern,
  Random,
  randomSplit,
  resourceSnapshot,
  SEED_VARIABLE,
  splitAt,
  withBitFlipped,
  withSeed,
} from '../src/index.js';

describe('Random', () => {
  it('repeats itself for the same seed, and only for it', () => {
    const draw = (seed: number) => Array.from({ length: 20 }, new Random(seed).next.bind(new Random(seed)));
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
    expect(new Random(1).fork().next()).not.toBe(new Random(2).fork().next());
  });

  it('keeps to its bounds', () => {
    const random = new Random(1);
    const drawn = new Set(Array.from({ length: 200 }, () => random.integer(3, 6)));
    expect([...drawn].sort()).toEqual([3, 4, 5, 6]);
    expect(random.chance(0)).toBe(false);
    expect(random.chance(1)).toBe(true);
    expect(() => new Random(0.5)).toThrow(RangeError);
    expect(() => random.pick([])).toThrow(RangeError);
  });

  it('tells the seed of a failure', async () => {
    const failing = withSeed(() => {
      throw new Error('no');
    }, 42);
    await expect(failing).rejects.toThrow(`no\nseed 42; replay with ${SEED_VARIABLE}=42`);
  });

  it('takes the seed from the environment', () => {
    const before = process.env[SEED_VARIABLE];
    process.env[SEED_VARIABLE] = '99';
    try {
      expect(chooseSeed()).toBe(99);
      process.env[SEED_VARIABLE] = 'many';
      expect(() => chooseSeed()).toThrow(SEED_VARIABLE);
    } finally {
      if (before === undefined) delete process.env[SEED_VARIABLE];
      else process.env[SEED_VARIABLE] = before;
    }
  });
});

describe('chunkings', () => {
  const input = pattern(10);

  it('cut without changing the bytes', () => {
    const splits = [...everySplitInTwo(input)];
    expect(splits).toHaveLength(9);
    for (const parts of [
      ...splits,
      byteByByte(input),
      splitAt(input, [2, 2, 9]),
      randomSplit(input, new Random(1)),
    ]) {
      expect(concatenate(parts)).toEqual(input);
    }
    expect(splitAt(input, [2, 2, 9]).map((part) => part.byteLength)).toEqual([2, 7, 1]);
    expect(() => splitAt(input, [5, 4])).toThrow(RangeError);
    expect(() => splitAt(input, [11])).toThrow(RangeError);
  });

  it('turn one bit', () => {
    const flipped = withBitFlipped(input, 17);
    expect(flipped[2]).toBe((input[2] as number) ^ 2);
    expect(withBitFlipped(flipped, 17)).toEqual(input);
  });
});

describe('assertNoLeaks', () => {
  it('names what is left', async () => {
    const network = new MemoryNetwork();
    const { near, far } = network.pair();
    const probes = [new ChannelProbe(near), new ChannelProbe(far)];
    await expect(assertNoLeaks(network, { turnsMax: 5 })).rejects.toThrow('2 open handles');
    for (const probe of probes) probe.abort();
    await assertNoLeaks(network);
  });

  it('notices descriptors and handles of the process', async () => {
    const since = resourceSnapshot();
    const { createServer } = await import('node:net');
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    await expect(assertNoLeaks(null, { since, turnsMax: 5 })).rejects.toThrow(/TCPServerWrap/);
    server.close();
    await assertNoLeaks(null, { since });
  });
});

describe('memory pair', () => {
  it('overwrites lent bytes that are kept without a lease', async () => {
    const { near, far } = memoryPair();
    const views: Uint8Array[] = [];
    const reader = new ChannelProbe(near, { onData: (bytes) => views.push(bytes) });
    const writer = new ChannelProbe(far);
    writer.write(pattern(100));
    await reader.untilReceived(100);
    await nextTurn();
    expect(views[0]?.every((byte) => byte === POISON)).toBe(true);
    expect(() => lease(views[0] as Uint8Array)).toThrow('given back');
    reader.abort();
    await writer.untilClosed();
  });
});

describe('FaultyChannel', () => {
  it('does the same again for the same seed', async () => {
    const run = async (seed: number) => {
      const { near, far } = memoryPair();
      const faulty = new FaultyChannel(near, { seed });
      const reader = new ChannelProbe(faulty);
      const writer = new ChannelProbe(far);
      await writer.writeAll(pattern(50_000), 5000);
      writer.end();
      await reader.untilEnded();
      reader.end();
      await reader.untilClosed();
      expect(reader.received()).toEqual(pattern(50_000));
      return faulty.transcript.lines.slice();
    };
    expect(await run(5)).toEqual(await run(5));
    expect(await run(5)).not.toEqual(await run(6));
  });

  it('breaks the connection at the byte that is asked for', async () => {
    const { near, far } = memoryPair();
    const reader = new ChannelProbe(new FaultyChannel(near, { resetAfterBytes: 777 }));
    const writer = new ChannelProbe(far);
    writer.write(pattern(5000));
    expect(await reader.untilClosed()).toMatchObject({ code: 'ECONNRESET' });
    expect(reader.bytesReceived).toBe(777);
    expect(await writer.untilClosed()).toMatchObject({ code: 'ECONNRESET' });
  });

  it('ends the stream at the byte that is asked for', async () => {
    const { near, far } = memoryPair();
    const reader = new ChannelProbe(new FaultyChannel(near, { endAfterBytes: 778 }));
    const writer = new ChannelProbe(far);
    writer.write(pattern(5000));
    await reader.untilEnded();
    expect(reader.received()).toEqual(pattern(778));
    reader.end();
    expect(await reader.untilClosed()).toBe(null);
    await writer.untilClosedOrEnded();
    writer.abort();
  });
});
