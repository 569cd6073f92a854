import { invalidArgumentType, validateBoolean, validateObject } from '@iocp/core/layer';
import { headerLength, writeHeader } from './codec/encoder.js';
import { FIN, Opcode, RSV1 } from './codec/frame.js';
import { compressOnce } from './deflate/deflater.js';
import type { DeflateAgreement } from './deflate/negotiation.js';

export interface PrepareOptions {
  /** Default: strings are text, bytes are binary. */
  readonly binary?: boolean | undefined;
  /** Whether connections that agreed on compression get it compressed. Default: from their `threshold` on. */
  readonly compress?: boolean | undefined;
}

/** What can be sent: text, bytes, or a message that was prepared for many. */
export type Sendable = string | Uint8Array | PreparedMessage;

/**
 * A message for many connections: framed once, and compressed at most once for each window size that was agreed on. Its bytes
 * must not be changed. Made by `prepare()`.
 */
export class PreparedMessage {
  readonly binary: boolean;
  readonly compress: boolean | undefined;
  /** @internal */
  readonly payload: Uint8Array;
  /** @internal As servers send it. */
  readonly frame: Uint8Array;
  #compressed: Map<number, Uint8Array> | null = null;

  /** @internal */
  constructor(payload: Uint8Array, binary: boolean, compress: boolean | undefined) {
    this.payload = payload;
    this.binary = binary;
    this.compress = compress;
    this.frame = framed(payload, opcodeOf(binary));
  }

  /** Bytes of the payload. */
  get byteLength(): number {
    return this.payload.byteLength;
  }

  /**
   * @internal As servers send it compressed. Only for connections without context takeover on our side: the others' windows go on
   * from one message to the next.
   */
  compressedFrame(agreement: DeflateAgreement): Uint8Array {
    const { windowBits } = agreement;
    this.#compressed ??= new Map();
    let frame = this.#compressed.get(windowBits);
    if (frame === undefined) {
      frame = framed(compressOnce(this.payload, agreement), opcodeOf(this.binary) | RSV1);
      this.#compressed.set(windowBits, frame);
    }
    return frame;
  }
}

function opcodeOf(binary: boolean): number {
  return binary ? Opcode.BINARY : Opcode.TEXT;
}

function framed(payload: Uint8Array, first: number): Uint8Array {
  const { byteLength } = payload;
  const frame = Buffer.allocUnsafeSlow(headerLength(byteLength, false) + byteLength);
  frame.set(payload, writeHeader(frame, 0, FIN | first, byteLength, 0, false));
  return frame;
}

/**
 * Frames a message once, for any number of connections: `socket.send(prepared)`, `server.broadcast(prepared)`.
 * @param data text, or bytes, which are copied
 * @throws `ERR_INVALID_ARG_TYPE`
 */
export function prepare(data: string | Uint8Array, options: PrepareOptions = {}): PreparedMessage {
  validateObject(options, 'options');
  const { binary = typeof data !== 'string', compress } = options;
  validateBoolean(binary, 'options.binary');
  if (compress !== undefined) validateBoolean(compress, 'options.compress');
  if (typeof data === 'string') return new PreparedMessage(Buffer.from(data), binary, compress);
  if (!(data instanceof Uint8Array)) throw invalidArgumentType('data', 'a string or a Uint8Array', data);
  return new PreparedMessage(Uint8Array.prototype.slice.call(data), binary, compress);
}
