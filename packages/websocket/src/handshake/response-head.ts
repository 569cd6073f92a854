/** The head of an HTTP/1.1 response, from bytes cut anywhere (RFC 9112). Nothing is forgiven that two readers could understand differently. */

import { handshakeFailed } from './handshake-error.js';
import { isToken } from './header-tokens.js';

/** Names in lower case; fields of one name are joined with `', '`. */
export type ResponseHeaders = Readonly<Record<string, string>>;

/** What a server has answered. */
export interface ResponseHead {
  readonly statusCode: number;
  readonly statusMessage: string;
  /** Of HTTP/1: 0 or 1. */
  readonly minorVersion: number;
  readonly headers: ResponseHeaders;
}

/** Bytes of all heads together: those of 1xx responses and the final one. */
export const headBytesMax = 16 * 1024;

const beginning = Buffer.from('HTTP/1.');
const ending = Buffer.from('\r\n\r\n');

/** Reads heads until there is a final one. */
export class ResponseHeadReader {
  #response: ResponseHead | null = null;
  /** Holds a head that came in pieces; made when that happens. */
  #held: Buffer | null = null;
  #heldBytes = 0;
  #bytesLeft = headBytesMax;

  /** The final response, once it is there. */
  get response(): ResponseHead | null {
    return this.#response;
  }

  /** Whether anything of an answer has come. */
  get begun(): boolean {
    return this.#heldBytes > 0 || this.#bytesLeft < headBytesMax;
  }

  /**
   * @param bytes lent
   * @returns how many of them were taken; those behind the head are left
   * @throws {HandshakeError} when this is no answer of a web server, or too long
   */
  read(bytes: Uint8Array): number {
    let taken = 0;
    while (this.#response === null && taken < bytes.byteLength) {
      taken += this.#readOne(taken === 0 ? bytes : bytes.subarray(taken));
    }
    return taken;
  }

  /** Up to the end of one head. */
  #readOne(bytes: Uint8Array): number {
    const before = this.#heldBytes;
    const whole = this.#append(bytes);
    const beginningBytes = Math.min(whole.byteLength, beginning.byteLength);
    if (beginning.compare(whole, 0, beginningBytes, 0, beginningBytes) !== 0) {
      throw handshakeFailed('The server does not answer as a web server does: its answer is not HTTP/1');
    }
    const end = whole.indexOf(ending, Math.max(0, before - ending.byteLength + 1));
    const headBytes = end + ending.byteLength;
    if (end < 0 ? whole.byteLength >= this.#bytesLeft : headBytes > this.#bytesLeft) throw tooLong();
    if (end < 0) {
      this.#hold(whole, before);
      return bytes.byteLength;
    }
    const head = parseHead(whole.toString('latin1', 0, end));
    this.#bytesLeft -= headBytes;
    this.#heldBytes = 0;
    // Informational responses come before the one that counts (RFC 9110 section 15.2); 101 is the one that counts here.
    if (head.statusCode >= 200 || head.statusCode === 101) {
      this.#response = head;
      this.#held = null;
    }
    return headBytes - before;
  }

  /** What is held of this head and as much of `bytes` as may belong to it. */
  #append(bytes: Uint8Array): Buffer {
    if (this.#heldBytes === 0) return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const held = this.#held as Buffer;
    const room = Math.min(bytes.byteLength, held.byteLength - this.#heldBytes);
    held.set(bytes.subarray(0, room), this.#heldBytes);
    return held.subarray(0, this.#heldBytes + room);
  }

  #hold(whole: Buffer, before: number): void {
    this.#held ??= Buffer.allocUnsafeSlow(headBytesMax);
    if (before === 0) this.#held.set(whole);
    this.#heldBytes = whole.byteLength;
  }
}

function parseHead(text: string): ResponseHead {
  const lines = text.split('\r\n');
  const status = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?$/.exec(lines[0] as string);
  if (status === null)
    throw handshakeFailed("The first line of the server's answer is no status line of HTTP/1.1");
  const headers: Record<string, string> = Object.create(null);
  for (let index = 1; index < lines.length; index++) {
    const [name, value] = parseField(lines[index] as string);
    headers[name] = name in headers ? `${headers[name]}, ${value}` : value;
  }
  const [, minorVersion, statusCode, statusMessage = ''] = status;
  return { statusCode: Number(statusCode), statusMessage, minorVersion: Number(minorVersion), headers };
}

function parseField(line: string): [name: string, value: string] {
  const colon = line.indexOf(':');
  const name = line.slice(0, Math.max(0, colon));
  // Also finds continuations of the line before, which are obsolete (RFC 9112 section 5.2), and lone CRs and LFs.
  if (!isToken(name)) throw handshakeFailed("The server's answer has a line that is no header field");
  const value = line.slice(colon + 1);
  if (/[^\t\x20-\x7e\x80-\xff]/.test(value)) {
    throw handshakeFailed(`The server's answer has a control character in the header field ${name}`);
  }
  return [name.toLowerCase(), withoutSpacesAround(value)];
}

function withoutSpacesAround(value: string): string {
  let start = 0;
  let end = value.length;
  while (start < end && isSpace(value.charCodeAt(start))) start++;
  while (end > start && isSpace(value.charCodeAt(end - 1))) end--;
  return value.slice(start, end);
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

function tooLong() {
  return handshakeFailed(`The head of the server's answer is longer than ${headBytesMax} bytes`);
}
