/**
 * A client's first message (RFC 8446 section 4.1.2), read before `node:tls` gets it: what a server chooses by it is known then
 * before there is a TLSSocket, whatever callbacks the runtime has.
 */

import type { HelloFacts } from '../../options/handshake-settings.js';

export interface ClientHello extends HelloFacts {
  /** It asks for an OCSP response (RFC 6066 section 8). */
  readonly wantsOcsp: boolean;
  /** The name of the ticket key that its ticket was made with, as far as servers do as RFC 5077 section 4 says. */
  readonly ticketKeyName: Buffer | undefined;
}

const handshakeRecord = 22;
const clientHelloMessage = 1;
const recordHeaderBytes = 5;
const messageHeaderBytes = 4;
/** What RFC 8446 section 5.1 allows, and what OpenSSL takes; whatever is longer, it refuses. */
const recordBytesMax = 1 << 14;
const messageBytesMax = 131_396;
const servernameBytesMax = 255;
const ticketKeyNameBytes = 16;

// Extensions, and kinds in them.
const serverName = 0;
const hostName = 0;
const statusRequest = 5;
const ocsp = 1;
const applicationLayerProtocols = 16;
const sessionTicket = 35;
const preSharedKey = 41;

/** What is said by something that is no ClientHello; OpenSSL will refuse it. */
const nothing: ClientHello = {
  servername: undefined,
  protocols: [],
  wantsOcsp: false,
  ticketKeyName: undefined,
};

/** Puts the message together from the records that it comes in. */
export class ClientHelloReader {
  readonly #header = Buffer.alloc(recordHeaderBytes);
  #headerBytes = 0;
  #recordBytesLeft = 0;
  readonly #pieces: Buffer[] = [];
  #messageBytes = 0;
  #messageBytesWanted = messageHeaderBytes;

  /** @returns undefined while it is not whole. Once it has returned something, it wants no more. */
  add(chunk: Buffer): ClientHello | undefined {
    let at = 0;
    while (at < chunk.byteLength) {
      if (this.#recordBytesLeft > 0) {
        const piece = chunk.subarray(at, at + this.#recordBytesLeft);
        at += piece.byteLength;
        const hello = this.#addPiece(piece);
        if (hello !== undefined) return hello;
      } else {
        this.#header[this.#headerBytes++] = chunk[at++] as number;
        if (this.#headerBytes === recordHeaderBytes && !this.#openRecord()) return nothing;
      }
    }
    return undefined;
  }

  #openRecord(): boolean {
    const [type, majorVersion] = this.#header;
    this.#headerBytes = 0;
    this.#recordBytesLeft = this.#header.readUInt16BE(3);
    const lengthFits = this.#recordBytesLeft > 0 && this.#recordBytesLeft <= recordBytesMax;
    return type === handshakeRecord && majorVersion === 3 && lengthFits;
  }

  #addPiece(piece: Buffer): ClientHello | undefined {
    this.#pieces.push(piece);
    this.#recordBytesLeft -= piece.byteLength;
    this.#messageBytes += piece.byteLength;
    if (this.#messageBytes < this.#messageBytesWanted) return undefined;
    if (this.#messageBytesWanted === messageHeaderBytes) {
      const header = Buffer.concat(this.#pieces, messageHeaderBytes);
      this.#messageBytesWanted += header.readUIntBE(1, 3);
      if (header[0] !== clientHelloMessage || this.#messageBytesWanted > messageBytesMax) return nothing;
      if (this.#messageBytes < this.#messageBytesWanted) return undefined;
    }
    return readHello(Buffer.concat(this.#pieces, this.#messageBytesWanted).subarray(messageHeaderBytes));
  }
}

function readHello(message: Buffer): ClientHello {
  const extensions = new Map<number, Buffer>();
  const whole = orUndefined(() => {
    const hello = new WireReader(message);
    // Version, random, session id, cipher suites, compression methods.
    hello.bytes(2 + 32);
    for (const lengthBytes of [1, 2, 1]) hello.vector(lengthBytes);
    const list = new WireReader(hello.isAtEnd ? Buffer.alloc(0) : hello.vector(2));
    while (!list.isAtEnd) extensions.set(list.number(2), list.vector(2));
    return true;
  });
  if (whole === undefined) return nothing;
  const read = <T>(type: number, parse: (extension: WireReader) => T): T | undefined => {
    const extension = extensions.get(type);
    return extension && orUndefined(() => parse(new WireReader(extension)));
  };
  return {
    servername: read(serverName, readServername),
    protocols: read(applicationLayerProtocols, readProtocols) ?? [],
    wantsOcsp: read(statusRequest, (request) => request.number(1) === ocsp) ?? false,
    ticketKeyName:
      read(preSharedKey, (keys) =>
        new WireReader(new WireReader(keys.vector(2)).vector(2)).bytes(ticketKeyNameBytes),
      ) ?? read(sessionTicket, (ticket) => ticket.bytes(ticketKeyNameBytes)),
  };
}

function readServername(extension: WireReader): string | undefined {
  const names = new WireReader(extension.vector(2));
  const type = names.number(1);
  const name = names.vector(2);
  const isOne = type === hostName && names.isAtEnd && extension.isAtEnd;
  const isValid = name.byteLength > 0 && name.byteLength <= servernameBytesMax && !name.includes(0);
  return isOne && isValid ? name.toString('latin1').toLowerCase() : undefined;
}

function readProtocols(extension: WireReader): string[] {
  const names = new WireReader(extension.vector(2));
  const protocols: string[] = [];
  while (!names.isAtEnd) protocols.push(names.vector(1).toString('latin1'));
  return extension.isAtEnd && !protocols.includes('') ? protocols : [];
}

function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** Numbers and vectors as TLS writes them (RFC 8446 section 3). Throws a RangeError instead of reading past the end. */
class WireReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.byteLength;
  }

  bytes(count: number): Buffer {
    const end = this.#at + count;
    if (end > this.#bytes.byteLength) throw new RangeError('past the end');
    const result = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return result;
  }

  number(byteCount: number): number {
    return this.bytes(byteCount).readUIntBE(0, byteCount);
  }

  /** As many bytes as a length before them says. */
  vector(lengthBytes: number): Buffer {
    return this.bytes(this.number(lengthBytes));
  }
}
