/**
 * What RFC 6455 section 5 says of a stream of bytes, written as plainly as it can be: the input lies there as a whole, and is
 * copied at will. The decoder is compared with this.
 */

import { isUtf8 } from 'node:buffer';
import { concatenate } from '@iocp/testkit';
import type { DecoderSettings } from '../../src/codec/decoder.js';
import { shown, type Told } from './recorder.js';

type Settings = Pick<DecoderSettings, 'role' | 'payloadBytesMax' | 'deflate'>;

interface Message {
  readonly binary: boolean;
  readonly compressed: boolean;
  announced: bigint;
  parts: Uint8Array[];
}

interface Header {
  readonly fin: boolean;
  readonly rsv: number;
  readonly opcode: number;
  readonly length: bigint;
  readonly key: Uint8Array | null;
  readonly bytes: number;
}

export function referenceOf(input: Uint8Array, settings: Settings): Told[] {
  const told: Told[] = [];
  let message: Message | null = null;
  let rest = input;
  while (true) {
    const header = headerOf(rest, settings, message !== null);
    if (header === 'incomplete') return told;
    if (typeof header === 'object' && 'kind' in header) return [...told, header];
    const { opcode, fin, length } = header;
    if (opcode < 8) {
      if (opcode !== 0)
        message = { binary: opcode === 2, compressed: header.rsv !== 0, announced: 0n, parts: [] };
      const current = message as Message;
      current.announced += length;
      const { payloadBytesMax } = settings;
      const slack = current.compressed ? Math.ceil(payloadBytesMax / 1024) + 64 : 0;
      if (current.announced > BigInt(payloadBytesMax + slack))
        return [...told, violation('MESSAGE_TOO_LONG', 1009)];
    }
    const complete = BigInt(rest.byteLength - header.bytes) >= length;
    const payloadEnd = complete ? header.bytes + Number(length) : rest.byteLength;
    const payload = rest
      .slice(header.bytes, payloadEnd)
      .map((byte, index) => byte ^ (header.key === null ? 0 : (header.key[index % 4] as number)));
    rest = rest.subarray(payloadEnd);
    if (opcode >= 8) {
      if (!complete) return told;
      told.push(controlOf(opcode, payload));
      if (opcode === 8) return told;
      continue;
    }
    const current = message as Message;
    current.parts.push(payload);
    const whole = concatenate(current.parts);
    const last = complete && fin;
    const checked = !current.binary && !current.compressed;
    if (checked && !(last ? isUtf8(whole) : canBecomeUtf8(whole)))
      return [...told, violation('INVALID_UTF8', 1007)];
    if (!complete) return told;
    if (!fin) continue;
    const kind = current.compressed ? 'compressed' : 'message';
    told.push({ kind, binary: current.binary, payload: shown(whole) });
    message = null;
  }
}

function headerOf(input: Uint8Array, settings: Settings, inMessage: boolean): Header | Told | 'incomplete' {
  const [first, second] = input;
  if (first === undefined || second === undefined) return 'incomplete';
  const fin = first >= 0x80;
  const rsv = first & 0x70;
  const opcode = first & 0x0f;
  const startsMessage = opcode === 1 || opcode === 2;
  if (rsv !== 0 && !(rsv === 0x40 && settings.deflate && startsMessage)) return violation('UNEXPECTED_RSV');
  if (opcode === 0 && !inMessage) return violation('UNEXPECTED_CONTINUATION');
  if (startsMessage && inMessage) return violation('EXPECTED_CONTINUATION');
  if (![0, 1, 2, 8, 9, 10].includes(opcode)) return violation('INVALID_OPCODE');
  if (opcode >= 8 && !fin) return violation('CONTROL_FRAGMENTED');
  if (opcode >= 8 && (second & 0x7f) > 125) return violation('CONTROL_TOO_LONG');
  const masked = second >= 0x80;
  if (settings.role === 'server' && !masked) return violation('EXPECTED_MASK');
  if (settings.role === 'client' && masked) return violation('UNEXPECTED_MASK');
  const lengthField = second & 0x7f;
  const lengthBytes = lengthField === 126 ? 2 : lengthField === 127 ? 8 : 0;
  const bytes = 2 + lengthBytes + (masked ? 4 : 0);
  if (input.byteLength < bytes) return 'incomplete';
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  let length = BigInt(lengthField);
  if (lengthBytes === 2) length = BigInt(view.getUint16(2));
  if (lengthBytes === 8) length = view.getBigUint64(2);
  const least = lengthBytes === 2 ? 126n : lengthBytes === 8 ? 0x1_0000n : 0n;
  if (length < least || length >= 1n << 63n) return violation('INVALID_LENGTH');
  return { fin, rsv, opcode, length, key: masked ? input.slice(bytes - 4, bytes) : null, bytes };
}

function controlOf(opcode: number, payload: Uint8Array): Told {
  if (opcode !== 8) return { kind: opcode === 9 ? 'ping' : 'pong', payload: shown(payload) };
  const [high, low] = payload;
  if (high === undefined) return { kind: 'close', code: 1005, reason: '' };
  if (low === undefined) return violation('INVALID_CLOSE_PAYLOAD');
  const code = high * 256 + low;
  const registered = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];
  if (!registered.includes(code) && !(code >= 3000 && code < 5000)) return violation('INVALID_CLOSE_CODE');
  const reason = payload.subarray(2);
  if (!isUtf8(reason)) return violation('INVALID_UTF8', 1007);
  return { kind: 'close', code, reason: new TextDecoder('utf-8', { ignoreBOM: true }).decode(reason) };
}

function violation(name: string, closeCode = 1002): Told {
  return { kind: 'violation', code: `ERR_WS_${name}`, closeCode };
}

/** Some bytes, none to three of them, that complete any sequence that can be completed. */
const completions = ['', '80', 'bf', '8080', 'bfbf', '808080', 'bfbfbf', '9080', 'a080', '8fbfbf'].map(
  (hex) => Buffer.from(hex, 'hex'),
);
const three = [0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf];

/** True when the text is valid, or would be with a few bytes more. */
export function canBecomeUtf8(text: Uint8Array): boolean {
  const completes = (more: Uint8Array) => isUtf8(concatenate([text, more]));
  return (
    completions.some(completes) || three.some((a) => three.some((b) => completes(Uint8Array.of(a, b, 0x80))))
  );
}
