import { DatagramList, OutgoingWord, type SegmentMemory } from '@iocp/core';
import { DatagramAddress } from '@iocp/core/layer';

/** As in `DatagramSendOptions`. */
export type Done = (error: Error | null) => void;

const wordsOfEntry = 16;
const lengthWord = OutgoingWord.LENGTH;
const familyWord = OutgoingWord.FAMILY;
const portWord = OutgoingWord.PORT;
const scopeWord = OutgoingWord.SCOPE;
const addressWord = OutgoingWord.ADDRESS;

/** What leaves with one SEND_TO, and what became of it so far. Used again and again. */
export class SendBatch {
  readonly list: DatagramList;
  /** Of entries that were refused once already: with which result. Null for datagrams that have their first try. */
  earlier: number[] | null = null;
  /** Nothing more may be added behind what was refused. */
  sealed = false;
  /** By number of the datagram; null when nobody wants to know, which is the rule. */
  #done: (Done | undefined)[] | null = null;
  /** Entries that were refused, and the results. Null as long as there are none. */
  #refused: Map<number, number> | null = null;

  constructor(memory: SegmentMemory) {
    this.list = new DatagramList(memory);
  }

  /** Notes who wants to know about the datagram added last. */
  noteDone(done: Done): void {
    this.#done ??= [];
    this.#done[this.list.datagrams - 1] = done;
  }

  doneOf(datagram: number): Done | undefined {
    return this.#done === null ? undefined : this.#done[datagram];
  }

  /** True when every entry that is not refused needs no look. */
  get unwatched(): boolean {
    return this.#done === null && this.#refused === null && this.earlier === null;
  }

  /** The system has refused an entry. */
  refuse(entry: number, result: number): void {
    this.#refused ??= new Map();
    this.#refused.set(entry, result);
  }

  /** Why an entry was refused; undefined when it was not. */
  refusalOf(entry: number): number | undefined {
    return this.#refused === null ? undefined : this.#refused.get(entry);
  }

  bytesOf(entry: number): number {
    return this.list.words[entry * wordsOfEntry + lengthWord] as number;
  }

  /** Where an entry goes; null when it goes where the socket is connected to. */
  targetOf(entry: number): DatagramAddress | null {
    const { words } = this.list;
    const at = entry * wordsOfEntry;
    const family = (words[at + familyWord] as number) & 0xff;
    if (family === 0) return null;
    return new DatagramAddress(
      family === 6 ? 'IPv6' : 'IPv4',
      words[at + portWord] as number,
      words[at + scopeWord] as number,
      words[at + addressWord] as number,
      words[at + addressWord + 1] as number,
      words[at + addressWord + 2] as number,
      words[at + addressWord + 3] as number,
    );
  }

  /** Takes the datagrams of a refused entry over, to send them one by one. */
  addPartsOf(other: SendBatch, entry: number, result: number): void {
    const start = this.list.datagrams;
    const from = other.list.first(entry);
    const parts = other.list.datagramsOf(entry);
    this.list.addPartsOf(other.list, entry);
    if (this.earlier !== null) this.earlier.push(result);
    for (let part = 0; part < parts; part++) {
      const done = other.doneOf(from + part);
      if (done === undefined) continue;
      this.#done ??= [];
      this.#done[start + part] = done;
    }
  }

  /** Drops the datagram that waits longest. */
  dropFirst(): { readonly bytes: number; readonly done: Done | undefined } {
    const done = this.#done?.shift();
    this.earlier?.shift();
    return { bytes: this.list.dropFirst(), done };
  }

  /** Ready to be used again. */
  clear(): void {
    this.list.releaseAll();
    this.earlier = null;
    this.sealed = false;
    this.#done = null;
    this.#refused = null;
  }
}
