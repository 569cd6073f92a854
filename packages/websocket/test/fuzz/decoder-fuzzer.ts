/** A seeded fuzzer of the decoder: the reference says what has to be told of a stream, and each way to cut it must tell the same. */

import { byteByByte, concatenate, Random, randomSplit, withBitFlipped } from '@iocp/testkit';
import type { DecoderSettings } from '../../src/codec/decoder.js';
import { Blocks } from '../codec/blocks.js';
import {
  CLOSE,
  CONTINUATION,
  closing,
  type FrameOptions,
  frame,
  PING,
  PONG,
  RSV1,
  TEXT,
} from '../codec/frames.js';
import { copyAt, decoderOf } from '../codec/recorder.js';
import { referenceOf } from '../codec/reference.js';

export interface FuzzOptions {
  readonly seed: number;
  /** The fuzzer stops when this says so, which is asked before each round. */
  readonly enough: (round: number) => boolean;
}

/** Runs rounds until it is enough, and gives their number. Throws the first finding. */
export function fuzzDecoder({ seed, enough }: FuzzOptions): number {
  let round = 0;
  for (; !enough(round); round++) {
    try {
      runRound(new Random(seed + round));
    } catch (error) {
      if (error instanceof Error) error.message = `Seed ${seed}, round ${round}: ${error.message}`;
      throw error;
    }
  }
  return round;
}

const opcodes = [CONTINUATION, CONTINUATION, TEXT, TEXT, 2, 2, CLOSE, PING, PONG, 3, 11];
const lengths = [0, 1, 2, 7, 15, 16, 64, 125, 126, 127, 300, 999, 1000, 1001, 3000];
/** Values that parsers trip over. */
const edges = [0, 1, 0x7d, 0x7e, 0x7f, 0x80, 0x81, 0x82, 0x89, 0xfe, 0xff];
const closeCodes = [0, 999, 1000, 1004, 1005, 1011, 1015, 2999, 3000, 4999, 5000];
const characters = ['a', 'ü', '€', '𝄞', '\u0000', '\ud7ff', '\ue000', '\u{10ffff}'];

function runRound(random: Random): void {
  const role = random.pick(['client', 'server'] as const);
  const blocks = new Blocks(random.pick([16, 1000]), random.integer(0, 2));
  const settings: DecoderSettings = {
    role,
    payloadBytesMax: random.pick([0, 10, 126, 1000, 100_000]),
    parts: random.chance(0.4),
    deflate: random.chance(0.4),
    memory: random.chance(0.5) ? blocks : null,
  };
  const input = mutated(conversation(random, settings), random);
  const told = JSON.stringify(referenceOf(input, settings));
  const pieces = [[input], randomSplit(input, random, { partBytesMax: random.pick([3, 20, 500]) })];
  if (input.length < 2000) pieces.push(byteByByte(input));
  for (const chunks of pieces) {
    const found = decodeAll(chunks, settings, random);
    if (found !== told) {
      const hex = Buffer.from(input).toString('hex');
      throw new Error(`${JSON.stringify(settings)} ${hex}: ${found} was told instead of ${told}`);
    }
    if (blocks.held > 0) throw new Error('A block was not given back');
  }
}

/** What is told, as JSON, when the reader stops now and then. */
function decodeAll(chunks: readonly Uint8Array[], settings: DecoderSettings, random: Random): string {
  const { decoder, recorder } = decoderOf(settings);
  const stops = random.pick([0, 0.3, 1]);
  recorder.during = () => {
    if (random.chance(stops)) decoder.stop();
  };
  let come = 0;
  for (const chunk of chunks) {
    let rest: Uint8Array = copyAt(chunk, random.integer(0, 7));
    come += rest.length;
    while (rest.length > 0) {
      const taken = decoder.decode(rest);
      if (taken <= 0 || taken > rest.length) throw new Error(`${taken} of ${rest.length} bytes were taken`);
      rest = rest.subarray(taken);
    }
    if (decoder.retainedBytes > Math.max(2 * come, 1024) + 125) {
      throw new Error(`${decoder.retainedBytes} bytes are held of ${come}`);
    }
  }
  decoder.destroy();
  if (decoder.retainedBytes > 0) throw new Error('A destroyed decoder holds memory');
  return JSON.stringify(recorder.told);
}

/** Frames that are right, for the most part, and in an order that is. */
function conversation(random: Random, { role, deflate }: DecoderSettings): Uint8Array {
  const frames: Uint8Array[] = [];
  let inMessage = false;
  for (let count = random.integer(1, 12); count > 0; count--) {
    let options: FrameOptions = { opcode: random.pick(opcodes), fin: random.chance(0.6) };
    if (random.chance(0.9)) {
      const isControl = options.opcode >= 8;
      const opcode = isControl
        ? random.pick([PING, PONG])
        : inMessage
          ? CONTINUATION
          : random.pick([TEXT, 2]);
      if (!isControl) inMessage = !options.fin;
      options = { opcode, ...(isControl ? {} : { fin: options.fin ?? true }) };
    }
    const compressed = deflate && (options.opcode === TEXT || options.opcode === 2) && random.chance(0.5);
    const wrong = random.chance(0.03);
    frames.push(
      frame({
        ...options,
        rsv: wrong ? random.integer(0, 7) << 4 : compressed ? RSV1 : 0,
        payload: payloadOf(options.opcode, random),
        key: (role === 'server') === random.chance(0.99) ? [...random.bytes(4)] : null,
        ...(random.chance(0.03) ? { announced: announcedLength(random), lengthBytes: 8 as const } : {}),
      }),
    );
  }
  if (random.chance(0.4)) {
    const payload = payloadOf(CLOSE, random);
    frames.push(frame({ opcode: CLOSE, payload, key: role === 'server' ? [0, 0, 0, 0] : null }));
  }
  return concatenate(frames);
}

function announcedLength(random: Random): bigint {
  return random.pick([0n, 125n, 65_535n, 65_536n, 1n << 32n, (1n << 53n) + 1n, (1n << 63n) - 1n, 1n << 63n]);
}

function payloadOf(opcode: number, random: Random): Uint8Array {
  const length = random.pick(lengths);
  if (opcode === CLOSE && random.chance(0.8)) return closing(random.pick(closeCodes), text(random, 5));
  if (opcode >= 8) return random.bytes(random.chance(0.9) ? Math.min(length, 125) : length);
  if (random.chance(0.1)) return random.bytes(length);
  const whole = text(random, length);
  // Characters may be cut by the ends of fragments.
  return random.chance(0.7)
    ? whole
    : whole.subarray(random.integer(0, 2), whole.length - random.integer(0, 2));
}

function text(random: Random, length: number): Uint8Array {
  const kinds = random.chance(0.5) ? characters : ['a'];
  return Buffer.from(Array.from({ length }, () => random.pick(kinds)).join(''));
}

function mutated(input: Uint8Array, random: Random): Uint8Array {
  let bytes = input;
  for (let count = random.pick([0, 0, 0, 1, 2, 5]); count > 0 && bytes.length > 0; count--) {
    const at = random.integer(0, bytes.length - 1);
    const end = random.integer(at, Math.min(bytes.length, at + 40));
    bytes = random.pick([
      () => withBitFlipped(bytes, at * 8 + random.integer(0, 7)),
      () => concatenate([bytes.subarray(0, at), Uint8Array.of(random.pick(edges)), bytes.subarray(at + 1)]),
      () => concatenate([bytes.subarray(0, at), bytes.subarray(end)]),
      () => concatenate([bytes.subarray(0, end), bytes.subarray(at)]),
      () => concatenate([bytes.subarray(0, at), random.bytes(random.integer(1, 20)), bytes.subarray(at)]),
      () => bytes.subarray(0, at),
    ])();
  }
  return bytes;
}
