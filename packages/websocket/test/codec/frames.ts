/** Frames written down byte by byte, good and bad ones; nothing of the encoder is used. */

import { concatenate } from '@iocp/testkit';

export interface FrameOptions {
  /** Default true. */
  readonly fin?: boolean;
  /** RSV1, RSV2, RSV3 as 0x40, 0x20, 0x10. Default 0. */
  readonly rsv?: number;
  readonly opcode: number;
  readonly payload?: Uint8Array | string;
  /** Four bytes; null: the frame is not masked. Default: `testKey`. */
  readonly key?: readonly number[] | null;
  /** Bytes in which the length is said: 0 (in the second byte), 2 or 8. Default: as few as it needs. */
  readonly lengthBytes?: 0 | 2 | 8;
  /** What the header says the length is. Default: that of the payload. */
  readonly announced?: bigint;
}

export const testKey = [0x12, 0x34, 0xf6, 0x78] as const;

export function frame(options: FrameOptions): Uint8Array<ArrayBuffer> {
  const { fin = true, rsv = 0, opcode, key = testKey } = options;
  const payload = bytesOf(options.payload ?? '');
  const announced = options.announced ?? BigInt(payload.byteLength);
  const { lengthBytes = announced < 126 ? 0 : announced <= 0xffff ? 2 : 8 } = options;
  const length = new DataView(new ArrayBuffer(8));
  length.setBigUint64(0, announced);
  const lengthField = lengthBytes === 0 ? Number(announced) : lengthBytes === 2 ? 126 : 127;
  return concatenate([
    Uint8Array.of((fin ? 0x80 : 0) | rsv | opcode, (key === null ? 0 : 0x80) | lengthField),
    new Uint8Array(length.buffer, 8 - lengthBytes),
    Uint8Array.from(key ?? []),
    key === null ? payload : payload.map((byte, index) => byte ^ (key[index % 4] as number)),
  ]);
}

export function bytesOf(payload: Uint8Array | string): Uint8Array {
  return typeof payload === 'string' ? new TextEncoder().encode(payload) : payload;
}

/** The payload of a close frame. */
export function closing(code: number, reason: Uint8Array | string = ''): Uint8Array {
  return concatenate([Uint8Array.of(code >> 8, code & 0xff), bytesOf(reason)]);
}

export const CONTINUATION = 0;
export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;
export const RSV1 = 0x40;
