import { type CompletionPort, SegmentList } from '@iocp/core';

/** Replies are compared byte by byte once in so many arrivals; their first and last byte always. */
const fullCheckEvery = 1024;

/**
 * A message with contents of its own, in memory that is ready to be sent any number of times, once or several times in a
 * row. Sending it costs the load generator one record and nothing else.
 */
export class Payload {
  readonly messageBytes: number;
  readonly #message: Buffer;
  /** Element n - 1 holds n messages. */
  readonly #segments: SegmentList[] = [];
  #arrivals = 0;

  /**
   * @param variant a number: other variants have other contents
   * @param inFlight how many messages may be sent in a row
   */
  constructor(port: CompletionPort, messageBytes: number, variant: number, inFlight: number) {
    this.messageBytes = messageBytes;
    this.#message = Buffer.from(
      Uint8Array.from({ length: messageBytes }, (_, index) => (index * 7 + variant * 37) & 0xff),
    );
    for (let count = 1; count <= inFlight; count++) {
      const segments = new SegmentList(port);
      segments.add(Buffer.concat(Array.from({ length: count }, () => this.#message)));
      this.#segments.push(segments);
    }
  }

  /** What to send for `count` messages. */
  segments(count: number): SegmentList {
    return this.#segments[count - 1] as SegmentList;
  }

  /**
   * Checks bytes of a reply.
   * @param position where in a message they begin
   */
  matches(bytes: Uint8Array, position: number): boolean {
    const { messageBytes } = this;
    const message = this.#message;
    const lastPosition = (position + bytes.length - 1) % messageBytes;
    if (bytes[0] !== message[position] || bytes[bytes.length - 1] !== message[lastPosition]) return false;
    this.#arrivals += 1;
    return this.#arrivals % fullCheckEvery !== 0 || this.#matchesWhole(bytes, position);
  }

  /** The port may have the memory back. */
  release(): void {
    for (const segments of this.#segments) segments.releaseAll();
  }

  #matchesWhole(bytes: Uint8Array, position: number): boolean {
    return bytes.every((byte, index) => byte === this.#message[(position + index) % this.messageBytes]);
  }
}
