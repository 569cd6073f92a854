/** Two engines, or one and a TLSSocket of Node, that talk in memory. */

import { Duplex } from 'node:stream';
import { checkServerIdentity } from 'node:tls';
import type { WriteMemory } from '@iocp/core/layer';
import { SecureContext } from '../../src/context/secure-context.js';
import {
  readSecureContextOptions,
  type SecureContextOptions,
} from '../../src/context/secure-context-options.js';
import type { CreateEngine, EngineEvents, EngineName, TlsEngine } from '../../src/engine/engine.js';
import type { HandshakeSettings } from '../../src/options/handshake-settings.js';

export function contextOf(options: SecureContextOptions, engine: EngineName = 'native'): SecureContext {
  return new SecureContext(readSecureContextOptions(options), engine);
}

const defaults: HandshakeSettings = {
  alpnProtocols: [],
  requestCert: false,
  rejectUnauthorized: true,
  selectContext: undefined,
  selectProtocol: undefined,
  ocspResponse: undefined,
  servername: 'localhost',
  expectedHost: 'localhost',
  checkServerIdentity,
  session: undefined,
  requestOcsp: false,
  sessions: false,
  keylog: false,
  truncation: 'error',
};

export interface EndOptions {
  readonly context: SecureContext;
  readonly settings?: Partial<HandshakeSettings>;
  readonly memory?: WriteMemory | null;
}

/** One engine, and what it has said. */
export class EngineEnd implements EngineEvents {
  readonly engine: TlsEngine;
  /** Names of events, in order, without data. */
  readonly events: string[] = [];
  readonly received: Buffer[] = [];
  readonly sessions: Buffer[] = [];
  readonly keylog: string[] = [];
  error: (Error & { code?: string }) | undefined;
  /** Records for the peer that it does not have yet. */
  output: Buffer[] = [];
  /** Called with data before it counts as received. */
  whenData: ((plain: Uint8Array) => void) | undefined;
  whenHandshaken: (() => void) | undefined;
  whenOutput: (() => void) | undefined;

  constructor(
    createEngine: CreateEngine,
    role: 'client' | 'server',
    { context, settings, memory = null }: EndOptions,
  ) {
    this.engine = createEngine({
      role,
      context,
      settings: { ...defaults, ...settings },
      memory,
      events: this,
    });
  }

  get plain(): string {
    return Buffer.concat(this.received).toString();
  }

  get handshaken(): boolean {
    return this.events.includes('handshake');
  }

  send(text: string | Uint8Array): void {
    this.engine.send(Buffer.from(text), () => this.events.push('sent'));
  }

  end(): void {
    this.engine.end(() => this.events.push('ended'));
  }

  takeOutput(): Buffer {
    return Buffer.concat(this.output.splice(0));
  }

  onOutput(records: Uint8Array): void {
    this.output.push(Buffer.from(records));
    this.whenOutput?.();
  }

  onHandshake(): void {
    this.events.push('handshake');
    this.whenHandshaken?.();
  }

  onData(plain: Uint8Array): void {
    this.whenData?.(plain);
    this.received.push(Buffer.from(plain));
  }

  onEnd(): void {
    this.events.push('end');
  }

  onError(error: Error): void {
    this.events.push('error');
    this.error = error;
  }

  onBusy(busy: boolean): void {
    this.events.push(busy ? 'busy' : 'free');
  }

  onSession(session: Buffer): void {
    this.events.push('session');
    this.sessions.push(session);
  }

  onKeylog(line: Buffer): void {
    this.keylog.push(line.toString());
  }
}

export class EnginePair {
  readonly client: EngineEnd;
  readonly server: EngineEnd;

  constructor(createEngine: CreateEngine, client: EndOptions, server: EndOptions) {
    this.server = new EngineEnd(createEngine, 'server', server);
    this.client = new EngineEnd(createEngine, 'client', client);
  }

  start(): this {
    this.server.engine.start();
    this.client.engine.start();
    return this;
  }

  /** Carries records until there are none. @param cut how each delivery is divided */
  exchange(cut: (records: Buffer) => readonly Uint8Array[] = (records) => [records]): this {
    const { client, server } = this;
    const carry = (from: EngineEnd, to: EngineEnd): boolean => {
      const records = from.takeOutput();
      if (records.byteLength === 0) return false;
      for (const piece of cut(records)) to.engine.receive(piece);
      return true;
    };
    let more = true;
    while (more) {
      more = carry(client, server);
      more = carry(server, client) || more;
    }
    return this;
  }

  /** With answers that come later. Rejects when an end has failed before `done`. */
  async exchangeUntil(done: () => boolean): Promise<this> {
    while (!this.exchange() || !done()) {
      const error = this.server.error ?? this.client.error;
      if (error !== undefined) throw error;
      await new Promise((resolve) => setImmediate(resolve));
    }
    return this;
  }

  destroy(): void {
    this.client.engine.destroy();
    this.server.engine.destroy();
  }
}

/** Blocks that are given back and forth, counted. */
export class CountedMemory implements WriteMemory {
  readonly blockBytes: number;
  readonly #blocks: Buffer[];
  readonly #free: number[];

  constructor(count: number, blockBytes = 16_384) {
    this.blockBytes = blockBytes;
    this.#blocks = Array.from({ length: count }, () => Buffer.alloc(blockBytes));
    this.#free = this.#blocks.map((_, index) => index);
  }

  get taken(): number {
    return this.#blocks.length - this.#free.length;
  }

  take(): number {
    return this.#free.pop() ?? -1;
  }

  bytesOf(block: number): Uint8Array {
    return this.#blocks[block] as Buffer;
  }

  lend(block: number, offset: number, length: number): Uint8Array {
    return this.bytesOf(block).subarray(offset, offset + length);
  }

  /** What nobody holds is poisoned. */
  release(block: number): void {
    if (this.#free.includes(block)) throw new Error(`block ${block} was released twice`);
    this.bytesOf(block).fill(0xdb);
    this.#free.push(block);
  }
}

/** The stream that a TLSSocket of Node runs on: what it writes goes to the engine, and the other way. */
export function streamTo(end: EngineEnd): Duplex {
  const stream = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      // As with a socket, not from inside TLS.
      setImmediate(() => {
        end.engine.receive(chunk);
        done();
      });
    },
    final(done) {
      setImmediate(() => end.engine.receiveEnd());
      done();
    },
  });
  const flush = (): void => {
    const records = end.takeOutput();
    if (records.byteLength > 0) stream.push(records);
  };
  end.whenOutput = flush;
  flush();
  return stream;
}
