/**
 * A seeded fuzzer of the engines' input: connections between two of them, of which one gets to read what it should not. The
 * keys of a connection are random and not ours to seed, so the same seed does the same to other bytes.
 */

import {
  type Carry,
  pattern,
  Random,
  type TestCertificates,
  type TlsConnectOptions,
  type TlsEnginePair,
  type TlsHandshakeOptions,
  type TlsParty,
  TlsScene,
  type TlsTestContext,
  turns,
} from '@iocp/testkit';
import { mutate } from './mutator.js';

const versions = ['TLSv1.2', 'TLSv1.3'] as const;
/** Rounds after which nothing of them may be left. */
const roundsBetweenChecks = 100;

export interface FuzzOptions {
  readonly seed: number;
  /** The fuzzer stops when this says so, which is asked before each round. */
  readonly enough: (round: number) => boolean;
}

/** Of what is said: within a record, and more than one. */
const lengths = [1, 100, 100, 3000, 40_000];

/** What a version needs that is made once. */
interface Ground {
  readonly scene: TlsScene;
  /** Flights of good connections. */
  readonly corpus: readonly Uint8Array[];
  readonly sessions: readonly Buffer[];
  readonly clientContext: { readonly made: TlsTestContext };
  readonly serverContext: { readonly made: TlsTestContext };
  readonly otherContext: TlsTestContext;
}

/** Runs rounds until it is enough, and gives their number. Rejects with the first finding. */
export async function fuzz(
  pair: TlsEnginePair,
  certificates: TestCertificates,
  { seed, enough }: FuzzOptions,
): Promise<number> {
  const grounds = [];
  for (const version of versions) grounds.push(await prepare(new TlsScene(pair, version, certificates)));
  let round = 0;
  for (; !enough(round); round++) {
    const random = new Random(seed + round);
    const ground = random.pick(grounds);
    try {
      await runRound(ground, random);
      if (round % roundsBetweenChecks === 0) await pair.assertReleased();
    } catch (error) {
      ground.scene.abandon(error);
      if (error instanceof Error) error.message = `Seed ${seed}, round ${round}: ${error.message}`;
      throw error;
    }
  }
  await pair.assertReleased();
  return round;
}

/** Records the flights of good connections, with and without the extras. */
async function prepare(scene: TlsScene): Promise<Ground> {
  const { ca, client, otherHost } = scene.certificates;
  const clientContext = { made: scene.clientContext(client) };
  const serverContext = { made: scene.serverContext({ ca: ca.cert }) };
  const corpus: Uint8Array[] = [];
  const keep: Carry = (bytes) => {
    corpus.push(new Uint8Array(bytes));
    return [bytes];
  };
  const sessions: Buffer[] = [];
  const contexts = { clientContext, serverContext };
  const extras = {
    server: { requestCert: true, alpnProtocols: ['a', 'b'] },
    client: { alpnProtocols: ['b'] },
  };
  for (const options of [{}, extras]) {
    const connection = scene.connect({ ...contexts, ...options, toServer: keep, toClient: keep });
    await connection.converse();
    sessions.push(...connection.client.sessions);
  }
  const resumed = { ...contexts, client: { session: sessions[0] as Buffer }, toServer: keep, toClient: keep };
  await scene.connect(resumed).converse();
  scene.release();
  return { scene, corpus, sessions, ...contexts, otherContext: scene.serverContext(otherHost) };
}

async function runRound(ground: Ground, random: Random): Promise<void> {
  const { scene, clientContext, serverContext } = ground;
  const sent = {
    client: pattern(random.pick(lengths)),
    server: pattern(random.pick(lengths)),
  };
  const connection = scene.connect({
    clientContext,
    serverContext,
    client: clientOptions(ground, random),
    server: serverOptions(ground, random),
    ...badWire(ground.corpus, random),
    prepare: (client, server) => {
      talk(client, sent.client, random);
      talk(server, sent.server, random);
      if (random.chance(0.1)) destroyAt(random.pick([client, server]), random.integer(0, 12));
    },
  });
  await connection.assertTruthful(sent);
  scene.release();
}

function clientOptions({ sessions }: Ground, random: Random): TlsHandshakeOptions {
  return {
    // Then damaged certificates are no reason to stop.
    rejectUnauthorized: random.chance(0.3),
    keylog: random.chance(0.2),
    requestOcsp: random.chance(0.3),
    servername: random.pick(['localhost', 'other.test', '']),
    expectedHost: 'localhost',
    ...(random.chance(0.4) ? { alpnProtocols: ['b', 'c'] } : {}),
    ...(random.chance(0.4) ? { session: random.pick(sessions) } : {}),
  };
}

function serverOptions({ otherContext }: Ground, random: Random): TlsHandshakeOptions {
  const answer = <T>(value: T) => (random.chance(0.5) ? value : turns(1).then(() => value));
  return {
    requestCert: random.chance(0.3),
    rejectUnauthorized: random.chance(0.3),
    keylog: random.chance(0.2),
    ...(random.chance(0.4) ? { alpnProtocols: ['a', 'b'] } : {}),
    ...(random.chance(0.3) ? { selectContext: () => answer(random.pick([undefined, otherContext])) } : {}),
    ...(random.chance(0.3) ? { ocspResponse: () => answer(random.bytes(50)) } : {}),
  };
}

/** Says something in pieces, and ends, once it may. */
function talk(party: TlsParty, bytes: Uint8Array, random: Random): void {
  party.whenHandshaken = async () => {
    for (let start = 0; start < bytes.byteLength; ) {
      const end = start + random.integer(1, bytes.byteLength);
      if (party.deaf) return;
      await party.send(bytes.subarray(start, end));
      start = end;
    }
    if (!party.deaf) await party.end();
  };
}

function destroyAt(party: TlsParty, step: number): void {
  party.onStep = (now) => {
    if (now === step) party.destroy();
  };
}

/** One direction goes wrong after some flights; from the beginning, in the middle of the handshake, or long after it. */
function badWire(
  corpus: readonly Uint8Array[],
  random: Random,
): Pick<TlsConnectOptions, 'toServer' | 'toClient'> {
  let goodFlights = random.pick([0, 0, 1, 1, 2, 3, 5]);
  const badness = random.pick([0.3, 1]);
  const carry: Carry = (flight) => {
    if (goodFlights-- > 0 || !random.chance(badness)) return [flight];
    return mutate(flight, random, corpus).parts;
  };
  return random.chance(0.5) ? { toServer: carry } : { toClient: carry };
}
