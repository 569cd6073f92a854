import { isUtf8 } from 'node:buffer';
import { byteByByte, everySplitInTwo, type Random, randomSplit, withSeed } from '@iocp/testkit';
import { describe, expect, it } from 'vitest';
import { Utf8Validator } from '../../src/codec/utf8.js';
import { canBecomeUtf8 } from './reference.js';

/** How many bytes were taken before the text was refused; all when it was not. */
function acceptedOf(chunks: readonly Uint8Array[]): { bytes: number; complete: boolean } {
  const validator = new Utf8Validator();
  let bytes = 0;
  for (const chunk of chunks) {
    if (!validator.accept(Buffer.from(chunk))) return { bytes, complete: false };
    bytes += chunk.byteLength;
  }
  return { bytes, complete: validator.complete };
}

/** First bytes and continuations at both sides of every limit of the table in RFC 3629 section 4. */
const leads = [0x00, 0x7f, 0x80, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef];
const allLeads = [...leads, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf7, 0xf8, 0xff];
const next = [0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff];

function* sequences(): Generator<Uint8Array> {
  for (const lead of allLeads) {
    yield Uint8Array.of(lead);
    for (const a of next) {
      yield Uint8Array.of(lead, a);
      for (const b of next) {
        yield Uint8Array.of(lead, a, b);
        for (const c of next) yield Uint8Array.of(lead, a, b, c);
      }
    }
  }
}

function failFor(bytes: Uint8Array): never {
  expect.fail(`It is wrong about ${Buffer.from(bytes).toString('hex')}`);
}

describe('the UTF-8 validator', () => {
  it('agrees with Node.js on all of a text, at the limits of every kind of sequence', () => {
    for (const sequence of sequences()) {
      const whole = acceptedOf([sequence]);
      const apart = acceptedOf(byteByByte(sequence));
      const right = isUtf8(sequence);
      if (whole.complete !== right || apart.complete !== right) failFor(sequence);
    }
  });

  it('refuses with the first byte that cannot go on', () => {
    for (const sequence of sequences()) {
      const { bytes } = acceptedOf(byteByByte(sequence));
      if (!canBecomeUtf8(sequence.subarray(0, bytes))) failFor(sequence);
      const refused = bytes < sequence.byteLength;
      if (refused && canBecomeUtf8(sequence.subarray(0, bytes + 1))) failFor(sequence);
    }
  });

  it('knows all characters of two bytes', () => {
    for (let word = 0; word < 0x10000; word++) {
      const pair = Uint8Array.of(word >> 8, word & 0xff);
      if (acceptedOf([pair.subarray(0, 1), pair.subarray(1)]).complete !== isUtf8(pair)) failFor(pair);
    }
  });

  const long = Buffer.from('aé€𝄞'.repeat(30));

  it('takes long pieces that are cut within characters', () => {
    for (const parts of everySplitInTwo(long)) {
      expect(acceptedOf(parts)).toEqual({ bytes: long.byteLength, complete: true });
    }
    expect(acceptedOf([long.subarray(0, -1)])).toEqual({ bytes: long.byteLength - 1, complete: false });
  });

  it('finds what is wrong anywhere in long pieces', () => {
    for (let at = 0; at < long.byteLength; at++) {
      const bad = Buffer.from(long);
      bad[at] = 0xff;
      expect(acceptedOf([bad])).toEqual({ bytes: 0, complete: false });
      expect(acceptedOf([bad.subarray(0, at), bad.subarray(at)]).bytes).toBe(at);
    }
  });

  it('does not take a sequence at the end of a long piece that cannot be completed', () => {
    for (const end of ['e0 80', 'ed a0', 'f0 80', 'f4 90', 'c0', 'f5', 'f4 8f ff', '80', 'e2 82 ac 80']) {
      const tail = Buffer.from(end.replaceAll(' ', ''), 'hex');
      expect([end, acceptedOf([Buffer.concat([Buffer.alloc(40, 'a'), tail])]).bytes]).toEqual([end, 0]);
    }
  });

  it('agrees with Node.js on random texts with errors in them, however they are cut', () =>
    withSeed((random: Random) => {
      for (let round = 0; round < 500; round++) {
        const text = Buffer.from(long.subarray(0, random.integer(1, long.byteLength)));
        if (random.chance(0.5)) text[random.integer(0, text.length - 1)] = random.integer(0, 255);
        const { complete } = acceptedOf(randomSplit(text, random, { partBytesMax: 90 }));
        expect([text.toString('hex'), complete]).toEqual([text.toString('hex'), isUtf8(text)]);
      }
    }));
});
