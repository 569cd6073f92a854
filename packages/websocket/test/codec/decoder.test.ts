import { byteByByte, pattern, type Random, randomSplit, withSeed } from '@iocp/testkit';
import { describe, expect, it } from 'vitest';
import { expectTold, message, shapes, stream } from './expectations.js';
import { BINARY, CLOSE, CONTINUATION, closing, type FrameOptions, PING, PONG, TEXT } from './frames.js';
import { shown, toldOf } from './recorder.js';
import { referenceOf } from './reference.js';

describe.each(shapes)('%s', (_, settings) => {
  it.each([0, 1, 2, 15, 16, 125, 126, 127, 128, 999, 1000, 1001, 65_535, 65_536, 70_000])(
    'reads messages of %d bytes',
    (length) => {
      const payload = pattern(length);
      const letters = 'ü'.repeat(length >> 1).padEnd(length - (length >> 1), 'x');
      expectTold(
        settings,
        [
          { opcode: BINARY, payload },
          { opcode: TEXT, payload: letters },
        ],
        [message(payload, true), message(letters)],
      );
    },
  );

  it('puts fragments together, with control frames between them', () => {
    expectTold(
      settings,
      [
        { opcode: TEXT, fin: false, payload: 'One, ' },
        { opcode: PING, payload: 'ping' },
        { opcode: CONTINUATION, fin: false, payload: '' },
        { opcode: CONTINUATION, fin: false, payload: Uint8Array.of(0xe2) },
        { opcode: PONG },
        { opcode: CONTINUATION, payload: Uint8Array.of(0x82, 0xac) },
        { opcode: BINARY, fin: false, payload: '' },
        { opcode: CONTINUATION, payload: '' },
        { opcode: BINARY, fin: false, payload: '' },
        { opcode: CONTINUATION, payload: 'last' },
        { opcode: BINARY, fin: false, payload: 'first' },
        { opcode: CONTINUATION, payload: '' },
      ],
      [
        { kind: 'ping', payload: 'ping' },
        { kind: 'pong', payload: '' },
        message('One, €'),
        message('', true),
        message('last', true),
        message('first', true),
      ],
    );
  });

  it('reads a message of a thousand fragments', () => {
    const frames = Array.from({ length: 1000 }, (_, index) => ({
      opcode: index === 0 ? BINARY : CONTINUATION,
      fin: index === 999,
      payload: Uint8Array.of(index & 0xff),
    }));
    const expected = Uint8Array.from({ length: 1000 }, (_, index) => index & 0xff);
    expectTold(settings, frames, [message(expected, true)]);
  });

  it('reads pings and pongs of up to 125 bytes', () => {
    const payload = pattern(125);
    expectTold(
      settings,
      [{ opcode: PING, payload }, { opcode: PONG, payload }, { opcode: PING }],
      [
        { kind: 'ping', payload: shown(payload) },
        { kind: 'pong', payload: shown(payload) },
        { kind: 'ping', payload: '' },
      ],
    );
  });

  it('takes no notice of what follows a close frame', () => {
    const after: FrameOptions = { opcode: 3, fin: false, rsv: 0x70 };
    const why = 'ça suffit';
    expectTold(settings, [{ opcode: CLOSE }, after], [{ kind: 'close', code: 1005, reason: '' }]);
    expectTold(
      settings,
      [{ opcode: TEXT, fin: false, payload: 'lost' }, { opcode: CLOSE, payload: closing(4000, why) }, after],
      [{ kind: 'close', code: 4000, reason: why }],
    );
  });

  it('says the same of random frames as the reference, however they are cut', () =>
    withSeed((random) => {
      for (let round = 0; round < 150; round++) {
        const input = stream(settings, randomFrames(random));
        const told = referenceOf(input, settings);
        expect(toldOf([input], settings)).toEqual(told);
        expect(toldOf(byteByByte(input), settings)).toEqual(told);
        expect(toldOf(randomSplit(input, random, { partBytesMax: 50 }), settings)).toEqual(told);
      }
    }));
});

/** Mostly right ones. */
function randomFrames(random: Random): FrameOptions[] {
  const texts = ['', 'plain', 'ünï', '€', '𝄞'.repeat(20), 'x'.repeat(126)];
  const frames: FrameOptions[] = [];
  let inMessage = false;
  for (let count = random.integer(1, 8); count > 0; count--) {
    const payload = random.chance(0.95) ? random.pick(texts) : random.bytes(random.integer(0, 200));
    if (random.chance(0.25)) {
      frames.push({ opcode: random.pick([PING, PONG]), payload: random.bytes(random.integer(0, 125)) });
    } else {
      const fin = random.chance(0.5);
      frames.push({ opcode: inMessage ? CONTINUATION : random.pick([TEXT, BINARY]), fin, payload });
      inMessage = !fin;
    }
  }
  return frames;
}
