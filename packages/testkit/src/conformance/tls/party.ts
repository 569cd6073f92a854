/** One side of a TLS connection in the suite: records what its engine does, and holds it to the rules. */

import assert from 'node:assert/strict';
import { concatenate } from '../../chunkings.js';
import { ConditionWaits } from '../../condition-waits.js';
import { POISON } from '../../lent-memory.js';
import { codeOf, describeError, type Transcript } from '../../transcript.js';
import type { TlsEngineEvents, TlsEngineSubject } from './subject.js';

/** What becomes of the records of a party. */
export interface Outlet {
  write(records: Uint8Array): void;
  /** The party has failed: no more will come. */
  end(): void;
  /** The party takes input again. */
  resumed(): void;
}

export class TlsParty implements TlsEngineEvents {
  readonly name: string;
  readonly transcript: Transcript;
  readonly sessions: Buffer[] = [];
  readonly keylog: string[] = [];
  readonly chunks: Uint8Array[] = [];
  handshaken = false;
  ended = false;
  error: Error | null = null;
  destroyed = false;
  busy = false;
  bytesReceived = 0;
  /** Events so far. */
  steps = 0;
  /** Called at the beginning of each event, with its number from 0 on. */
  onStep: (step: number) => void = () => {};
  /** Called inside `onHandshake`, after it was recorded. */
  whenHandshaken: () => void = () => {};
  outlet: Outlet = { write() {}, end() {}, resumed() {} };

  #engine: TlsEngineSubject | undefined;
  readonly #violations: string[] = [];
  readonly #waits: ConditionWaits;

  /** @param deadlineMs longest wait of `until` and its kin; default 10 s */
  constructor(name: string, transcript: Transcript, deadlineMs?: number) {
    this.name = name;
    this.transcript = transcript;
    this.#waits = new ConditionWaits(
      deadlineMs,
      (what, ms) => `${this.name} is still waiting for ${what} after ${ms} ms\n${this.transcript}`,
    );
  }

  // Commands

  start(engine: TlsEngineSubject): void {
    this.#engine = engine;
    engine.start();
  }

  get engine(): TlsEngineSubject {
    return this.#engine as TlsEngineSubject;
  }

  get facts(): TlsEngineSubject['facts'] {
    return this.engine.facts;
  }

  /** Whether input is of no use to it any more. */
  get deaf(): boolean {
    return this.destroyed || this.error !== null;
  }

  /** The bytes are taken away again afterwards. */
  receive(records: Uint8Array): void {
    this.transcript.add(`${this.name} is given ${records.byteLength} bytes`);
    const lent = Buffer.from(records);
    this.#give(() => this.engine.receive(lent));
    lent.fill(POISON);
  }

  receiveEnd(): void {
    this.transcript.add(`${this.name} is given the end of the stream`);
    this.#give(() => this.engine.receiveEnd());
  }

  /** Resolves when the engine is done with it. */
  send(plain: Uint8Array): Promise<void> {
    return this.#command(`send ${plain.byteLength} bytes`, (done) => this.engine.send(plain, done));
  }

  end(): Promise<void> {
    return this.#command('end', (done) => this.engine.end(done));
  }

  destroy(): void {
    if (this.destroyed) return;
    this.transcript.add(`${this.name}: destroy`);
    this.destroyed = true;
    this.engine.destroy();
    this.engine.destroy();
    this.outlet.end();
    this.#waits.check();
  }

  // Events

  onOutput(records: Uint8Array): void {
    this.#step(`output, ${records.byteLength} bytes`);
    if (records.byteLength === 0) this.#breach('output without bytes');
    if (!this.destroyed) this.outlet.write(records);
    this.#waits.check();
  }

  onHandshake(): void {
    this.#step('handshake');
    if (this.handshaken) this.#breach('a second handshake');
    this.handshaken = true;
    if (!this.destroyed) this.whenHandshaken();
    this.#waits.check();
  }

  onData(plain: Uint8Array): void {
    // Copied first: a step may destroy the engine.
    const copy = new Uint8Array(plain);
    this.#step(`data, ${plain.byteLength} bytes`);
    if (plain.byteLength === 0) this.#breach('data without bytes');
    if (!this.handshaken) this.#breach('data before the handshake');
    if (this.ended) this.#breach('data after the end');
    this.chunks.push(copy);
    this.bytesReceived += copy.byteLength;
    this.#waits.check();
  }

  onEnd(): void {
    this.#step('end');
    if (this.ended) this.#breach('a second end');
    this.ended = true;
    this.#waits.check();
  }

  onError(error: Error): void {
    this.#step(`error ${describeError(error)}`);
    if (codeOf(error) === undefined) this.#breach(`an error without a code: ${error.stack}`);
    this.error = error;
    this.outlet.end();
    this.#waits.check();
  }

  onBusy(busy: boolean): void {
    this.#step(busy ? 'busy' : 'not busy');
    if (busy === this.busy) this.#breach(`busy was ${busy} already`);
    this.busy = busy;
    if (!busy) this.outlet.resumed();
    this.#waits.check();
  }

  onSession(session: Buffer): void {
    this.#step('session');
    this.sessions.push(Buffer.from(session));
    this.#waits.check();
  }

  onKeylog(line: Buffer): void {
    this.#step('keylog');
    this.keylog.push(line.toString('latin1'));
    this.#waits.check();
  }

  // Findings

  received(): Uint8Array {
    return concatenate(this.chunks);
  }

  /** Code of the error; null without one. */
  get errorCode(): string | null {
    return this.error === null ? null : (codeOf(this.error) ?? 'none');
  }

  /** Resolves when the condition holds; it is looked at after each event. */
  until(what: string, condition: () => boolean): Promise<void> {
    return this.#waits.until(what, condition);
  }

  untilHandshaken(): Promise<void> {
    return this.#untilOrError('the handshake', () => this.handshaken);
  }

  untilReceived(byteCount: number): Promise<void> {
    return this.#untilOrError(`${byteCount} bytes`, () => this.bytesReceived >= byteCount);
  }

  untilEnded(): Promise<void> {
    return this.#untilOrError('the end', () => this.ended);
  }

  /** Resolves with the code of the error, once there is one. */
  async untilError(): Promise<string> {
    await this.until('an error', () => this.error !== null);
    return this.errorCode as string;
  }

  /** Throws when the engine has broken the rules. */
  verify(): void {
    if (this.#violations.length === 0) return;
    assert.fail(`${this.name} broke the rules: ${this.#violations.join('; ')}\n${this.transcript}`);
  }

  async #untilOrError(what: string, condition: () => boolean): Promise<void> {
    await this.until(what, () => condition() || this.error !== null);
    if (condition()) return;
    assert.fail(`${this.name} failed before ${what}: ${this.error?.stack}\n${this.transcript}`);
  }

  #command(what: string, run: (done: () => void) => void): Promise<void> {
    this.transcript.add(`${this.name}: ${what}`);
    let calls = 0;
    return new Promise((resolve) =>
      run(() => {
        if (++calls > 1) this.#breach(`done of "${what}" came twice`);
        resolve();
      }),
    );
  }

  /** Whatever is received, the engine must not throw. */
  #give(input: () => void): void {
    try {
      input();
    } catch (error) {
      this.#breach(`it threw ${error instanceof Error ? error.stack : error}`);
    }
  }

  #step(event: string): void {
    this.transcript.add(`${this.name}: ${event}`);
    if (this.destroyed) this.#breach(`${event} after destroy`);
    if (this.error !== null) this.#breach(`${event} after the error`);
    this.onStep(this.steps++);
  }

  #breach(what: string): void {
    this.transcript.add(`${this.name}: BREACH ${what}`);
    this.#violations.push(what);
  }
}
