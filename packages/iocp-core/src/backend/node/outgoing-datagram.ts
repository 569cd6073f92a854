/** One datagram of a SEND_TO. */

import { DatagramAddress } from '../../layer/datagram-address.js';
import { OutgoingWord, RECORD_WORDS } from '../../protocol.gen.js';

/** Words that a datagram has in the submission block. */
export const datagramWords = RECORD_WORDS * 2;

export interface OutgoingDatagram {
  readonly payload: Uint8Array;
  /** `OutgoingWord`, in the submission block: there until the record has been read. */
  readonly words: Int32Array;
}

/** Family of the addresses: 4, 6, or 0 for the peer that the socket is connected to. */
export function familyOf({ words }: OutgoingDatagram): number {
  return (words[OutgoingWord.FAMILY] as number) & 0xff;
}

/** True when it asks for a source, a type of service, a time to live, or to be cut. */
export function hasControls({ words }: OutgoingDatagram): boolean {
  const flags = (words[OutgoingWord.FAMILY] as number) >> 8;
  const segmentBytes = (words[OutgoingWord.CONTROL] as number) & 0xffff;
  return flags !== 0 || segmentBytes !== 0;
}

/** Where it goes, if it has a family. */
export function destinationOf({ words }: OutgoingDatagram): DatagramAddress {
  const [word0, word1, word2, word3] = words.subarray(OutgoingWord.ADDRESS) as unknown as AddressWords;
  const family = (words[OutgoingWord.FAMILY] as number) & 0xff;
  const port = words[OutgoingWord.PORT] as number;
  const scopeId = words[OutgoingWord.SCOPE] as number;
  return new DatagramAddress(family === 6 ? 'IPv6' : 'IPv4', port, scopeId, word0, word1, word2, word3);
}

type AddressWords = readonly [number, number, number, number];
