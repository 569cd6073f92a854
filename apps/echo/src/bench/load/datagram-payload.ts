import { type CompletionPort, DatagramList } from '@iocp/core';

/** Replies are compared byte by byte once in so many arrivals; their length, first and last byte always. */
const fullCheckEvery = 1024;

/** Datagrams of the same contents, ready to be sent any number of times by a connected socket. */
export class DatagramPayload {
  readonly #message: Buffer;
  /** Element n - 1 holds n datagrams. */
  readonly #lists: DatagramList[] = [];
  #arrivals = 0;

  /**
   * @param variant a number: other variants have other contents
   * @param inFlight how many datagrams may be sent at once
   */
  constructor(port: CompletionPort, messageBytes: number, variant: number, inFlight: number) {
    this.#message = Buffer.from(
      Uint8Array.from({ length: messageBytes }, (_, index) => (index * 7 + variant * 37) & 0xff),
    );
    for (let count = 1; count <= inFlight; count++) {
      const list = new DatagramList(port);
      for (let each = 0; each < count; each++) list.add(this.#message, null);
      this.#lists.push(list);
    }
  }

  /** What to send for `count` datagrams. */
  list(count: number): DatagramList {
    return this.#lists[count - 1] as DatagramList;
  }

  matches(bytes: Uint8Array): boolean {
    const message = this.#message;
    const last = message.length - 1;
    if (bytes.length !== message.length || bytes[0] !== message[0] || bytes[last] !== message[last])
      return false;
    this.#arrivals += 1;
    return this.#arrivals % fullCheckEvery !== 0 || message.equals(bytes);
  }

  /** The port may have the memory back. */
  release(): void {
    for (const list of this.#lists) list.releaseAll();
  }
}
