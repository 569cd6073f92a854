/** What is the channel's own, whatever the engine: records, steps, alerts, goodbyes. */

import { type Channel, ChannelError, type WriteCallback } from '@iocp/core/layer';
import {
  assertNoLeaks,
  assertSameBytes,
  ChannelProbe,
  captureUncaught,
  MemoryNetwork,
  nextTurn,
  pattern,
  whenQuiet,
} from '@iocp/testkit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { TlsChannel } from '../src/tls-channel.js';
import { alive, type XorEngine } from './support/xor-engine.js';
import { type XorOptions, xorWrap } from './support/xor-layer.js';

let network: MemoryNetwork;

beforeEach(() => {
  network = new MemoryNetwork();
});

afterEach(async () => {
  await assertNoLeaks(network);
  expect(alive.engines).toBe(0);
});

interface Pair {
  readonly near: TlsChannel;
  readonly far: TlsChannel;
  readonly lower: { readonly near: Channel; readonly far: Channel };
}

async function connected(near: XorOptions = {}, far: XorOptions = near): Promise<Pair> {
  const lower = network.pair();
  const [client, server] = await Promise.all([
    xorWrap(lower.near, 'client', near),
    xorWrap(lower.far, 'server', far),
  ]);
  return { near: client, far: server, lower };
}

async function abortAll(...probes: ChannelProbe[]): Promise<void> {
  for (const probe of probes) probe.abort();
  for (const probe of probes) {
    await probe.untilClosed();
    probe.verify();
  }
}

/** Counts what is written to a channel, callbacks left out. */
function spyOnWrites(channel: Channel): { readonly records: number[] } {
  const records: number[] = [];
  const write = channel.write.bind(channel);
  channel.write = (chunks: Uint8Array | readonly Uint8Array[], done?: WriteCallback) => {
    for (const chunk of chunks instanceof Uint8Array ? [chunks] : chunks) records.push(chunk.byteLength);
    return write(chunks, done);
  };
  return { records };
}

describe('records', () => {
  test('all small writes of a turn become one record', async () => {
    const { near, far, lower } = await connected();
    const [probe, peer] = [new ChannelProbe(near), new ChannelProbe(far)];
    const { records } = spyOnWrites(lower.near);
    for (let index = 0; index < 20; index++) probe.write(pattern(50, index * 50));
    await peer.untilReceived(1000);
    expect(records).toEqual([1000 + 5]);
    assertSameBytes(peer.received(), pattern(1000));
    await abortAll(probe, peer);
  });

  test('small writes on both sides of a large one stay in their places', async () => {
    const { near, far, lower } = await connected();
    const [probe, peer] = [new ChannelProbe(near), new ChannelProbe(far)];
    const { records } = spyOnWrites(lower.near);
    let position = 0;
    for (const length of [10, 10, 10_000, 10, 10, 10_000, 4096, 4096, 10]) {
      probe.write(pattern(length, position));
      position += length;
    }
    await peer.untilReceived(position);
    expect(records).toEqual([20, 10_000, 20, 10_000, 4096, 4096, 10].map((length) => length + 5));
    assertSameBytes(peer.received(), pattern(position));
    await abortAll(probe, peer);
  });

  test('what handlers answer to one delivery goes out when all of it was handled', async () => {
    network = new MemoryNetwork({ slotBytes: 64 * 1024 });
    const { near, far, lower } = await connected();
    const probe = new ChannelProbe(near);
    const peer = new ChannelProbe(far, { onData: (_, self) => void self.write(pattern(10)) });
    const { records } = spyOnWrites(lower.far);
    // Three records, which arrive together.
    probe.write(pattern(40_000));
    await peer.untilReceived(40_000);
    expect(peer.chunks.length).toBeGreaterThanOrEqual(3);
    await probe.untilReceived(10 * peer.chunks.length);
    expect(records).toEqual([10 * peer.chunks.length + 5]);
    await abortAll(probe, peer);
  });

  test('a long write is encrypted in steps, as the channel below takes them', async () => {
    const { near, far, lower } = await connected();
    const [probe, peer] = [new ChannelProbe(near), new ChannelProbe(far)];
    peer.pause();
    const bytes = pattern(4 * 1024 * 1024);
    const write = probe.write(bytes);
    await whenQuiet(() => lower.near.bufferedAmount);
    expect(lower.near.bufferedAmount).toBeGreaterThan(100_000);
    expect(lower.near.bufferedAmount).toBeLessThan(300_000);
    expect(near.bufferedAmount).toBe(bytes.byteLength);
    expect(write.settled).toBe(false);
    peer.resume();
    await write.done;
    await peer.untilReceived(bytes.byteLength);
    assertSameBytes(peer.received(), bytes);
    await abortAll(probe, peer);
  });

  test('an idle channel holds no memory', async () => {
    const { near, far } = await connected();
    const probe = new ChannelProbe(near);
    const peer = new ChannelProbe(far, { onData: (bytes, self) => void self.write(bytes) });
    for (const length of [10, 5000, 100_000]) {
      probe.write(pattern(length));
      await probe.untilReceived(length);
      probe.bytesReceived = 0;
    }
    await whenQuiet(() => network.stats.slots?.javascript);
    expect(network.stats.slots?.javascript).toBe(0);
    await abortAll(probe, peer);
  });

  test('room is told of though the engine has said something by itself', async () => {
    let engine: XorEngine | undefined;
    const limits = { highWaterMark: 1000, lowWaterMark: 0 };
    const { near, far } = await connected(
      {
        limits,
        onEngine: (made) => {
          engine = made;
        },
      },
      { limits: {} },
    );
    const [probe, peer] = [new ChannelProbe(near), new ChannelProbe(far)];
    expect(probe.write(pattern(2000)).belowHighWaterMark).toBe(false);
    near.flush();
    engine?.prod();
    await probe.until('the drain', () => probe.drainCount === 1);
    expect(near.bufferedAmount).toBe(0);
    await abortAll(probe, peer);
  });

  test('a handler that throws costs nobody the records behind', async () => {
    const { near, far } = await connected();
    const boom = new Error('boom');
    const probe = new ChannelProbe(near);
    const peer = new ChannelProbe(far, {
      onData: () => {
        throw boom;
      },
    });
    const uncaught = await captureUncaught(async () => {
      probe.write(pattern(10));
      near.flush();
      probe.write(pattern(5000, 10));
      await peer.untilReceived(5010);
      await nextTurn();
    });
    expect(uncaught.length).toBeGreaterThan(0);
    expect(new Set(uncaught)).toEqual(new Set([boom]));
    await abortAll(probe, peer);
  });
});

describe('the handshake', () => {
  test('begins with what came already', async () => {
    const lower = network.pair();
    const client = xorWrap(lower.near, 'client');
    const early = new ChannelProbe(lower.far);
    await early.untilReceived(5);
    const head = [...early.chunks, ...early.detach()];
    const [near, far] = await Promise.all([
      client,
      xorWrap(lower.far, 'server', { head: Buffer.concat(head) }),
    ]);
    const [probe, peer] = [new ChannelProbe(near), new ChannelProbe(far)];
    probe.write(pattern(100));
    await peer.untilReceived(100);
    await abortAll(probe, peer);
  });

  test('has its time', async () => {
    const lower = network.pair();
    const silent = new ChannelProbe(lower.far);
    await expect(xorWrap(lower.near, 'client', { timeoutMs: 20 })).rejects.toMatchObject({
      code: 'ERR_CHANNEL_HANDSHAKE_TIMEOUT',
    });
    expect(lower.near.closed).toBe(true);
    await silent.untilClosed();
  });

  test('waits for the application without taking more input', async () => {
    let answer = (): void => {};
    const answered = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const lower = network.pair();
    const server = xorWrap(lower.far, 'server', { answer: () => answered });
    const client = xorWrap(lower.near, 'client');
    await whenQuiet(() => lower.far.bufferedAmount);
    // What comes meanwhile stays below: also the end, which is the peer's to say.
    answer();
    const [probe, peer] = [new ChannelProbe(await client), new ChannelProbe(await server)];
    probe.write(pattern(10));
    await peer.untilReceived(10);
    await abortAll(probe, peer);
  });

  test('an application that refuses is told to the peer', async () => {
    const refusal = Object.assign(new Error('not you'), { code: 'ERR_REFUSED' });
    const lower = network.pair();
    const server = xorWrap(lower.far, 'server', { answer: () => Promise.reject(refusal) });
    const client = xorWrap(lower.near, 'client');
    await expect(client).rejects.toMatchObject({ code: 'ERR_XOR_ALERT' });
    await expect(server).rejects.toBe(refusal);
  });

  test('fails with the error that closed the channel below', async () => {
    const lower = network.pair();
    const client = xorWrap(lower.near, 'client');
    const reason = new Error('enough');
    lower.near.abort(reason);
    await expect(client).rejects.toBe(reason);
    const peer = new ChannelProbe(lower.far);
    await peer.untilClosed();
  });

  test('refuses a channel that has a receiver', async () => {
    const lower = network.pair();
    const [other, peer] = [new ChannelProbe(lower.near), new ChannelProbe(lower.far)];
    await expect(xorWrap(lower.near, 'client')).rejects.toMatchObject({ code: 'ERR_CHANNEL_CONSUMER' });
    await other.untilClosed();
    await peer.untilClosed();
  });
});

describe('the end', () => {
  test('without a goodbye is an error', async () => {
    const { near, far, lower } = await connected();
    const [probe, peer] = [new ChannelProbe(near), new ChannelProbe(far)];
    probe.write(pattern(10));
    await peer.untilReceived(10);
    lower.near.end();
    expect(await peer.untilClosed()).toMatchObject({ code: 'ERR_TLS_TRUNCATED' });
    expect(peer.ended).toBe(false);
    await abortAll(probe, peer);
  });

  test('without a goodbye is an end for who asked for it', async () => {
    const { near, far, lower } = await connected({}, { truncation: 'end' });
    const [probe, peer] = [new ChannelProbe(near), new ChannelProbe(far)];
    lower.near.end();
    await peer.untilEnded();
    peer.write(pattern(100));
    await probe.untilReceived(100);
    peer.end();
    await probe.untilEnded();
    await abortAll(probe, peer);
  });

  test('waits for the peer to close what is below, and no longer than it may', async () => {
    const lower = network.pair();
    const impolite = new Impolite(lower.far);
    const [near, far] = await Promise.all([
      xorWrap(lower.near, 'client', { closeTimeoutMs: 30 }),
      xorWrap(impolite.channel, 'server', { closeTimeoutMs: 60_000 }),
    ]);
    const [probe, peer] = [new ChannelProbe(near), new ChannelProbe(far)];
    probe.end();
    peer.end();
    expect(await probe.untilClosed()).toBe(null);
    expect(impolite.endsAskedFor).toBeGreaterThan(0);
    await abortAll(peer);
  });

  test('an abort ends the wait', async () => {
    const lower = network.pair();
    const impolite = new Impolite(lower.far);
    const [near, far] = await Promise.all([
      xorWrap(lower.near, 'client', { closeTimeoutMs: 60_000 }),
      xorWrap(impolite.channel, 'server', { closeTimeoutMs: 60_000 }),
    ]);
    const [probe, peer] = [new ChannelProbe(near), new ChannelProbe(far)];
    probe.end();
    peer.end();
    await probe.untilEnded();
    await whenQuiet(() => probe.closed);
    expect([near.closed, probe.closed]).toEqual([true, false]);
    probe.abort();
    expect(await probe.untilClosed()).toBe(null);
    await abortAll(peer);
  });

  test.each([
    ['something to say', 100, 'ECONNRESET'],
    ['nothing to say', 0, undefined],
  ])('of a peer that has said goodbye and gone, for who has %s', async (_, byteCount, code) => {
    const { near, far, lower } = await connected();
    const [probe, peer] = [new ChannelProbe(near), new ChannelProbe(far)];
    peer.end();
    await probe.untilEnded();
    lower.far.abort();
    await peer.untilClosed();
    if (byteCount > 0) probe.write(pattern(byteCount));
    probe.end();
    expect((await probe.untilClosed()) as { code?: string } | null).toEqual(
      code === undefined ? null : expect.objectContaining({ code }),
    );
  });

  test('reaches a slow reader whole, though the peer is gone', async () => {
    network = new MemoryNetwork({ slotBytes: 64 * 1024 });
    const { near, far, lower } = await connected();
    const peer = new ChannelProbe(far);
    const probe = new ChannelProbe(near, { onData: (_, self) => self.pause() });
    probe.pause();
    peer.write(pattern(40_000));
    peer.end();
    await whenQuiet(() => lower.far.bufferedAmount);
    // All of it comes at once, with the goodbye.
    probe.resume();
    await probe.untilReceived(1);
    expect(probe.bytesReceived).toBeLessThan(40_000);
    lower.far.abort();
    await peer.untilClosed();
    while (!probe.ended) {
      probe.resume();
      await nextTurn();
    }
    assertSameBytes(probe.received(), pattern(40_000));
    probe.end();
    expect(await probe.untilClosed()).toBe(null);
  });

  test('what comes behind a goodbye is of no interest', async () => {
    const { near, far, lower } = await connected();
    const [probe, peer] = [new ChannelProbe(near), new ChannelProbe(far)];
    // The rubbish follows the goodbye, before the end of the stream below.
    const end = lower.near.end.bind(lower.near);
    lower.near.end = () => {
      lower.near.write(pattern(500));
      end();
    };
    probe.end();
    await peer.untilEnded();
    peer.write(pattern(100));
    await probe.untilReceived(100);
    peer.end();
    expect(await peer.untilClosed()).toBe(null);
    expect(await probe.untilClosed()).toBe(null);
    expect(peer.bytesReceived).toBe(0);
  });
});

describe('failures', () => {
  test('the peer gets to see the alert', async () => {
    const { near, far, lower } = await connected();
    const [probe, peer] = [new ChannelProbe(near), new ChannelProbe(far)];
    lower.near.write(Buffer.from('no record at all'));
    expect(await probe.untilClosed()).toMatchObject({ code: 'ERR_XOR_ALERT' });
    expect(await peer.untilClosed()).toMatchObject({ code: 'ERR_XOR_RECORD' });
  });

  test('a peer that closes nothing after the alert is not waited for', async () => {
    const lower = network.pair();
    const impolite = new Impolite(lower.near);
    const [near, far] = await Promise.all([
      xorWrap(impolite.channel, 'client', { closeTimeoutMs: 60_000 }),
      xorWrap(lower.far, 'server', { closeTimeoutMs: 30 }),
    ]);
    const [probe, peer] = [new ChannelProbe(near), new ChannelProbe(far)];
    lower.near.write(Buffer.from('no record at all'));
    expect(await peer.untilClosed()).toMatchObject({ code: 'ERR_XOR_RECORD' });
    await abortAll(probe);
  });

  test('a peer that goes on sending after the alert is not listened to', async () => {
    const { near, far, lower } = await connected({}, { closeTimeoutMs: 30 });
    const [probe, peer] = [new ChannelProbe(near), new ChannelProbe(far)];
    // It does not see the alert, as it reads nothing.
    lower.near.pause();
    lower.near.write(Buffer.from('no record at all'));
    while (!peer.closed) {
      lower.near.write(pattern(1000));
      await nextTurn();
    }
    expect(peer.closeError).toMatchObject({ code: 'ERR_XOR_RECORD' });
    expect(peer.bytesReceived).toBe(0);
    await abortAll(probe);
  });

  test('pending writes get the reason', async () => {
    const { near, far, lower } = await connected();
    const [probe, peer] = [new ChannelProbe(near), new ChannelProbe(far)];
    peer.pause();
    const writes = [probe.write(pattern(1_000_000)), probe.write(pattern(10))];
    await whenQuiet(() => lower.near.bufferedAmount);
    const reason = new ChannelError('ERR_CHANNEL_IDLE', 'too long');
    lower.near.abort(reason);
    expect(await probe.untilClosed()).toBe(reason);
    expect(writes.map((write) => write.error)).toEqual([reason, reason]);
    peer.resume();
    await peer.untilClosed();
  });
});

/** A channel whose `end()` never gets to the peer. */
class Impolite {
  readonly channel: Channel;
  endsAskedFor = 0;

  constructor(lower: Channel) {
    this.channel = lower;
    lower.end = () => void this.endsAskedFor++;
  }
}
