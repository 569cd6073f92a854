/** The frame around each test of the TLS suite. */

import assert from 'node:assert/strict';
import { type TestCertificates, testCertificates } from '../../certificates/test-certificates.js';
import { pattern } from '../../chunkings.js';
import { addNote } from '../../prng.js';
import { itWith, type TestRunner, type TestSetup } from '../../runner.js';
import { Transcript } from '../../transcript.js';
import { nextTurn } from '../../turns.js';
import { assertSameBytes } from '../channel/base.js';
import { TlsParty } from './party.js';
import type {
  TlsContextOptions,
  TlsEngineMaker,
  TlsEnginePair,
  TlsEngineTraits,
  TlsHandshakeOptions,
  TlsTestContext,
  TlsVersion,
} from './subject.js';
import { Wire, type WireOptions } from './wire.js';

/** What the tests of one pair and version are given. */
export interface TlsSuite {
  readonly runner: TestRunner;
  readonly setup: TestSetup<TlsEnginePair>;
  readonly version: TlsVersion;
  readonly traits: Required<TlsEngineTraits>;
}

export interface TlsConnectOptions extends WireOptions {
  readonly client?: TlsHandshakeOptions;
  readonly server?: TlsHandshakeOptions;
  /** Options of a new context, or one that was made before. Default: one that trusts the CA. */
  readonly clientContext?: TlsContextOptions | { readonly made: TlsTestContext };
  /** Default: one with the certificate for `localhost`. */
  readonly serverContext?: TlsContextOptions | { readonly made: TlsTestContext };
  /** Called with both parties before anything happens. */
  readonly prepare?: (client: TlsParty, server: TlsParty) => void;
}

/** Turns of the event loop without an event after which nothing more is expected of an engine. */
const stillTurns = 24;
const busyMsMax = 20_000;

export class TlsConnection {
  readonly client: TlsParty;
  readonly server: TlsParty;
  readonly wire: Wire;
  readonly transcript: Transcript;

  constructor(client: TlsParty, server: TlsParty, wire: Wire, transcript: Transcript) {
    this.client = client;
    this.server = server;
    this.wire = wire;
    this.transcript = transcript;
  }

  get parties(): readonly [TlsParty, TlsParty] {
    return [this.client, this.server];
  }

  /** Fails when a side fails. */
  async untilHandshaken(): Promise<void> {
    await Promise.all([this.client.untilHandshaken(), this.server.untilHandshaken()]);
  }

  /** Codes of the errors of both sides, which must come. */
  async untilRefused(): Promise<{ client: string; server: string }> {
    const [client, server] = await Promise.all([this.client.untilError(), this.server.untilError()]);
    return { client, server };
  }

  /** Sends from one side and waits until the other has it, and it is the same. */
  async transfer(from: TlsParty, bytes: Uint8Array): Promise<void> {
    const to = from === this.client ? this.server : this.client;
    const before = to.bytesReceived;
    await Promise.all([from.send(bytes), to.untilReceived(before + bytes.byteLength)]);
    assertSameBytes(to.received().subarray(before), bytes);
  }

  /** Both sides say something and end: the whole of a good connection. */
  async converse(): Promise<void> {
    await this.untilHandshaken();
    await this.transfer(this.client, pattern(100));
    await this.transfer(this.server, pattern(200));
    await this.close();
  }

  async close(): Promise<void> {
    const { client, server } = this;
    await Promise.all([client.end(), server.end(), client.untilEnded(), server.untilEnded()]);
  }

  /** Resolves when both engines do nothing any more. */
  async untilStill(): Promise<void> {
    const since = performance.now();
    const progress = () => this.client.steps + this.server.steps;
    let last = progress();
    for (let turn = 0; turn < stillTurns; turn++) {
      await nextTurn();
      const now = progress();
      if (now === last) continue;
      if (performance.now() - since > busyMsMax) assert.fail(`They never come to rest\n${this.transcript}`);
      last = now;
      turn = -1;
    }
  }

  /**
   * For a wire that is bad: waits until nothing happens, and hangs up. Then each side must have come to an end or to an
   * error, with nothing handed up that its peer has not sent, and no end before all of it.
   */
  async assertTruthful(sent: { readonly client: Uint8Array; readonly server: Uint8Array }): Promise<void> {
    await this.untilStill();
    // Both may wait for bytes that were lost.
    this.wire.toServer.end();
    this.wire.toClient.end();
    await this.untilStill();
    for (const [party, expected] of [
      [this.client, sent.server],
      [this.server, sent.client],
    ] as const) {
      const got = party.received();
      assertSameBytes(got, expected.subarray(0, got.byteLength));
      if (party.deaf) continue;
      assert.ok(party.ended, `${party.name} neither ended nor failed\n${this.transcript}`);
      assertSameBytes(got, expected);
    }
  }
}

export class TlsScene {
  readonly pair: TlsEnginePair;
  readonly version: TlsVersion;
  readonly certificates: TestCertificates;
  #connections: TlsConnection[] = [];
  #usualClient: TlsTestContext | undefined;
  #usualServer: TlsTestContext | undefined;

  constructor(pair: TlsEnginePair, version: TlsVersion, certificates: TestCertificates) {
    this.pair = pair;
    this.version = version;
    this.certificates = certificates;
  }

  clientContext(options: TlsContextOptions = {}): TlsTestContext {
    return this.pair.client.context({ ...this.#versions, ca: this.certificates.ca.cert, ...options });
  }

  serverContext(options: TlsContextOptions = {}): TlsTestContext {
    const { cert, key } = this.certificates.server;
    const own = options.pfx === undefined ? { cert, key } : {};
    return this.pair.server.context({ ...this.#versions, ...own, ...options });
  }

  /** Both engines, started and joined. */
  connect(options: TlsConnectOptions = {}): TlsConnection {
    const transcript = new Transcript();
    const { deadlineMs } = this.pair;
    const client = new TlsParty('client', transcript, deadlineMs);
    const server = new TlsParty('server', transcript, deadlineMs);
    const wire = new Wire(client, server, options);
    const connection = new TlsConnection(client, server, wire, transcript);
    const { client: clientMaker, server: serverMaker } = this.pair;
    options.prepare?.(client, server);
    const clientContext = contextOf(
      options.clientContext,
      () => (this.#usualClient ??= this.clientContext()),
      (wanted) => this.clientContext(wanted),
    );
    const serverContext = contextOf(
      options.serverContext,
      () => (this.#usualServer ??= this.serverContext()),
      (wanted) => this.serverContext(wanted),
    );
    this.#connections.push(connection);
    start(server, serverMaker, 'server', serverContext, options.server ?? {});
    start(client, clientMaker, 'client', clientContext, { servername: 'localhost', ...options.client });
    return connection;
  }

  /** Checks and destroys what was connected so far. For tests with very many connections. */
  release(): void {
    const connections = this.#connections;
    this.#connections = [];
    for (const { parties } of connections) for (const party of parties) party.destroy();
    for (const { parties } of connections) for (const party of parties) party.verify();
  }

  /** Adds what happened to the message of a failure, and destroys what is left. */
  abandon(error: unknown): void {
    for (const { parties } of this.#connections) for (const party of parties) party.destroy();
    const last = this.#connections.at(-1);
    if (error instanceof Error && last !== undefined) addNote(error, String(last.transcript));
  }

  get #versions(): TlsContextOptions {
    return { minVersion: this.version, maxVersion: this.version };
  }
}

function start(
  party: TlsParty,
  maker: TlsEngineMaker,
  role: 'client' | 'server',
  context: TlsTestContext,
  options: TlsHandshakeOptions,
): void {
  party.start(maker.engine(role, context, options, party));
}

function contextOf(
  wanted: TlsContextOptions | { readonly made: TlsTestContext } | undefined,
  usual: () => TlsTestContext,
  make: (options: TlsContextOptions) => TlsTestContext,
): TlsTestContext {
  if (wanted === undefined) return usual();
  return 'made' in wanted ? wanted.made : make(wanted);
}

/** Registers one test: set-up, body, rules, destruction of all engines, teardown. */
export function itWithTls(suite: TlsSuite, name: string, body: (scene: TlsScene) => Promise<void>): void {
  itWith(suite.runner, suite.setup, name, async (pair) => {
    const scene = new TlsScene(pair, suite.version, await testCertificates());
    try {
      await body(scene);
      scene.release();
    } catch (error) {
      scene.abandon(error);
      throw error;
    }
    // What was started before the engines were destroyed must not come back.
    await nextTurn();
    await pair.assertReleased();
  });
}

/** Fails unless the code is the expected one, or matches. */
export function assertCode(actual: string | null | undefined, expected: string | RegExp): void {
  if (expected instanceof RegExp) assert.match(String(actual), expected);
  else assert.equal(actual, expected);
}
