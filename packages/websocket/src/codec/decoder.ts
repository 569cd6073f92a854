import { isUtf8 } from 'node:buffer';
import type { WriteMemory } from '@iocp/core/layer';
import { WebSocketError, type WebSocketViolationCode, webSocketError } from '../errors.js';
import { Assembly } from './assembly.js';
import { parseClosePayload } from './close-payload.js';
import {
  CloseCode,
  controlPayloadMax,
  FIN,
  firstControlOpcode,
  headerBytesMax,
  length16,
  MASKED,
  Opcode,
  RSV1,
  RSV2_RSV3,
} from './frame.js';
import { offerHeadroom, withdrawHeadroom } from './headroom.js';
import { advanceKey, maskWithin } from './mask.js';
import { Utf8Validator } from './utf8.js';
import { BufferView } from './view.js';

// Copied out of their object: constants of the module are folded into the compiled code.
const continuation = Opcode.CONTINUATION;
const text = Opcode.TEXT;
const binary = Opcode.BINARY;
const close = Opcode.CLOSE;
const ping = Opcode.PING;
const pong = Opcode.PONG;
const opcodeBits = 0x0f;
const lengthBits = 0x7f;
const wholeText = FIN | text;
const wholeBinary = FIN | binary;

/** From this length on, it is worth the while to tell that the header may be written over. */
const roomyBytesMin = 4096;

/** In place of the length of a header. */
const incomplete = 0;
const refused = -1;
const admitted = 1;

/** What a decoder tells. None of these throws. */
export interface DecoderEvents {
  /** A whole message; text is valid UTF-8. Lent until this returns, unless it is ordinary memory. */
  onMessage(payload: Buffer, binary: boolean): void;
  /** A whole compressed message as it came: neither decompressed nor checked. Lent as above. The receiver usually calls `stop`. */
  onCompressed(payload: Buffer, binary: boolean): void;
  /**
   * With `settings.parts`, instead of `onMessage`: a piece of a message, as it came. Each message ends with `last`, perhaps with an
   * empty piece. The pieces of a text are valid UTF-8 together; a piece may end within a character. Lent.
   */
  onPart(part: Buffer, binary: boolean, last: boolean): void;
  /** Lent. */
  onPing(payload: Buffer): void;
  /** Lent. */
  onPong(payload: Buffer): void;
  /** A close frame, with code 1005 when it had none. The decoder takes no notice of what follows. */
  onCloseFrame(code: number, reason: string): void;
  /** The peer has broken the protocol or a limit. The decoder takes no notice of what follows. */
  onViolation(error: WebSocketError): void;
}

export interface DecoderSettings {
  /** Of this side: a server wants masked frames, a client wants none (RFC 6455 section 5.1). */
  readonly role: 'client' | 'server';
  /** Longest message, in bytes, inclusive, all its fragments together; compressed ones may be a little longer as they come. */
  readonly payloadBytesMax: number;
  /** Messages are told in pieces, by `onPart`. Compressed ones are not. */
  readonly parts: boolean;
  /** permessage-deflate was agreed on: RSV1 says that a message is compressed. */
  readonly deflate: boolean;
  /** Where messages are gathered that come in more than one piece and fit into a block. */
  readonly memory: WriteMemory | null;
}

/**
 * Frames in, messages out (RFC 6455 section 5): bytes as they come, cut anywhere, and an event for each thing they say. No
 * input makes it throw.
 *
 * The hot path: a message in one frame, which lies in the received bytes as a whole, is unmasked where it is and told as a view.
 * Of all else, up to 13 bytes of a header and the part of a message that has come are kept.
 */
export class FrameDecoder {
  #events: DecoderEvents;
  readonly #masked: boolean;
  readonly #payloadBytesMax: number;
  readonly #parts: boolean;
  readonly #deflate: boolean;
  readonly #memory: WriteMemory | null;
  /** `decode` is to return. */
  #stopped = false;
  /** Nothing is to be told any more. */
  #finished = false;

  /** The beginning of a header whose rest has not come. */
  #header: Uint8Array | null = null;
  #headerLength = 0;

  // The frame that is being read.
  #first = 0;
  /** Its header lies directly before its payload. */
  #headerThere = false;
  /** Bytes of payload that have not come. */
  #rest = 0;
  /** For the next of them. */
  #key = 0;
  /** The payload of a control frame that came in part. */
  #control: Assembly | null = null;

  // The message that is being read; control frames may stand between its frames.
  /** 0 between messages. */
  #opcode = 0;
  #compressed = false;
  /** Bytes announced by the headers so far. */
  #announced = 0;
  #assembly: Assembly | null = null;
  #utf8: Utf8Validator | null = null;

  constructor(events: DecoderEvents, settings: DecoderSettings) {
    this.#events = events;
    this.#masked = settings.role === 'server';
    this.#payloadBytesMax = settings.payloadBytesMax;
    this.#parts = settings.parts;
    this.#deflate = settings.deflate;
    this.#memory = settings.memory;
  }

  /** From now on `events` are told. For decoders that are idle. */
  tell(events: DecoderEvents): void {
    this.#events = events;
  }

  /** Bytes of memory held for what has come in part. */
  get retainedBytes(): number {
    return (this.#assembly?.retainedBytes ?? 0) + (this.#control?.retainedBytes ?? 0);
  }

  /** True between messages: neither a message nor a frame has come in part. */
  get idle(): boolean {
    return this.#opcode === 0 && this.#rest === 0 && this.#headerLength === 0;
  }

  /**
   * Reads what has come.
   * @param bytes lent; masked payload in them is unmasked in place
   * @returns how many of them were taken: all, unless an event has called `stop`. The others are to come again, first.
   */
  decode(bytes: Uint8Array): number {
    const end = bytes.length;
    if (this.#finished || end === 0) return end;
    // To ask the view for these takes longer than all the rest, and is done once.
    const { buffer, byteOffset } = bytes;
    this.#stopped = false;
    let at = 0;
    if (this.#rest > 0) at = this.#takePayload(bytes, buffer, byteOffset, 0, end);
    else if (this.#headerLength > 0) at = this.#completeHeader(bytes, buffer, byteOffset, end);
    while (at < end && !this.#stopped) {
      const headerBytes = this.#readHeader(bytes, at, end);
      if (headerBytes > 0) {
        this.#headerThere = true;
        at = this.#takePayload(bytes, buffer, byteOffset, at + headerBytes, end);
      } else if (headerBytes === incomplete) at = this.#keepHeader(bytes, at, end);
    }
    return this.#finished ? end : at;
  }

  /** In an event: `decode` returns as soon as the event has. */
  stop(): void {
    this.#stopped = true;
  }

  /** Gives all memory back; nothing is told any more. Idempotent; may be called in an event. */
  destroy(): void {
    this.#finished = true;
    this.#stopped = true;
    this.#assembly?.clear();
    this.#assembly = null;
    this.#control = null;
    this.#header = null;
    this.#headerLength = 0;
    this.#rest = 0;
    this.#opcode = 0;
  }

  /** Takes bytes one by one until they are a header. */
  #completeHeader(bytes: Uint8Array, buffer: ArrayBufferLike, byteOffset: number, end: number): number {
    const header = this.#header as Uint8Array;
    for (let at = 0; at < end; ) {
      header[this.#headerLength++] = bytes[at++] as number;
      const headerBytes = this.#readHeader(header, 0, this.#headerLength);
      if (headerBytes === incomplete) continue;
      if (headerBytes === refused) return at;
      this.#header = null;
      this.#headerLength = 0;
      this.#headerThere = false;
      return this.#takePayload(bytes, buffer, byteOffset, at, end);
    }
    return end;
  }

  #keepHeader(bytes: Uint8Array, start: number, end: number): number {
    const header = new Uint8Array(headerBytesMax);
    for (let at = start; at < end; at++) header[at - start] = bytes[at] as number;
    this.#header = header;
    this.#headerLength = end - start;
    return end;
  }

  /**
   * Reads the header at `at`, and sets out to read its frame.
   * @returns the length of the header, 0 when its end is not there, or -1 when it was refused
   */
  #readHeader(bytes: Uint8Array, at: number, end: number): number {
    if (end - at < 2) return incomplete;
    const first = bytes[at] as number;
    const second = bytes[at + 1] as number;
    const isPlain = (first === wholeBinary || first === wholeText) && this.#opcode === 0;
    if (!isPlain && this.#admit(first, second) === refused) return refused;
    if (second >= MASKED !== this.#masked) return this.#refuseMask();
    const lengthField = second & lengthBits;
    const keyAt = at + (lengthField < length16 ? 2 : lengthField === length16 ? 4 : 10);
    const headerEnd = this.#masked ? keyAt + 4 : keyAt;
    if (end < headerEnd) return incomplete;
    if (this.#masked) this.#key = uint32(bytes, keyAt) | 0;
    const length = lengthField < length16 ? lengthField : longLength(bytes, at + 2, lengthField);
    if (length === refused) return this.#refuseLength();
    this.#first = first;
    this.#rest = length;
    if (isPlain && length <= this.#payloadBytesMax) return headerEnd - at;
    return this.#enter(length) === refused ? refused : headerEnd - at;
  }

  /** Looks for all that two bytes can have wrong, but for the mask. */
  #admit(first: number, second: number): number {
    const opcode = first & opcodeBits;
    const isMessageStart = opcode === text || opcode === binary;
    if ((first & RSV2_RSV3) !== 0 || ((first & RSV1) !== 0 && !(this.#deflate && isMessageStart))) {
      return this.#refuse('ERR_WS_UNEXPECTED_RSV', 'The peer has set a reserved bit');
    }
    if (opcode === continuation) {
      if (this.#opcode !== 0) return admitted;
      return this.#refuse('ERR_WS_UNEXPECTED_CONTINUATION', 'The peer has continued no message');
    }
    if (isMessageStart) {
      if (this.#opcode === 0) return admitted;
      return this.#refuse('ERR_WS_EXPECTED_CONTINUATION', 'The peer has begun a message within another');
    }
    if (opcode !== close && opcode !== ping && opcode !== pong) {
      return this.#refuse('ERR_WS_INVALID_OPCODE', `The peer has sent a frame with the opcode ${opcode}`);
    }
    if ((first & FIN) === 0) {
      return this.#refuse('ERR_WS_CONTROL_FRAGMENTED', 'The peer has sent a fragment of a control frame');
    }
    if ((second & lengthBits) > controlPayloadMax) {
      const message = `The peer has sent a control frame of more than ${controlPayloadMax} bytes`;
      return this.#refuse('ERR_WS_CONTROL_TOO_LONG', message);
    }
    return admitted;
  }

  /** The beginning of a frame that is not a whole message which is neither compressed nor too long. */
  #enter(length: number): number {
    const opcode = this.#first & opcodeBits;
    if (opcode >= firstControlOpcode) return admitted;
    const begins = opcode !== continuation;
    if (begins) this.#compressed = (this.#first & RSV1) !== 0;
    const announced = begins ? length : this.#announced + length;
    const bytesMax = this.#payloadBytesMax;
    if (announced > (this.#compressed ? compressedBytesMax(bytesMax) : bytesMax)) {
      return this.#refuseTooLong(announced);
    }
    this.#announced = announced;
    if (begins) this.#opcode = opcode;
    return admitted;
  }

  /**
   * Takes payload of the frame under way: all of it, or what is there.
   * @returns the offset behind what was taken
   */
  #takePayload(
    bytes: Uint8Array,
    buffer: ArrayBufferLike,
    byteOffset: number,
    start: number,
    end: number,
  ): number {
    const complete = this.#rest <= end - start;
    const length = complete ? this.#rest : end - start;
    const partEnd = start + length;
    const isAscii = this.#masked && maskWithin(bytes, buffer, byteOffset, start, partEnd, this.#key);
    const part = new BufferView(buffer, byteOffset + start, length);
    this.#rest -= length;
    if (!complete) this.#key = advanceKey(this.#key, length);
    if ((this.#first & firstControlOpcode) !== 0) this.#takeControl(part, complete);
    else if (this.#opcode !== 0) this.#takePart(part, complete, isAscii);
    else if (complete) {
      const hasRoom = length > roomyBytesMin && this.#masked && this.#headerThere;
      if (hasRoom) offerHeadroom(part, buffer, byteOffset + start);
      this.#takeWhole(part, isAscii);
      if (hasRoom) withdrawHeadroom();
    } else {
      this.#enter(length + this.#rest);
      this.#takePart(part, false, isAscii);
    }
    return partEnd;
  }

  /** A message of one frame that lies in the received bytes as a whole. */
  #takeWhole(payload: Buffer, isAscii: boolean): void {
    const isBinary = this.#first === wholeBinary;
    if (!isBinary && !isAscii && !isUtf8(payload)) this.#refuseText();
    else if (this.#parts) this.#events.onPart(payload, isBinary, true);
    else this.#events.onMessage(payload, isBinary);
  }

  /** @param complete the frame, not the message, ends with this part */
  #takePart(part: Buffer, complete: boolean, isAscii: boolean): void {
    const isLastFrame = (this.#first & FIN) !== 0;
    const isBinary = this.#opcode === binary;
    const last = complete && isLastFrame;
    if (!isBinary && !this.#compressed && !this.#acceptText(part, last, isAscii)) {
      this.#refuseText();
    } else if (this.#parts && !this.#compressed) {
      if (last) this.#endMessage();
      if (last || part.length > 0) this.#events.onPart(part, isBinary, last);
    } else if (last && this.#assembly === null) {
      this.#endMessage();
      this.#tellGathered(part, isBinary);
    } else if (part.length > 0 || last) {
      this.#assembly ??= new Assembly(this.#memory);
      this.#assembly.append(part, isLastFrame ? this.#announced : 0);
      if (last) this.#tellAssembly(this.#assembly, isBinary);
    }
  }

  #acceptText(part: Buffer, last: boolean, isAscii: boolean): boolean {
    if (isAscii && (this.#utf8 === null || this.#utf8.complete)) return true;
    this.#utf8 ??= new Utf8Validator();
    return this.#utf8.accept(part) && (!last || this.#utf8.complete);
  }

  #tellAssembly(assembly: Assembly, isBinary: boolean): void {
    // Out of the reach of `destroy` while it is lent.
    this.#endMessage();
    this.#tellGathered(assembly.message(), isBinary);
    assembly.clear();
  }

  #tellGathered(payload: Buffer, isBinary: boolean): void {
    if (this.#compressed) this.#events.onCompressed(payload, isBinary);
    else this.#events.onMessage(payload, isBinary);
  }

  #endMessage(): void {
    this.#opcode = 0;
    this.#assembly = null;
    this.#utf8 = null;
  }

  #takeControl(part: Buffer, complete: boolean): void {
    let payload = part;
    if (!complete || this.#control !== null) {
      this.#control ??= new Assembly(null);
      this.#control.append(part, part.length + this.#rest);
      if (!complete) return;
      payload = this.#control.message();
      this.#control = null;
    }
    const opcode = this.#first & opcodeBits;
    if (opcode === ping) this.#events.onPing(payload);
    else if (opcode === pong) this.#events.onPong(payload);
    else this.#takeClose(payload);
  }

  #takeClose(payload: Buffer): void {
    const close = parseClosePayload(payload);
    this.destroy();
    if (close instanceof WebSocketError) this.#events.onViolation(close);
    else this.#events.onCloseFrame(close.code, close.reason);
  }

  #refuseMask(): number {
    return this.#masked
      ? this.#refuse('ERR_WS_EXPECTED_MASK', 'The client has sent a frame without a mask')
      : this.#refuse('ERR_WS_UNEXPECTED_MASK', 'The server has sent a frame with a mask');
  }

  #refuseLength(): number {
    const message = 'The peer has sent a length that is too large, or in more bytes than it needs';
    return this.#refuse('ERR_WS_INVALID_LENGTH', message);
  }

  #refuseTooLong(length: number): number {
    const message = `The peer sends a message of ${length} bytes or more; payloadBytesMax is ${this.#payloadBytesMax}`;
    return this.#refuse('ERR_WS_MESSAGE_TOO_LONG', message, CloseCode.MESSAGE_TOO_BIG);
  }

  #refuseText(): void {
    const message = 'The peer has sent a text message that is not UTF-8';
    this.#refuse('ERR_WS_INVALID_UTF8', message, CloseCode.INVALID_PAYLOAD);
  }

  #refuse(
    code: WebSocketViolationCode,
    message: string,
    closeCode: number = CloseCode.PROTOCOL_ERROR,
  ): number {
    this.destroy();
    this.#events.onViolation(webSocketError(code, message, closeCode));
    return refused;
  }
}

/** @returns -1 for a length that has its highest bit set or fits into fewer bytes: neither is allowed (section 5.2) */
function longLength(bytes: Uint8Array, at: number, lengthField: number): number {
  if (lengthField === length16) {
    const length = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
    return length < length16 ? refused : length;
  }
  const length = uint32(bytes, at) * 0x1_0000_0000 + uint32(bytes, at + 4);
  return length <= 0xffff || (bytes[at] as number) >= 0x80 ? refused : length;
}

/** What cannot be compressed gets a little longer: stored blocks have headers (RFC 1951 section 3.2.4). */
export function compressedBytesMax(payloadBytesMax: number): number {
  return payloadBytesMax + Math.ceil(payloadBytesMax / 1024) + 64;
}

function uint32(bytes: Uint8Array, at: number): number {
  const high = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
  return high * 0x1_0000 + (((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number));
}
