/** Carries bytes between two parties, as badly as a test wants. */

import { concatenate } from '../../chunkings.js';
import type { Outlet, TlsParty } from './party.js';

/**
 * What becomes of bytes on their way: the parts that are delivered, one by one.
 * @param offset position of the first byte in the stream of its direction
 */
export type Carry = (bytes: Uint8Array, offset: number) => readonly Uint8Array[];

const unchanged: Carry = (bytes) => [bytes];

/** One direction. What one side puts out before the other gets to read is one flight, and goes through `carry` as a whole. */
export class Line implements Outlet {
  /** Bytes that were put in. */
  byteCount = 0;
  /** Delivers nothing while true. */
  held = false;
  /** Replaces `carry` from now on. */
  tamper: ((flight: Uint8Array) => readonly Uint8Array[]) | undefined;
  /** Called with the length of each part when its receiver has taken it. */
  afterDelivery: (byteCount: number) => void = () => {};
  readonly #to: TlsParty;
  readonly #carry: Carry;
  readonly #schedule: () => void;
  #fresh: Uint8Array[] = [];
  readonly #waiting: Uint8Array[] = [];
  #ending = false;
  #ended = false;

  constructor(to: TlsParty, carry: Carry | undefined, schedule: () => void) {
    this.#to = to;
    this.#carry = carry ?? unchanged;
    this.#schedule = schedule;
  }

  write(records: Uint8Array): void {
    if (this.#ending) return;
    this.#fresh.push(new Uint8Array(records));
    this.#schedule();
  }

  /** Ends the stream after what is under way. */
  end(): void {
    this.#ending = true;
    this.#schedule();
  }

  resumed(): void {
    this.#schedule();
  }

  /** Whether something was delivered. */
  deliver(): boolean {
    if (this.#fresh.length > 0 && !this.held) {
      const flight = concatenate(this.#fresh);
      this.#fresh = [];
      this.#waiting.push(...(this.tamper?.(flight) ?? this.#carry(flight, this.byteCount)));
      this.byteCount += flight.byteLength;
    }
    const to = this.#to;
    if (to.deaf) {
      this.#waiting.length = 0;
      return false;
    }
    if (to.busy || this.held) return false;
    const part = this.#waiting.shift();
    if (part !== undefined) {
      to.receive(part);
      this.afterDelivery(part.byteLength);
      return true;
    }
    if (!this.#ending || this.#ended) return false;
    this.#ended = true;
    to.receiveEnd();
    return true;
  }
}

export interface WireOptions {
  readonly toServer?: Carry;
  readonly toClient?: Carry;
}

/** Both directions. Bytes are delivered from a microtask, never from inside the call that put them out. */
export class Wire {
  readonly toServer: Line;
  readonly toClient: Line;
  #scheduled = false;

  constructor(client: TlsParty, server: TlsParty, options: WireOptions = {}) {
    const schedule = () => this.schedule();
    this.toServer = new Line(server, options.toServer, schedule);
    this.toClient = new Line(client, options.toClient, schedule);
    client.outlet = outletOf(this.toServer, this.toClient);
    server.outlet = outletOf(this.toClient, this.toServer);
  }

  schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      // One part for each side in turn, as two sockets would have it.
      while (Number(this.toServer.deliver()) + Number(this.toClient.deliver()) > 0);
    });
  }
}

function outletOf(out: Line, back: Line): Outlet {
  return { write: (records) => out.write(records), end: () => out.end(), resumed: () => back.resumed() };
}
