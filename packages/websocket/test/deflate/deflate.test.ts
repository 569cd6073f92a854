import { AsyncLocalStorage } from 'node:async_hooks';
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { compressOnce, Deflater } from '../../src/deflate/deflater.js';
import { Inflater } from '../../src/deflate/inflater.js';
import type { DeflateAgreement } from '../../src/deflate/negotiation.js';
import { type DeflateOptions, deflateSettings } from '../../src/deflate/settings.js';
import { zlibGate } from '../../src/deflate/zlib-gate.js';
import { openZlibStreams } from '../../src/deflate/zlib-stream.js';

const bothTakeover = { contextTakeover: true, peerContextTakeover: true };
const hello = Buffer.from('Hello');
const payloadBytesMax = 1 << 20;

const open: { close(): void }[] = [];

afterEach(async () => {
  for (const each of open.splice(0)) each.close();
  // What runs on in zlib when its connection closes.
  await expect.poll(() => zlibGate.underWay).toBe(0);
  expect(openZlibStreams()).toBe(0);
});

function agreement(options: DeflateOptions = {}): DeflateAgreement {
  return deflateSettings(options) as DeflateAgreement;
}

function deflater(options?: DeflateOptions): Deflater {
  const made = new Deflater(agreement(options));
  open.push(made);
  return made;
}

function inflater(options?: DeflateOptions, max = payloadBytesMax): Inflater {
  const made = new Inflater(agreement(options), max);
  open.push(made);
  return made;
}

function compress(by: Deflater, data: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    by.compress(data, (error, compressed) => (error ? reject(error) : resolve(compressed as Buffer)));
  });
}

function inflate(by: Inflater, data: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    by.inflate(data, (error, plain) => (error ? reject(error) : resolve(plain as Buffer)));
  });
}

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');
const invalid = expect.objectContaining({ code: 'ERR_WS_INVALID_DEFLATE', closeCode: 1007 });
const tooLong = expect.objectContaining({ code: 'ERR_WS_MESSAGE_TOO_LONG', closeCode: 1009 });

/** Bytes that compress to about half, without long repetitions. */
function text(byteCount: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(byteCount);
  let state = seed;
  for (let at = 0; at < byteCount; at += 1) {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    bytes[at] = 97 + ((state >> 16) & 15);
  }
  return bytes;
}

describe('the examples of RFC 7692 section 7.2.3', () => {
  it('7.2.3.1: one compressed block', async () => {
    expect(await compress(deflater(), hello)).toEqual(hex('f2 48 cd c9 c9 07 00'));
    expect(await inflate(inflater(), hex('f2 48 cd c9 c9 07 00'))).toEqual(hello);
  });

  it('7.2.3.2: sharing the window', async () => {
    const ours = deflater(bothTakeover);
    const peer = inflater(bothTakeover);
    expect(await compress(ours, hello)).toEqual(hex('f2 48 cd c9 c9 07 00'));
    expect(await compress(ours, hello)).toEqual(hex('f2 00 11 00 00'));
    expect(await inflate(peer, hex('f2 48 cd c9 c9 07 00'))).toEqual(hello);
    expect(await inflate(peer, hex('f2 00 11 00 00'))).toEqual(hello);
  });

  it('7.2.3.3: a block without compression', async () => {
    expect(await inflate(inflater(), hex('00 05 00 fa ff 48 65 6c 6c 6f 00'))).toEqual(hello);
  });

  it('7.2.3.4: a final block', async () => {
    const peer = inflater(bothTakeover);
    expect(await inflate(peer, hex('f3 48 cd c9 c9 07 00 00'))).toEqual(hello);
    expect(await inflate(peer, hex('f2 48 cd c9 c9 07 00'))).toEqual(hello);
    expect(await inflate(peer, hex('f2 00 11 00 00'))).toEqual(hello);
  });

  it('7.2.3.5: two blocks in one message', async () => {
    expect(await inflate(inflater(), hex('f2 48 05 00 00 00 ff ff ca c9 c9 07 00'))).toEqual(hello);
  });

  it('7.2.3.6: an empty message', async () => {
    const ours = deflater(bothTakeover);
    expect(await compress(ours, Buffer.alloc(0))).toEqual(hex('00'));
    expect(await compress(ours, hello)).toEqual(hex('f2 48 cd c9 c9 07 00'));
    expect(await compress(ours, Buffer.alloc(0))).toEqual(hex('00'));
    const peer = inflater(bothTakeover);
    expect(await inflate(peer, hex('00'))).toHaveLength(0);
    expect(await inflate(peer, hello.subarray(0, 0))).toHaveLength(0);
    expect(await inflate(peer, hex('f2 48 cd c9 c9 07 00'))).toEqual(hello);
    expect(await inflate(peer, hex('00'))).toHaveLength(0);
    expect(await inflate(peer, hex('f2 00 11 00 00'))).toEqual(hello);
  });
});

describe('messages', () => {
  const sizes = [1, 2, 125, 126, 1023, 16_383, 16_384, 16_385, 32_768, 65_535, 65_536, 262_144, 1_000_003];

  it.each([
    {},
    bothTakeover,
    { windowBits: 9, peerWindowBits: 9 },
    { ...bothTakeover, windowBits: 9, peerWindowBits: 9, level: 1, memLevel: 1 },
    { ...bothTakeover, level: 0 },
    { level: 9, memLevel: 9 },
  ])('of all sizes come back: %o', async (options) => {
    const ours = deflater(options);
    const peer = inflater(options);
    for (const size of sizes) {
      for (const data of [text(size), Buffer.alloc(size, 'a')]) {
        const compressed = await compress(ours, data);
        expect((await inflate(peer, compressed)).equals(data)).toBe(true);
      }
    }
  });

  it('refer back to earlier ones only when that was agreed on', async () => {
    const data = text(1000);
    const sharing = deflater(bothTakeover);
    const first = await compress(sharing, data);
    expect((await compress(sharing, data)).length).toBeLessThan(first.length / 10);
    const alone = deflater();
    expect(await compress(alone, data)).toEqual(first);
    expect(await compress(alone, data)).toEqual(first);
  });

  it('tell nothing of those of other connections', async () => {
    const probe = (guess: string) => Buffer.from(`${'.'.repeat(100)}XYZ${guess}${'.'.repeat(1893)}XYZ`);
    const alone: Buffer[] = [];
    for (const guess of ['a', 'b']) alone.push(await compress(deflater(), probe(guess)));
    // A compressor that was only reset finds the match that this byte would continue.
    for (const secret of ['a', 'b']) {
      const other = deflater();
      await compress(other, Buffer.from('-'.repeat(2000) + secret.repeat(20)));
      other.close();
      for (const [index, guess] of ['a', 'b'].entries()) {
        expect(await compress(deflater(), probe(guess))).toEqual(alone[index]);
      }
    }
  });

  it.each([8, 9, 10, 12, 15])('keep to a window of %i bits', async (windowBits) => {
    const snippet = text(40, 5);
    // The same again and again, from near to much farther than the window is.
    const gaps = Array.from({ length: 300 }, (_, index) =>
      text(Math.floor(((2 << windowBits) * index) / 300), index),
    );
    const data = Buffer.concat(gaps.flatMap((gap) => [snippet, gap]));
    const agreed = { ...agreement(bothTakeover), windowBits };
    const ours = new Deflater(agreed);
    open.push(ours);
    for (const compressed of [await compress(ours, data), compressOnce(data, agreed)]) {
      expect(decompressStrictly(compressed, windowBits).equals(data)).toBe(true);
    }
    // A larger window would have been used: the test is not void.
    if (windowBits < 15) {
      const larger = compressOnce(data, agreement());
      expect(() => decompressStrictly(larger, windowBits)).toThrow('invalid distance too far back');
    }
  });

  it('data may be lent: inflate has copied it', async () => {
    const data = hex('f2 48 cd c9 c9 07 00');
    const inflated = inflate(inflater(), data);
    data.fill(0xff);
    expect(await inflated).toEqual(hello);
  });

  it('is called back later, also for an empty message', async () => {
    const calls: string[] = [];
    const empty = Buffer.alloc(0);
    await new Promise<void>((resolve) => {
      deflater().compress(empty, () => calls.push('deflated'));
      inflater().inflate(empty, () => {
        calls.push('inflated');
        resolve();
      });
      calls.push('returned');
    });
    expect(calls).toEqual(['returned', 'deflated', 'inflated']);
  });
});

describe('compressOnce', () => {
  it.each([9, 12, 15])('makes what any inflater takes; window of %i bits', async (windowBits) => {
    for (const data of [Buffer.alloc(0), hello, text(100_000), Buffer.alloc(100_000)]) {
      const compressed = compressOnce(data, agreement({ windowBits }));
      expect((await inflate(inflater(), compressed)).equals(data)).toBe(true);
      expect(decompressStrictly(compressed, windowBits).equals(data)).toBe(true);
    }
  });

  it('makes the same as a compressor without context takeover', async () => {
    const data = text(5000);
    expect(compressOnce(data, agreement())).toEqual(await compress(deflater(), data));
  });
});

describe('final blocks (BFINAL)', () => {
  const final = (data: Buffer) => deflateRawSync(data);
  const end = hex('00');

  it('in the middle of a message do not end it', async () => {
    const peer = inflater();
    const message = Buffer.concat([
      final(hello),
      final(Buffer.from(', ')),
      compressOnce(text(5000), agreement()),
    ]);
    expect((await inflate(peer, message)).equals(Buffer.concat([hello, Buffer.from(', '), text(5000)]))).toBe(
      true,
    );
  });

  it('may be the end of a message, though it should have one more byte', async () => {
    for (const options of [{}, bothTakeover]) {
      const peer = inflater(options);
      expect(await inflate(peer, final(hello))).toEqual(hello);
      expect(await inflate(peer, Buffer.concat([final(hello), end]))).toEqual(hello);
      expect(await inflate(peer, compressOnce(hello, agreement()))).toEqual(hello);
    }
  });

  it('count for the limit, together', async () => {
    const message = Buffer.concat([final(Buffer.alloc(600)), final(Buffer.alloc(400)), end]);
    expect(await inflate(inflater({}, 1000), message)).toHaveLength(1000);
    await expect(inflate(inflater({}, 999), message)).rejects.toEqual(tooLong);
  });

  it('more than anybody needs are refused, before they cost much', async () => {
    const finals = (count: number) => Buffer.concat([...Array(count).fill(hex('03 00')), end]);
    expect(await inflate(inflater(), finals(64))).toHaveLength(0);
    await expect(inflate(inflater(), finals(65))).rejects.toEqual(invalid);
    await expect(inflate(inflater(), finals(500_000))).rejects.toEqual(invalid);
  });
});

describe('what cannot be decompressed', () => {
  it.each([
    ['a reserved block type', 'ff ff ff ff'],
    ['a length that contradicts itself', '00 05 00 05 00 48 65 6c 6c 6f 00'],
    ['a distance to before the beginning', 'f2 00 11 00 00'],
    ['rubbish behind a final block', 'f3 48 cd c9 c9 07 00 ff ff ff ff ff ff'],
  ])('%s is ERR_WS_INVALID_DEFLATE', async (_, bytes) => {
    for (const options of [{}, bothTakeover]) {
      const error = await inflate(inflater(options), hex(bytes)).catch((reason) => reason);
      expect(error).toEqual(invalid);
      expect(error.cause).toMatchObject({ code: 'Z_DATA_ERROR' });
    }
  });

  it('does not disturb other connections', async () => {
    const peers = Array.from({ length: 20 }, () => inflater());
    const results = peers.map((peer, index) =>
      index % 2 === 0
        ? inflate(peer, hex('ff ff')).catch((error) => error)
        : inflate(peer, hex('f2 48 cd c9 c9 07 00')),
    );
    for (const [index, result] of (await Promise.all(results)).entries()) {
      expect(result).toEqual(index % 2 === 0 ? invalid : hello);
    }
  });
});

describe('payloadBytesMax', () => {
  it.each([1, 16_383, 16_384, 16_385, 100_000])('%i is inclusive', async (max) => {
    const fits = compressOnce(Buffer.alloc(max, 'a'), agreement());
    const over = compressOnce(Buffer.alloc(max + 1, 'a'), agreement());
    expect(await inflate(inflater({}, max), fits)).toHaveLength(max);
    await expect(inflate(inflater({}, max), over)).rejects.toEqual(tooLong);
  });

  it('stops a bomb at the limit', async () => {
    const bomb = compressOnce(Buffer.alloc(64 << 20), agreement());
    expect(bomb.length).toBeLessThan(80_000);
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    const watch = setInterval(() => {
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    }, 1);
    try {
      await expect(inflate(inflater({}, 1 << 20), bomb)).rejects.toEqual(tooLong);
    } finally {
      clearInterval(watch);
    }
    expect(most).toBeLessThan(16 << 20);
  });

  it('0 lets in the empty message only', async () => {
    expect(await inflate(inflater({}, 0), hex('00'))).toHaveLength(0);
    await expect(inflate(inflater({}, 0), hex('f2 48 cd c9 c9 07 00'))).rejects.toEqual(tooLong);
  });
});

describe('close', () => {
  it('no callback comes, whenever it is called', async () => {
    /** Whether it had been closed, for each callback. */
    const called: boolean[] = [];
    const data = text(300_000);
    const compressed = compressOnce(data, agreement());
    for (const options of [{ concurrency: 2 }, { ...bothTakeover, concurrency: 2 }]) {
      for (let round = 0; round < 4; round += 1) {
        let closed = false;
        const calledBack = () => called.push(closed);
        const compressing = deflater(options);
        const inflating = inflater(options);
        const failing = inflater(options);
        compressing.compress(data, calledBack);
        inflating.inflate(compressed, calledBack);
        failing.inflate(hex('ff ff'), calledBack);
        for (let turns = 0; turns < round; turns += 1) await new Promise((resolve) => setImmediate(resolve));
        closed = true;
        for (const each of [compressing, inflating, failing]) {
          each.close();
          each.close();
        }
      }
    }
    const late = deflater();
    late.close();
    late.compress(hello, () => called.push(true));
    late.compress(Buffer.alloc(0), () => called.push(true));
    await expect.poll(() => zlibGate.underWay).toBe(0);
    // Another one has its turn, and with it all that came before.
    expect(await compress(deflater(), hello)).toHaveLength(7);
    expect(called.filter((afterClose) => afterClose)).toEqual([]);
  });

  it('from inside the callback', async () => {
    const compressing = deflater(bothTakeover);
    await new Promise<void>((resolve) => {
      compressing.compress(hello, () => {
        compressing.close();
        resolve();
      });
    });
    expect(zlibGate.underWay).toBe(0);
  });
});

describe('memory', () => {
  it('idle connections without context takeover hold none', async () => {
    const ours = deflater();
    const peer = inflater();
    for (let round = 0; round < 3; round += 1) {
      const compressed = compress(ours, hello);
      expect(openZlibStreams()).toBe(1);
      expect(await inflate(peer, await compressed)).toEqual(hello);
      expect(openZlibStreams()).toBe(0);
    }
  });

  it('those with it hold theirs from the first message until they close', async () => {
    const ours = deflater(bothTakeover);
    const peer = inflater(bothTakeover);
    expect(openZlibStreams()).toBe(0);
    await inflate(peer, await compress(ours, hello));
    expect(openZlibStreams()).toBe(2);
    ours.close();
    expect(openZlibStreams()).toBe(1);
    peer.close();
    expect(openZlibStreams()).toBe(0);
  });

  it('is free again after an error', async () => {
    const peer = inflater(bothTakeover, 1000);
    await inflate(peer, hex('f2 48 cd c9 c9 07 00'));
    await expect(inflate(peer, hex('ff ff'))).rejects.toEqual(invalid);
    expect(openZlibStreams()).toBe(0);
    await expect(inflate(peer, compressOnce(Buffer.alloc(5000), agreement()))).rejects.toEqual(tooLong);
    expect(openZlibStreams()).toBe(0);
  });
});

describe('concurrency', () => {
  it('no more calls than allowed are under way, and all get their turn in order', async () => {
    const data = text(50_000);
    const finished: number[] = [];
    let most = 0;
    const all = Array.from({ length: 50 }, async (_, index) => {
      await compress(deflater({ concurrency: 1 }), data);
      most = Math.max(most, zlibGate.underWay);
      finished.push(index);
    });
    expect(zlibGate.underWay).toBe(1);
    await Promise.all(all);
    expect(most).toBeLessThanOrEqual(1);
    expect(finished).toEqual(finished.map((_, index) => index));
  });

  it('10 by default', async () => {
    const all = Array.from({ length: 30 }, () => compress(deflater(), text(50_000)));
    expect(zlibGate.underWay).toBe(10);
    await Promise.all(all);
    expect(zlibGate.underWay).toBe(0);
  });

  it('each callback has the async context of its own connection', async () => {
    const storage = new AsyncLocalStorage<number>();
    const compressed = compressOnce(text(50_000), agreement());
    const all = Array.from({ length: 20 }, (_, index) =>
      storage.run(index, () => {
        const peer = inflater({ concurrency: 2 });
        return new Promise<number | undefined>((resolve) => {
          peer.inflate(compressed, () => resolve(storage.getStore()));
        });
      }),
    );
    expect(await Promise.all(all)).toEqual(all.map((_, index) => index));
  });

  it('closing those that wait lets the next ones in', async () => {
    const busy = compress(deflater({ concurrency: 1 }), text(500_000));
    const waiting = Array.from({ length: 10_000 }, () => deflater({ concurrency: 1 }));
    let called = 0;
    for (const each of waiting) {
      each.compress(hello, () => {
        called += 1;
      });
    }
    const last = compress(deflater({ concurrency: 1 }), hello);
    for (const each of waiting) each.close();
    await busy;
    expect(await last).toHaveLength(7);
    expect(called).toBe(0);
  });
});

/** Knows no more than the window allows: a reference farther back is an error. */
function decompressStrictly(compressed: Buffer, windowBits: number): Buffer {
  const finishFlush = constants.Z_SYNC_FLUSH;
  return inflateRawSync(Buffer.concat([compressed, hex('00 00 ff ff')]), { finishFlush, windowBits });
}
