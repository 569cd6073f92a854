/** As much of a name server as `dig` needs: RFC 1035, sections 3.2 and 4.1. */

import type { DatagramBatch } from '@iocp/core/layer';
import type { UdpHandlers, UdpSocket } from '../src/index.js';

const headerBytes = 12;
const notFound = 3;

export class Responder implements UdpHandlers {
  readonly asked: string[] = [];
  readonly #addresses: ReadonlyMap<string, string>;

  constructor(addresses: ReadonlyMap<string, string>) {
    this.#addresses = addresses;
  }

  messages(_socket: UdpSocket, batch: DatagramBatch): void {
    for (const message of batch) {
      const query = Buffer.from(message.data);
      const { name, end } = readName(query, headerBytes);
      this.asked.push(name);
      message.reply(answer(query.subarray(0, end + 4), this.#addresses.get(name)));
    }
  }
}

function readName(query: Buffer, start: number): { name: string; end: number } {
  const labels: string[] = [];
  let at = start;
  for (let length = query.readUInt8(at); length > 0; length = query.readUInt8(at)) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), end: at + 1 };
}

/** The question back, with the address when there is one. */
function answer(question: Buffer, address: string | undefined): Buffer {
  const header = Buffer.from(question);
  header.writeUInt16BE(0x8580 | (address === undefined ? notFound : 0), 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(address === undefined ? 0 : 1, 6);
  header.fill(0, 8, headerBytes);
  if (address === undefined) return header;
  const record = Buffer.alloc(16);
  // The name is where the question has it; type A, class IN, a minute to live, four bytes.
  record.writeUInt16BE(0xc000 | headerBytes, 0);
  record.writeUInt16BE(1, 2);
  record.writeUInt16BE(1, 4);
  record.writeUInt32BE(60, 6);
  record.writeUInt16BE(4, 10);
  record.set(address.split('.').map(Number), 12);
  return Buffer.concat([header, record]);
}
