/**
 * Frames of RFC 6455 for the suite: as simple as can be, and shared with nothing that is tested. What breaks the rules can be
 * written as well as what keeps them.
 */

import assert from 'node:assert/strict';
import { concatenate } from '../../chunkings.js';

/** RFC 6455, 5.2. */
export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface Frame {
  readonly fin: boolean;
  /** The three reserved bits: 4 is RSV1, 2 is RSV2, 1 is RSV3. */
  readonly rsv: number;
  readonly opcode: number;
  readonly payload: Uint8Array;
}

/** How to write a frame; what is not given is as it should be. */
export interface FrameForm {
  readonly fin?: boolean;
  readonly rsv?: number;
  /** Masked although it should not be, or the other way round. */
  readonly wrongMask?: boolean;
  /** Bytes of the extended length, also where fewer would do. */
  readonly lengthBytes?: 0 | 2 | 8;
  /** The length that the header tells. Default: the payload's. */
  readonly announcedLength?: bigint;
}

/** A frame to send. */
export interface FrameToSend extends Frame {
  readonly form: FrameForm;
}

type Payload = string | Uint8Array;

function frame(opcode: number, payload: Payload, form: FrameForm): FrameToSend {
  return { fin: form.fin ?? true, rsv: form.rsv ?? 0, opcode, payload: bytesOf(payload), form };
}

/** UTF-8 of a text, or the bytes as they are. */
export function bytesOf(payload: Payload): Uint8Array {
  return typeof payload === 'string' ? Buffer.from(payload) : payload;
}

export const text = (payload: Payload = '', form: FrameForm = {}) => frame(opcodes.text, payload, form);
export const binary = (payload: Payload = '', form: FrameForm = {}) => frame(opcodes.binary, payload, form);
export const more = (payload: Payload = '', form: FrameForm = {}) =>
  frame(opcodes.continuation, payload, form);
export const ping = (payload: Payload = '', form: FrameForm = {}) => frame(opcodes.ping, payload, form);
export const pong = (payload: Payload = '', form: FrameForm = {}) => frame(opcodes.pong, payload, form);
/** A frame with any opcode. */
export const other = (opcode: number, payload: Payload = '', form: FrameForm = {}) =>
  frame(opcode, payload, form);
/** A close frame with any payload. */
export const rawClose = (payload: Payload = '', form: FrameForm = {}) => frame(opcodes.close, payload, form);

/** A close frame; without a code it is empty. */
export function close(code?: number, reason: Payload = ''): FrameToSend {
  if (code === undefined) return rawClose();
  return rawClose(concatenate([Uint8Array.of(code >>> 8, code & 0xff), bytesOf(reason)]));
}

/** A message in frames of at most that many bytes. */
export function fragments(
  isBinary: boolean,
  payload: Payload,
  fragmentBytes: number,
  rsv = 0,
): FrameToSend[] {
  const bytes = bytesOf(payload);
  const frames: FrameToSend[] = [];
  let start = 0;
  do {
    const end = Math.min(start + fragmentBytes, bytes.byteLength);
    const form = { fin: end === bytes.byteLength, rsv: start === 0 ? rsv : 0 };
    const opcode = start > 0 ? opcodes.continuation : isBinary ? opcodes.binary : opcodes.text;
    frames.push(frame(opcode, bytes.subarray(start, end), form));
    start = end;
  } while (start < bytes.byteLength);
  return frames;
}

/** @param key the mask of a client's frame; null where frames are not to be masked */
export function encodeFrame(frame: FrameToSend, key: Uint8Array | null): Uint8Array<ArrayBuffer> {
  const { payload, form } = frame;
  const announced = form.announcedLength ?? BigInt(payload.byteLength);
  const lengthBytes = form.lengthBytes ?? (announced <= 125n ? 0 : announced <= 0xffffn ? 2 : 8);
  const mask = form.wrongMask === true ? (key === null ? Uint8Array.of(1, 2, 3, 4) : null) : key;
  const bytes = Buffer.alloc(2 + lengthBytes + (mask?.byteLength ?? 0) + payload.byteLength);
  bytes[0] = (frame.fin ? 0x80 : 0) | (frame.rsv << 4) | frame.opcode;
  bytes[1] =
    (mask === null ? 0 : 0x80) | (lengthBytes === 0 ? Number(announced) : lengthBytes === 2 ? 126 : 127);
  if (lengthBytes === 2) bytes.writeUInt16BE(Number(announced), 2);
  if (lengthBytes === 8) bytes.writeBigUInt64BE(announced, 2);
  let at = 2 + lengthBytes;
  if (mask !== null) {
    bytes.set(mask, at);
    at += mask.byteLength;
  }
  bytes.set(payload, at);
  if (mask !== null) {
    const [first = 0, second = 0, third = 0, fourth = 0] = mask;
    const keys = [first, second, third, fourth];
    for (let index = at; index < bytes.byteLength; index++) {
      (bytes as Uint8Array)[index] = (bytes[index] as number) ^ (keys[(index - at) & 3] as number);
    }
  }
  return bytes;
}

/** Reads frames out of a stream, and fails for those whose form is not allowed. */
export class FrameReader {
  readonly #masked: boolean;
  #chunks: Buffer[] = [];
  #byteCount = 0;
  /** Bytes that there must be before it is worth looking again. */
  #wanted = 2;

  /** @param masked whether frames have to be masked: those of a client */
  constructor(masked: boolean) {
    this.#masked = masked;
  }

  /** @param bytes kept, and unmasked in place */
  push(bytes: Buffer): void {
    this.#chunks.push(bytes);
    this.#byteCount += bytes.byteLength;
  }

  /** The next whole frame, if it has arrived. */
  next(): Frame | null {
    if (this.#byteCount < this.#wanted) return null;
    const [first] = this.#chunks;
    const bytes = first !== undefined && this.#chunks.length === 1 ? first : Buffer.concat(this.#chunks);
    const whole = this.#parse(bytes);
    const rest = whole === null ? bytes : bytes.subarray(whole.end);
    this.#chunks = rest.byteLength === 0 ? [] : [rest];
    this.#byteCount = rest.byteLength;
    if (whole !== null) this.#wanted = 2;
    return whole?.frame ?? null;
  }

  #parse(bytes: Buffer): { frame: Frame; end: number } | null {
    const [first = 0, second = 0] = bytes;
    const masked = (second & 0x80) !== 0;
    assert.equal(masked, this.#masked, masked ? 'a server masked a frame' : 'a client did not mask a frame');
    const short = second & 0x7f;
    const lengthBytes = short < 126 ? 0 : short === 126 ? 2 : 8;
    const headerBytes = 2 + lengthBytes + (masked ? 4 : 0);
    this.#wanted = headerBytes;
    if (bytes.byteLength < headerBytes) return null;
    const length =
      lengthBytes === 0
        ? short
        : lengthBytes === 2
          ? bytes.readUInt16BE(2)
          : Number(bytes.readBigUInt64BE(2));
    assert.ok(
      length > (lengthBytes === 8 ? 0xffff : lengthBytes === 2 ? 125 : -1),
      'a length is not minimal',
    );
    const opcode = first & 0x0f;
    const fin = (first & 0x80) !== 0;
    const known: readonly number[] = Object.values(opcodes);
    assert.ok(known.includes(opcode), `a frame with the opcode ${opcode}`);
    if (opcode >= 8) assert.ok(fin && length <= 125, `a control frame of ${length} bytes, last: ${fin}`);
    this.#wanted = headerBytes + length;
    if (bytes.byteLength < this.#wanted) return null;
    const end = headerBytes + length;
    const payload = bytes.subarray(headerBytes, end);
    if (masked) {
      const key = bytes.subarray(headerBytes - 4, headerBytes);
      for (let index = 0; index < length; index++) {
        payload[index] = (payload[index] as number) ^ (key[index & 3] as number);
      }
    }
    return { frame: { fin, rsv: (first >>> 4) & 7, opcode, payload }, end };
  }
}
