import { type CompletionPort, SegmentList } from '@iocp/core';

/** Replies are compared byte by byte once in so many arrivals; their first and last byte always. */
const fullCheckEvery = 1024;

/** What a client sends as one message, and what the server answers, both with all that belongs to it on the wire. */
export interface Exchange {
  readonly request: Buffer;
  readonly reply: Buffer;
}

/** @param variant a number: other variants have other contents */
export function contentsOf(messageBytes: number, variant: number): Buffer {
  return Buffer.from(
    Uint8Array.from({ length: messageBytes }, (_, index) => (index * 7 + variant * 37) & 0xff),
  );
}

/** A message on TCP comes back as it is. */
export function plainExchange(messageBytes: number, variant: number): Exchange {
  const contents = contentsOf(messageBytes, variant);
  return { request: contents, reply: contents };
}

/**
 * A message with contents of its own, in memory that is ready to be sent any number of times, once or several times in a
 * row. Sending it costs the load generator one record and nothing else.
 */
export class Payload {
  readonly replyBytes: number;
  readonly #reply: Buffer;
  /** Element n - 1 holds n messages. */
  readonly #segments: SegmentList[] = [];
  #arrivals = 0;

  /** @param inFlight how many messages may be sent in a row */
  constructor(port: CompletionPort, { request, reply }: Exchange, inFlight: number) {
    this.replyBytes = reply.length;
    this.#reply = reply;
    for (let count = 1; count <= inFlight; count++) {
      const segments = new SegmentList(port);
      segments.add(Buffer.concat(Array.from({ length: count }, () => request)));
      this.#segments.push(segments);
    }
  }

  /** What to send for `count` messages. */
  segments(count: number): SegmentList {
    return this.#segments[count - 1] as SegmentList;
  }

  /**
   * Checks bytes of a reply.
   * @param position where in a reply they begin
   */
  matches(bytes: Uint8Array, position: number): boolean {
    const { replyBytes } = this;
    const reply = this.#reply;
    const lastPosition = (position + bytes.length - 1) % replyBytes;
    if (bytes[0] !== reply[position] || bytes[bytes.length - 1] !== reply[lastPosition]) return false;
    this.#arrivals += 1;
    return this.#arrivals % fullCheckEvery !== 0 || this.matchesWhole(bytes, position);
  }

  /** The same, byte by byte. */
  matchesWhole(bytes: Uint8Array, position: number): boolean {
    return bytes.every((byte, index) => byte === this.#reply[(position + index) % this.replyBytes]);
  }

  /** The port may have the memory back. */
  release(): void {
    for (const segments of this.#segments) segments.releaseAll();
  }
}
