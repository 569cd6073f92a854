/**
 * A seeded fuzzer of what a server's session reads after the handshake: records with the right keys and random content, which get as
 * far as the content, and damaged ones. What must come of the former is known from a model of a few lines.
 */

import assert from 'node:assert/strict';
import { concatenate, Random, randomSplit, type TestCertificates } from '@iocp/testkit';
import { loadAddon, words } from '../../src/engine/native/addon.js';
import { type NativeContext, type NativeSession, Status, Word } from '../../src/engine/native/binding.js';
import { contextOf } from '../support/engine-pair.js';
import { type NativePair, NativePairs } from '../support/native-sessions.js';
import { Forger, type SuiteName, suiteNames } from './forger.js';
import type { FuzzOptions } from './fuzzer.js';
import { mutate } from './mutator.js';

const alertType = 21;
const handshakeType = 22;
const dataType = 23;
const keyUpdateType = 24;
const closeNotify = 0;
const userCanceled = 90;
const contentBytesMax = 16_384;
const idleRecordsMax = 32;

/** What a server makes of the records so far. */
class Model {
  readonly plain: Uint8Array[] = [];
  state: 'open' | 'ended' | 'failed' = 'open';
  #idle = 0;
  /** A message of the handshake that is not complete. */
  #message: number[] = [];

  /** @returns whether the keys change behind the record */
  take(type: number, content: Uint8Array): boolean {
    if (this.state !== 'open') return false;
    if (type === dataType && content.byteLength > 0 && this.#message.length === 0) {
      if (content.byteLength > contentBytesMax) this.state = 'failed';
      else this.plain.push(content);
      this.#idle = 0;
      return false;
    }
    const isKnown =
      type === dataType || (content.byteLength > 0 && (type === alertType || type === handshakeType));
    const isMixed = type !== handshakeType && this.#message.length > 0;
    if (++this.#idle > idleRecordsMax || !isKnown || isMixed) this.state = 'failed';
    else if (type === alertType) this.#takeAlert(content);
    else if (type === handshakeType) return this.#takeHandshake(content);
    return false;
  }

  #takeAlert(content: Uint8Array): void {
    if (content.byteLength !== 2) this.state = 'failed';
    else if (content[1] === closeNotify) this.state = 'ended';
    else if (content[1] !== userCanceled) this.state = 'failed';
  }

  #takeHandshake(content: Uint8Array): boolean {
    const message = [...this.#message, ...content];
    const start = [keyUpdateType, 0, 0, 1];
    const isKeyUpdate =
      message.length <= 5 && message.slice(0, 4).every((byte, index) => byte === start[index]);
    const isComplete = message.length === 5;
    if (!isKeyUpdate || (isComplete && (message[4] as number) > 1)) this.state = 'failed';
    this.#message = isComplete ? [] : message;
    return isComplete && this.state === 'open';
  }
}

interface Ground {
  readonly suite: SuiteName;
  readonly serverContext: NativeContext;
  readonly clientContext: NativeContext;
}

/** Runs rounds until it is enough, and gives their number. Throws at the first finding. */
export function fuzzRecords(certificates: TestCertificates, { seed, enough }: FuzzOptions): number {
  const { ca, server } = certificates;
  const grounds = suiteNames.map((suite) => ({
    suite,
    serverContext: contextOf({ cert: server.cert, key: server.key }).forNative(),
    clientContext: contextOf({ ca: ca.cert, ciphers: suite }).forNative(),
  }));
  const pairs = new NativePairs();
  let round = 0;
  for (; !enough(round); round++) {
    const random = new Random(seed + round);
    try {
      runRound(pairs, random.pick(grounds), random);
    } catch (error) {
      if (error instanceof Error) error.message = `Seed ${seed}, round ${round}: ${error.message}`;
      throw error;
    } finally {
      pairs.free();
    }
  }
  return round;
}

function runRound(pairs: NativePairs, { suite, serverContext, clientContext }: Ground, random: Random): void {
  const pair = pairs.connect(clientContext, serverContext, {
    client: { keylog: true },
    // The whole stream is for our own records.
    server: { recordsByOpenssl: 0 },
    talk: false,
  });
  const forger = new Forger(suite, clientSecret(pair));
  const model = new Model();
  const records = Array.from({ length: random.integer(1, random.pick([3, 10, 60])) }, () =>
    forge(forger, model, random),
  );
  const stream = concatenate(records);
  const isDamaged = random.chance(0.3);
  const parts = isDamaged
    ? mutate(stream, random, [stream]).parts
    : random.chance(0.5)
      ? [stream]
      : randomSplit(stream, random, { partBytesMax: random.pick([7, 1000, 40_000]) });
  const plain = receive(pair.server.session, parts, random);

  const expected = Buffer.concat(model.plain);
  if (!isDamaged) {
    assert.equal(plain.state, model.state);
    assert.ok(plain.bytes.equals(expected), 'what comes out is what was sent');
  } else {
    assert.ok(plain.bytes.equals(expected.subarray(0, plain.bytes.length)), 'what comes out was sent');
  }
  if (plain.state === 'failed') {
    assert.match(pair.server.session.takeError().code, /^ERR_SSL_/);
  } else {
    // Whatever keys it has by now.
    pair.client.plain = Buffer.alloc(0);
    pair.client.receive(pair.server.send('still here'));
    assert.equal(pair.client.plain.toString(), 'still here');
  }
}

function clientSecret({ client }: NativePair): Buffer {
  const lines = client.session.takeKeylog().map((line) => Buffer.from(line).toString());
  const line = lines.find((each) => each.startsWith('CLIENT_TRAFFIC_SECRET_0')) ?? '';
  return Buffer.from(line.trim().split(' ')[2] as string, 'hex');
}

function forge(forger: Forger, model: Model, random: Random): Uint8Array {
  const [type, content] = randomContent(random);
  const padding = random.chance(0.2) ? random.integer(1, 200) : 0;
  const inner = concatenate([content, Uint8Array.of(type), new Uint8Array(padding)]);
  const record = forger.seal(inner);
  if (type === 0) {
    // The last byte of the content that is no zero passes for the type.
    let end = content.byteLength;
    while (end > 0 && content[end - 1] === 0) end--;
    if (model.take(end === 0 ? 0 : (content[end - 1] as number), content.subarray(0, Math.max(0, end - 1))))
      forger.update();
  } else if (model.take(type, content)) {
    forger.update();
  }
  return record;
}

function randomContent(random: Random): [type: number, content: Uint8Array] {
  const kind = random.next();
  if (kind < 0.6)
    return [dataType, Buffer.alloc(random.pick([1, 10, 300, 5000, contentBytesMax]), random.bytes(16))];
  if (kind < 0.7) return [dataType, new Uint8Array(0)];
  if (kind < 0.85) return [handshakeType, Uint8Array.of(keyUpdateType, 0, 0, 1, random.integer(0, 1))];
  if (kind < 0.9) {
    const message = Uint8Array.of(
      keyUpdateType,
      0,
      0,
      random.integer(0, 2),
      random.integer(0, 2),
      random.integer(0, 255),
    );
    return [handshakeType, message.subarray(0, random.integer(0, 6))];
  }
  if (kind < 0.95)
    return [
      alertType,
      Uint8Array.of(1, random.pick([closeNotify, userCanceled, 40]), 0).subarray(
        0,
        random.pick([2, 2, 2, 1, 3]),
      ),
    ];
  return [random.integer(0, 255), random.bytes(random.integer(0, 20))];
}

function receive(
  session: NativeSession,
  parts: readonly Uint8Array[],
  random: Random,
): { bytes: Buffer; state: Model['state'] } {
  const chunks: Buffer[] = [];
  const room = Buffer.allocUnsafe(random.pick([1000, 16_384, 32_768]));
  let status = 0;
  for (const part of parts) {
    let offset = 0;
    do {
      session.receive(part, offset, room);
      offset += words[Word.CONSUMED] as number;
      status = words[Word.STATUS] as number;
      chunks.push(Buffer.from(room.subarray(0, words[Word.PLAIN])));
    } while ((status & Status.MORE) !== 0);
    assert.equal(offset, part.byteLength, 'all input is consumed');
  }
  if ((words[Word.SPILLED] as number) > 0) session.takeOutput(Buffer.alloc(words[Word.SPILLED] as number), 0);
  const state =
    (status & Status.FAILED) !== 0 ? 'failed' : (status & Status.PEER_ENDED) !== 0 ? 'ended' : 'open';
  return { bytes: Buffer.concat(chunks), state };
}

/** For leak checks. */
export const sessionsAlive = (): number => loadAddon().counts().sessions;
