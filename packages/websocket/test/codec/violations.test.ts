import { byteByByte, concatenate, pattern } from '@iocp/testkit';
import { describe, expect, it } from 'vitest';
import { expectTold, message, shapes } from './expectations.js';
import {
  BINARY,
  CLOSE,
  CONTINUATION,
  closing,
  type FrameOptions,
  frame,
  PING,
  PONG,
  RSV1,
  TEXT,
} from './frames.js';
import { type Told, toldOf } from './recorder.js';

const fragment: FrameOptions = { opcode: TEXT, fin: false, payload: 'a' };
const text: FrameOptions = { opcode: TEXT, payload: 'a' };
const badUtf8 = (hex: string) => Buffer.from(hex, 'hex');
type Case = readonly [name: string, frames: readonly FrameOptions[], code: string, closeCode?: number];

const violations: readonly Case[] = [
  ['RSV2', [{ ...text, rsv: 0x20 }], 'UNEXPECTED_RSV'],
  ['RSV3', [{ ...text, rsv: 0x10 }], 'UNEXPECTED_RSV'],
  ['RSV1 and RSV2', [{ ...text, rsv: 0x60 }], 'UNEXPECTED_RSV'],
  ['RSV1 of a control frame', [{ opcode: PING, rsv: RSV1 }], 'UNEXPECTED_RSV'],
  ['RSV1 of a continuation', [fragment, { opcode: CONTINUATION, rsv: RSV1 }], 'UNEXPECTED_RSV'],
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map(
    (opcode) => [`opcode ${opcode}`, [{ opcode, payload: 'a' }], 'INVALID_OPCODE'] as const,
  ),
  ['an opcode that means nothing within a message', [fragment, { opcode: 7 }], 'INVALID_OPCODE'],
  ['a continuation of nothing', [{ opcode: CONTINUATION, payload: 'a' }], 'UNEXPECTED_CONTINUATION'],
  ['a continuation that does not end', [{ opcode: CONTINUATION, fin: false }], 'UNEXPECTED_CONTINUATION'],
  ['a text within a message', [fragment, text], 'EXPECTED_CONTINUATION'],
  ['binary within a message', [fragment, { opcode: BINARY, payload: 'a' }], 'EXPECTED_CONTINUATION'],
  ['a fragment of another message', [fragment, fragment], 'EXPECTED_CONTINUATION'],
  ['a fragment of a ping', [{ opcode: PING, fin: false }], 'CONTROL_FRAGMENTED'],
  ['a fragment of a close frame', [{ opcode: CLOSE, fin: false }], 'CONTROL_FRAGMENTED'],
  ['a ping of 126 bytes', [{ opcode: PING, payload: pattern(126) }], 'CONTROL_TOO_LONG'],
  ['a close frame of 70000 bytes', [{ opcode: CLOSE, payload: pattern(70_000) }], 'CONTROL_TOO_LONG'],
  [
    'a pong with its length in two bytes',
    [{ opcode: PONG, payload: 'a', lengthBytes: 2 }],
    'CONTROL_TOO_LONG',
  ],
  [
    'a length of 125 in two bytes',
    [{ opcode: BINARY, payload: pattern(125), lengthBytes: 2 }],
    'INVALID_LENGTH',
  ],
  ['a length of 0 in eight bytes', [{ opcode: BINARY, lengthBytes: 8 }], 'INVALID_LENGTH'],
  [
    'a length of 65535 in eight bytes',
    [{ opcode: BINARY, announced: 65_535n, lengthBytes: 8 }],
    'INVALID_LENGTH',
  ],
  ['a length with its highest bit set', [{ opcode: BINARY, announced: 1n << 63n }], 'INVALID_LENGTH'],
  ['a length of 64 ones', [{ opcode: BINARY, announced: (1n << 64n) - 1n }], 'INVALID_LENGTH'],
  [
    'the greatest length there is',
    [{ opcode: BINARY, announced: (1n << 63n) - 1n }],
    'MESSAGE_TOO_LONG',
    1009,
  ],
  ['half a close code', [{ opcode: CLOSE, payload: 'a' }], 'INVALID_CLOSE_PAYLOAD'],
  ['a close code that must not be sent', [{ opcode: CLOSE, payload: closing(1005) }], 'INVALID_CLOSE_CODE'],
  [
    'a close reason that is not UTF-8',
    [{ opcode: CLOSE, payload: closing(1000, badUtf8('ff')) }],
    'INVALID_UTF8',
    1007,
  ],
  ['a text that is not UTF-8', [{ opcode: TEXT, payload: badUtf8('61ff62') }], 'INVALID_UTF8', 1007],
  [
    'a long text that is not UTF-8',
    [{ opcode: TEXT, payload: concatenate([pattern(100).fill(65), badUtf8('c0'), pattern(600).fill(65)]) }],
    'INVALID_UTF8',
    1007,
  ],
  ['a text that ends within a character', [{ opcode: TEXT, payload: badUtf8('e282') }], 'INVALID_UTF8', 1007],
  [
    'a text that ends within a character of its last fragment',
    [fragment, { opcode: CONTINUATION, payload: badUtf8('e282') }],
    'INVALID_UTF8',
    1007,
  ],
  [
    'a text that ends within a character of an earlier fragment',
    [{ ...fragment, payload: badUtf8('e282') }, { opcode: CONTINUATION }],
    'INVALID_UTF8',
    1007,
  ],
  [
    'a character that is interrupted',
    [
      { ...fragment, payload: badUtf8('e282') },
      { opcode: CONTINUATION, payload: 'a' },
    ],
    'INVALID_UTF8',
    1007,
  ],
  [
    'a surrogate in two fragments',
    [
      { ...fragment, payload: badUtf8('ed') },
      { opcode: CONTINUATION, payload: badUtf8('a080') },
    ],
    'INVALID_UTF8',
    1007,
  ],
];

describe.each(shapes)('%s', (_, settings) => {
  for (const [name, frames, code, closeCode = 1002] of violations) {
    it(`refuses ${name}, and takes no notice of what follows`, () => {
      const violation: Told = { kind: 'violation', code: `ERR_WS_${code}`, closeCode };
      const ping: FrameOptions = { opcode: PING };
      expectTold(settings, frames, [violation]);
      expectTold(settings, [ping, ...frames, ping], [{ kind: 'ping', payload: '' }, violation]);
    });
  }

  it(`refuses what is ${settings.role === 'server' ? 'not masked' : 'masked'}`, () => {
    const server = settings.role === 'server';
    const code = server ? 'ERR_WS_EXPECTED_MASK' : 'ERR_WS_UNEXPECTED_MASK';
    for (const opcode of [TEXT, BINARY, CLOSE, PING]) {
      const input = frame({ opcode, payload: '', key: server ? null : [1, 2, 3, 4] });
      expect(toldOf([input], settings)).toEqual([{ kind: 'violation', code, closeCode: 1002 }]);
      expect(toldOf(byteByByte(input), settings)).toEqual([{ kind: 'violation', code, closeCode: 1002 }]);
    }
  });

  it('takes messages of payloadBytesMax, and refuses longer ones by their header', () => {
    const limited = { ...settings, payloadBytesMax: 200 };
    const tooLong: Told = { kind: 'violation', code: 'ERR_WS_MESSAGE_TOO_LONG', closeCode: 1009 };
    const half = pattern(100);
    const rest: FrameOptions = { opcode: CONTINUATION, payload: half };
    const whole = message(concatenate([half, half]), true);
    const first: FrameOptions = { opcode: BINARY, fin: false, payload: half };
    expectTold(
      limited,
      [{ opcode: BINARY, payload: concatenate([half, half]) }, first, rest],
      [whole, whole],
    );
    expectTold(limited, [{ opcode: BINARY, announced: 201n }], [tooLong]);
    expectTold(limited, [{ opcode: BINARY, fin: false, announced: 201n }], [tooLong]);
    expectTold(limited, [first, { opcode: CONTINUATION, fin: false, announced: 101n }], [tooLong]);
    expectTold(limited, [first, rest, first, { opcode: CONTINUATION, announced: 101n }], [whole, tooLong]);
    expectTold(
      { ...settings, payloadBytesMax: 0 },
      [{ opcode: TEXT }, { opcode: PING, payload: 'p' }, { opcode: TEXT, announced: 1n }],
      [message(''), { kind: 'ping', payload: 'p' }, tooLong],
    );
  });

  it('refuses a continuation of a message that has ended', () => {
    expectTold(
      settings,
      [fragment, { opcode: CONTINUATION }, { opcode: CONTINUATION }],
      [message('a'), { kind: 'violation', code: 'ERR_WS_UNEXPECTED_CONTINUATION', closeCode: 1002 }],
    );
  });
});
