/** Ways to make a flight of TLS records wrong. */

import { concatenate, type Random, randomSplit, withBitFlipped } from '@iocp/testkit';
import { headerBytes, record, recordsOf } from './records.js';

const contentTypes = [0x14, 0x15, 0x16, 0x17, 0x18, 0, 0x80, 0xff];
/** Values that parsers trip over. */
const edges = [0, 1, 2, 0x7f, 0x80, 0xfe, 0xff];

type Mutation = (flight: Uint8Array, random: Random, corpus: readonly Uint8Array[]) => Uint8Array;

const mutations: readonly (readonly [name: string, mutation: Mutation])[] = [
  ['bits turned', turnBits],
  ['bytes set', setBytes],
  ['bytes left out', (flight, random) => withoutRange(flight, random)],
  ['bytes doubled', (flight, random) => doubled(flight, random)],
  ['bytes put in', (flight, random) => inserted(flight, random, random.bytes(random.integer(1, 80)))],
  ['cut short', (flight, random) => flight.subarray(0, random.integer(0, flight.byteLength - 1))],
  ['spliced', splice],
  ['records left out', (flight, random) => eachRecord(flight, (one) => (random.chance(0.5) ? [] : [one]))],
  [
    'records doubled',
    (flight, random) => eachRecord(flight, (one) => (random.chance(0.5) ? [one, one] : [one])),
  ],
  ['records in another order', (flight) => concatenate(recordsOf(flight).reverse())],
  ['records of another type', retyped],
  ['records of another length', resized],
  ['records cut in two', fragmented],
  [
    'a record put in',
    (flight, random) => concatenate(shuffledIn(recordsOf(flight), randomRecord(random), random)),
  ],
  ['a record of another connection put in', foreignRecord],
  ['replaced by a flight of another connection', (_, random, corpus) => random.pick(corpus)],
  [
    'replaced by random records',
    (_, random) => concatenate(repeat(random.integer(1, 4), () => randomRecord(random))),
  ],
  ['a message of another type', (flight, random) => withByte(flight, headerBytes, random.integer(0, 30))],
  [
    'a message of another length',
    (flight, random) => withByte(flight, headerBytes + random.integer(1, 3), random.pick(edges)),
  ],
];

/** What was delivered in place of a flight. */
export interface Mutated {
  readonly parts: readonly Uint8Array[];
  /** What was done to it, for the message of a finding. */
  readonly names: readonly string[];
}

/**
 * Makes a flight wrong in one to three ways, and cuts it anywhere.
 * @param corpus flights of other connections; not empty
 */
export function mutate(flight: Uint8Array, random: Random, corpus: readonly Uint8Array[]): Mutated {
  const names: string[] = [];
  let bytes = flight;
  for (let rounds = random.pick([1, 1, 1, 2, 3]); rounds > 0 && bytes.byteLength > 0; rounds--) {
    const [name, mutation] = random.pick(mutations);
    bytes = mutation(bytes, random, corpus);
    names.push(name);
  }
  // One by one where it is not too many.
  const partBytesMax = Math.max(random.pick([1, 7, 200, 5000]), bytes.byteLength >> 8);
  const parts = random.chance(0.5) ? [bytes] : randomSplit(bytes, random, { partBytesMax });
  return { parts: parts.filter((part) => part.byteLength > 0), names };
}

function turnBits(flight: Uint8Array, random: Random): Uint8Array {
  let bytes = flight;
  for (let count = random.integer(1, 4); count > 0; count--) {
    bytes = withBitFlipped(bytes, random.integer(0, bytes.byteLength * 8 - 1));
  }
  return bytes;
}

function setBytes(flight: Uint8Array, random: Random): Uint8Array {
  let bytes = flight;
  for (let count = random.integer(1, 4); count > 0; count--) {
    bytes = withByte(bytes, random.integer(0, bytes.byteLength - 1), random.pick(edges));
  }
  return bytes;
}

function withByte(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const copy = new Uint8Array(bytes);
  if (at < copy.byteLength) copy[at] = value;
  return copy;
}

/** Two offsets, the first not behind the second. */
function range(bytes: Uint8Array, random: Random): [start: number, end: number] {
  const start = random.integer(0, bytes.byteLength - 1);
  return [start, random.integer(start, Math.min(bytes.byteLength, start + 400))];
}

function withoutRange(flight: Uint8Array, random: Random): Uint8Array {
  const [start, end] = range(flight, random);
  return concatenate([flight.subarray(0, start), flight.subarray(end)]);
}

function doubled(flight: Uint8Array, random: Random): Uint8Array {
  const [start, end] = range(flight, random);
  return concatenate([flight.subarray(0, end), flight.subarray(start)]);
}

function inserted(flight: Uint8Array, random: Random, bytes: Uint8Array): Uint8Array {
  const at = random.integer(0, flight.byteLength);
  return concatenate([flight.subarray(0, at), bytes, flight.subarray(at)]);
}

/** Begins as this flight, ends as another. */
function splice(flight: Uint8Array, random: Random, corpus: readonly Uint8Array[]): Uint8Array {
  const other = random.pick(corpus);
  const head = flight.subarray(0, random.integer(0, flight.byteLength));
  return concatenate([head, other.subarray(random.integer(0, other.byteLength))]);
}

function eachRecord(flight: Uint8Array, change: (one: Uint8Array) => readonly Uint8Array[]): Uint8Array {
  return concatenate(recordsOf(flight).flatMap(change));
}

function retyped(flight: Uint8Array, random: Random): Uint8Array {
  return eachRecord(flight, (one) => [
    random.chance(0.5) ? withByte(one, 0, random.pick(contentTypes)) : one,
  ]);
}

/** Headers that say more, or less, than there is. */
function resized(flight: Uint8Array, random: Random): Uint8Array {
  return eachRecord(flight, (one) => [
    random.chance(0.5) ? withByte(one, random.integer(3, 4), random.pick(edges)) : one,
  ]);
}

/** Legal as long as the records are not encrypted: messages may span records. */
function fragmented(flight: Uint8Array, random: Random): Uint8Array {
  return eachRecord(flight, (one) => {
    const payload = one.subarray(headerBytes);
    const at = random.integer(0, payload.byteLength);
    const [type = 0, , minor = 3] = one;
    return [record(type, minor, payload.subarray(0, at)), record(type, minor, payload.subarray(at))];
  });
}

function foreignRecord(flight: Uint8Array, random: Random, corpus: readonly Uint8Array[]): Uint8Array {
  const foreign = recordsOf(random.pick(corpus));
  return foreign.length === 0
    ? flight
    : concatenate(shuffledIn(recordsOf(flight), random.pick(foreign), random));
}

/** A right header in front of rubbish, or of the beginning of a message. */
function randomRecord(random: Random): Uint8Array {
  const payload = random.bytes(random.pick([0, 1, 2, 4, 40, 300, 17_000]));
  if (random.chance(0.5) && payload.byteLength >= 4) {
    payload.set([random.integer(0, 25), 0, random.pick(edges), random.pick(edges)]);
  }
  return record(random.pick(contentTypes), random.integer(0, 4), payload);
}

function shuffledIn(records: readonly Uint8Array[], one: Uint8Array, random: Random): Uint8Array[] {
  const at = random.integer(0, records.length);
  return [...records.slice(0, at), one, ...records.slice(at)];
}

function repeat<T>(count: number, make: () => T): T[] {
  return Array.from({ length: count }, make);
}
