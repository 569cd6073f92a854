/** How the sender of a bulk measurement and its target talk: every datagram says how many were sent before it. */

/** How long a sender goes on after the target has asked for more. */
export const goOnMs = 300;
/** How often the target asks. */
export const askEveryMs = 100;

/** A datagram that carries a count of 32 bits at its start. */
export class CountedDatagram {
  readonly bytes: Buffer;
  #count = 0;

  constructor(byteCount: number) {
    this.bytes = Buffer.alloc(byteCount, 0x2a);
    this.set(0);
  }

  set(count: number): void {
    this.#count = count;
    this.bytes[0] = count;
    this.bytes[1] = count >>> 8;
    this.bytes[2] = count >>> 16;
    this.bytes[3] = count >>> 24;
  }

  next(): void {
    this.set(this.#count + 1);
  }
}

/** How many were sent, from counts as they arrive; some are missing, and they wrap around. */
export class SentCounter {
  /** Since the first that arrived. */
  sent = 0;
  #last: number | undefined;

  /** @param bytes the beginning of a datagram */
  seen(bytes: Uint8Array): void {
    const count =
      (bytes[0] ?? 0) | ((bytes[1] ?? 0) << 8) | ((bytes[2] ?? 0) << 16) | ((bytes[3] ?? 0) << 24) | 0;
    const step = this.#last === undefined ? 0 : (count - this.#last) | 0;
    // Behind the last one: it was overtaken.
    if (step < 0) return;
    this.sent += step;
    this.#last = count;
  }
}
