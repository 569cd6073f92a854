/** What stands in a slot before a received datagram. */

import type { RemoteInfo } from 'node:dgram';
import { DatagramAddress } from '../../layer/datagram-address.js';
import { IncomingFlag, IncomingWord, Limit } from '../../protocol.gen.js';
import { scopeOf } from './addresses.js';

const sendersMax = 256;

/** One header that is written anew for each datagram. Remembers the senders of late: their addresses come as text. */
export class DatagramHeader {
  readonly bytes: Uint8Array;
  readonly #words = new Int32Array(Limit.DATAGRAM_OFFSET / Int32Array.BYTES_PER_ELEMENT);
  readonly #senders = new Map<string, DatagramAddress>();

  constructor() {
    this.bytes = new Uint8Array(this.#words.buffer);
  }

  write({ address, port }: RemoteInfo, truncated: boolean): void {
    const words = this.#words;
    const sender = this.#senderAt(address);
    const flags = truncated ? IncomingFlag.TRUNCATED : 0;
    words[IncomingWord.FAMILY] = (sender.family === 'IPv6' ? 6 : 4) | (flags << 8);
    words[IncomingWord.PORT] = port;
    words[IncomingWord.SCOPE] = sender.scopeId;
    words[IncomingWord.ADDRESS] = sender.word0;
    words[IncomingWord.ADDRESS + 1] = sender.word1;
    words[IncomingWord.ADDRESS + 2] = sender.word2;
    words[IncomingWord.ADDRESS + 3] = sender.word3;
  }

  #senderAt(text: string): DatagramAddress {
    const known = this.#senders.get(text);
    if (known !== undefined) return known;
    if (this.#senders.size === sendersMax) this.#senders.clear();
    const [address = '', zone] = text.split('%', 2);
    const { family, word0, word1, word2, word3 } = DatagramAddress.of(address, 0);
    const scopeId = zone === undefined ? 0 : scopeOf(zone);
    const sender = new DatagramAddress(family, 0, scopeId, word0, word1, word2, word3);
    this.#senders.set(text, sender);
    return sender;
  }
}
