import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { HandshakesScenario, TlsMessagesScenario } from '../scenarios.js';
import type { MeasureJob, Measurement } from './jobs.js';
import type { LatencySummary } from './latency.js';
import { measureLoad, type RunningLoad } from './measure.js';

type TlsScenario = TlsMessagesScenario | HandshakesScenario;

/** What the program calls them. */
const modes: Readonly<Record<TlsScenario['kind'], string>> = {
  'tls-messages': 'messages',
  handshakes: 'full',
  resumptions: 'resumed',
};

/** How long the last replies may take after the end of a measurement. */
const drainMsMax = 10_000;

/** A run of one scenario against one TLS server. A program in C makes the load, because it has to be lighter than the server. */
export class TlsLoad implements RunningLoad {
  /** TCP loses nothing. */
  readonly lost = 0;
  /** As of the last answer of the program. */
  messages = 0;
  /** The program begins anew with every answer. */
  readonly latency = { reset: (): void => undefined, summary: (): LatencySummary => this.#latency };
  #latency: LatencySummary = { p50: 0, p99: 0, max: 0 };
  readonly #job: MeasureJob<TlsScenario>;
  readonly #program: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #failure: Promise<never>;
  #finishing = false;

  /** @param loadProgram path of the program, `load_tls` */
  constructor(job: MeasureJob<TlsScenario>, loadProgram: string) {
    const { scenario, serverPort } = job;
    const inFlight = scenario.kind === 'tls-messages' ? scenario.inFlight : 1;
    const numbers = [scenario.messageBytes, scenario.connections, inFlight].map(String);
    this.#job = job;
    this.#program = spawn(loadProgram, [`${serverPort}`, modes[scenario.kind], ...numbers], {
      stdio: 'pipe',
    });
    // Its end says why.
    this.#program.stdin.on('error', () => undefined);
    this.#failure = this.#whenFailed();
    this.#failure.catch(() => undefined);
  }

  get processId(): number | undefined {
    return this.#program.pid;
  }

  async during(milliseconds: number): Promise<void> {
    await Promise.race([delay(milliseconds), this.#failure]);
    const answer = once(this.#program.stdout, 'data');
    this.#program.stdin.write('\n');
    const [line] = await Promise.race([answer, this.#failure]);
    const [messages = 0, p50 = 0, p99 = 0, max = 0] = String(line).split(' ').map(Number);
    this.messages = messages;
    this.#latency = { p50, p99, max };
  }

  async measure(): Promise<Measurement> {
    try {
      const measurement = await measureLoad(this, this.#job);
      await this.#finish();
      return measurement;
    } finally {
      this.#program.kill('SIGKILL');
    }
  }

  /** Waits for every reply that is due, and for every connection to close in order. */
  async #finish(): Promise<void> {
    this.#finishing = true;
    const late = AbortSignal.timeout(drainMsMax);
    const exited = once(this.#program, 'exit', { signal: late }).catch(() => {
      throw new Error(`replies or connections are still missing ${drainMsMax / 1000} s after the end.`);
    });
    this.#program.stdin.end();
    const [code] = await Promise.race([exited, this.#failure]);
    if (code !== 0) await this.#failure;
  }

  async #whenFailed(): Promise<never> {
    let errors = '';
    this.#program.stderr.setEncoding('utf8').on('data', (text) => {
      errors += text;
    });
    const [code, signal] = await once(this.#program, 'close');
    if (this.#finishing && code === 0) return new Promise(() => undefined);
    throw new Error(errors.trim() || `the load program ended early (${signal ?? `exit code ${code}`})`);
  }
}
