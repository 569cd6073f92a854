import { concatenate } from '@iocp/testkit';
import { type DecoderEvents, type DecoderSettings, FrameDecoder } from '../../src/codec/decoder.js';
import type { WebSocketError } from '../../src/errors.js';

/** What a decoder has told. Pieces of a message count as one message, once its last piece is there. */
export type Told =
  | { readonly kind: 'message' | 'compressed'; readonly binary: boolean; readonly payload: string }
  | { readonly kind: 'ping' | 'pong'; readonly payload: string }
  | { readonly kind: 'close'; readonly code: number; readonly reason: string }
  | { readonly kind: 'violation'; readonly code: string; readonly closeCode: number };

/** Bytes as text, one character each: short in messages of failed tests, and quick to compare. */
export function shown(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

/** Writes down what a decoder tells; everything lent is copied at once. */
export class Recorder implements DecoderEvents {
  readonly told: Told[] = [];
  readonly violations: WebSocketError[] = [];
  /** Pieces of the message that has not ended. */
  pieces: Uint8Array[] = [];
  /** Called in each event. */
  during: () => void = () => {};

  onMessage(payload: Buffer, binary: boolean): void {
    this.#tell({ kind: 'message', binary, payload: shown(payload) });
  }

  onCompressed(payload: Buffer, binary: boolean): void {
    this.#tell({ kind: 'compressed', binary, payload: shown(payload) });
  }

  onPart(part: Buffer, binary: boolean, last: boolean): void {
    if (!last && part.length === 0) throw new Error('An empty piece says nothing unless it is the last');
    this.pieces.push(new Uint8Array(part));
    if (last) {
      const payload = shown(concatenate(this.pieces));
      this.pieces = [];
      this.#tell({ kind: 'message', binary, payload });
    } else {
      this.during();
    }
  }

  onPing(payload: Buffer): void {
    this.#tell({ kind: 'ping', payload: shown(payload) });
  }

  onPong(payload: Buffer): void {
    this.#tell({ kind: 'pong', payload: shown(payload) });
  }

  onCloseFrame(code: number, reason: string): void {
    this.#tell({ kind: 'close', code, reason });
  }

  onViolation(error: WebSocketError): void {
    this.violations.push(error);
    this.#tell({ kind: 'violation', code: error.code, closeCode: error.closeCode });
  }

  #tell(told: Told): void {
    this.told.push(told);
    this.during();
  }
}

export const server: DecoderSettings = {
  role: 'server',
  payloadBytesMax: 16 * 1024 * 1024,
  parts: false,
  deflate: false,
  memory: null,
};
export const client: DecoderSettings = { ...server, role: 'client' };

/** A decoder and what it tells. */
export function decoderOf(settings: DecoderSettings): { decoder: FrameDecoder; recorder: Recorder } {
  const recorder = new Recorder();
  return { decoder: new FrameDecoder(recorder, settings), recorder };
}

/** What is told when the input comes in these chunks. They stay as they are: the decoder unmasks copies. */
export function toldOf(chunks: readonly Uint8Array[], settings: DecoderSettings): Told[] {
  const { decoder, recorder } = decoderOf(settings);
  feed(decoder, chunks);
  decoder.destroy();
  return recorder.told;
}

/** Hands copies of the chunks to a decoder that nobody stops. */
export function feed(decoder: FrameDecoder, chunks: readonly Uint8Array[]): void {
  for (const chunk of chunks) {
    const taken = decoder.decode(copyAt(chunk, chunk.byteLength % 5));
    if (taken !== chunk.byteLength) throw new Error(`${taken} of ${chunk.byteLength} bytes were taken`);
  }
}

/** A copy that begins anywhere in its memory, as received bytes do. */
export function copyAt(bytes: Uint8Array, offset: number): Buffer {
  const memory = Buffer.alloc(offset + bytes.byteLength + 3, 0xee);
  memory.set(bytes, offset);
  return memory.subarray(offset, offset + bytes.byteLength);
}
