/** Datagrams that have arrived and are in no slot yet. */

import type { RemoteInfo } from 'node:dgram';
import { Limit } from '../../protocol.gen.js';

export interface IncomingDatagram {
  readonly payload: Uint8Array;
  readonly sender: RemoteInfo;
}

/**
 * Stands for the receive buffer of the kernel, which `node:dgram` empties whether anybody receives or not. First in, first
 * out; what it has no room for is dropped and counted.
 */
export class DatagramInbox {
  /** Room in bytes, each datagram with what it takes in a slot; an empty inbox takes any. The default is that of Linux. */
  bytesMax = 212_992;
  dropped = 0;
  readonly #waiting: IncomingDatagram[] = [];
  #bytes = 0;

  get first(): IncomingDatagram | undefined {
    return this.#waiting[0];
  }

  push(datagram: IncomingDatagram): void {
    const bytes = bytesOf(datagram);
    if (this.#bytes > 0 && this.#bytes + bytes > this.bytesMax) {
      this.dropped++;
      return;
    }
    this.#bytes += bytes;
    this.#waiting.push(datagram);
  }

  removeFirst(): void {
    const first = this.#waiting.shift();
    if (first !== undefined) this.#bytes -= bytesOf(first);
  }

  clear(): void {
    this.#waiting.length = 0;
    this.#bytes = 0;
  }
}

function bytesOf({ payload }: IncomingDatagram): number {
  return Limit.DATAGRAM_OFFSET + payload.length;
}
