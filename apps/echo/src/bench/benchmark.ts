import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { UserError } from '../user-error.js';
import { Child, type Cores } from './child.js';
import type { Equipment } from './equipment.js';
import type { Answer, Job, Measurement } from './load/jobs.js';
import { type MemorySample, sampleMemory } from './memory.js';
import type { Progress } from './progress.js';
import {
  type IdleScenarioResult,
  idleResults,
  memoryPerConnection,
  type ScenarioResult,
  timedResults,
} from './results.js';
import type { IdleScenario, TimedScenario } from './scenarios.js';
import { Server, type ServerKind } from './servers.js';

/** What a run measures, and for how long. */
export interface Plan {
  readonly timed: readonly TimedScenario[];
  readonly idle: IdleScenario | undefined;
  readonly servers: readonly ServerKind[];
  readonly rounds: number;
  readonly measureMs: number;
  readonly warmUpMs: number;
  /** How long memory is given to settle. */
  readonly settleMs: number;
}

/** The part of the connections that is there before the memory is looked at, so that what is only paid once is not counted. */
const partBefore = 0.25;

/** The number of steps of a run, for the progress display. */
export function stepCount({ timed, idle, servers, rounds }: Plan): number {
  const turns = timed.flatMap((scenario) => servers.filter((kind) => canDo(kind, scenario)));
  return (turns.length + (idle === undefined ? 0 : servers.length)) * rounds;
}

function canDo({ only }: ServerKind, { kind }: TimedScenario): boolean {
  return only?.includes(kind) ?? true;
}

/** One load generator, and servers that take turns under it. */
export class Benchmark {
  readonly #load: Child;
  readonly #plan: Plan;
  readonly #equipment: Equipment;
  readonly #cores: Cores;
  readonly #progress: Progress;
  /** By the id of their kind. */
  readonly #running = new Map<string, Server>();

  constructor(plan: Plan, equipment: Equipment, cores: Cores, progress: Progress) {
    this.#plan = plan;
    this.#equipment = equipment;
    this.#cores = cores;
    this.#progress = progress;
    this.#load = new Child('the load generator', {
      program: process.execPath,
      args: [fileURLToPath(new URL('./bench-load.js', import.meta.url))],
      env: { IOCP_BACKEND: 'auto' },
      core: cores.load,
      messages: true,
    });
  }

  /** The backend of the load generator, once it is ready. */
  async loadBackend(): Promise<string> {
    return (await this.#load.firstLine()).replace('ready ', '');
  }

  /** Servers in turn, A B C A B C, so that what changes on the machine meanwhile touches all of them. */
  async runTimed(scenario: TimedScenario): Promise<ScenarioResult> {
    const rounds = new Map<string, Measurement[]>();
    const kinds = this.#plan.servers.filter((kind) => canDo(kind, scenario));
    const servers = await Promise.all(kinds.map((kind) => this.#serverFor(kind, scenario)));
    for (let round = 1; round <= this.#plan.rounds; round++) {
      for (const server of servers) {
        this.#progress.begin(`${scenario.name}: ${server.kind.name}, round ${round}`);
        const measurements = rounds.get(server.kind.id) ?? [];
        rounds.set(server.kind.id, [...measurements, await this.#measure(scenario, server)]);
        this.#progress.done();
      }
    }
    return timedResults(scenario, rounds);
  }

  /** A fresh server for every figure: memory remembers what was done before. */
  async runIdle(scenario: IdleScenario): Promise<IdleScenarioResult> {
    const rounds = new Map<string, MemorySample[]>();
    for (let round = 1; round <= this.#plan.rounds; round++) {
      for (const kind of this.#plan.servers) {
        this.#progress.begin(`${scenario.name}: ${kind.name}, round ${round}`);
        await this.#stopServers();
        const server = await this.#serverFor(kind, scenario);
        rounds.set(kind.id, [...(rounds.get(kind.id) ?? []), await this.#weigh(scenario, server)]);
        this.#progress.done();
      }
    }
    return idleResults(scenario, rounds);
  }

  /** Ends every process that was started. */
  async stop(): Promise<void> {
    await Promise.all([this.#load.stop(), this.#stopServers()]);
  }

  async #measure(scenario: TimedScenario, server: Server): Promise<Measurement> {
    const { warmUpMs, measureMs } = this.#plan;
    const { port: serverPort, child } = server;
    const loadProgram = server.kind.protocol === 'tls' ? this.#equipment.program('load_tls') : undefined;
    const times = { warmUpMs, measureMs };
    const answer = await this.#ask(
      { kind: 'measure', scenario, serverPort, serverPid: child.pid, loadProgram, ...times },
      server,
    );
    if (!('measurement' in answer)) throw new UserError('the load generator did not measure');
    return answer.measurement;
  }

  async #weigh(scenario: IdleScenario, server: Server): Promise<MemorySample> {
    const before = Math.floor(scenario.connections * partBefore);
    const connections = scenario.connections - before;
    await this.#ask(
      { kind: 'hold', scenario: { ...scenario, connections: before }, serverPort: server.port },
      server,
    );
    const without = await this.#settledMemory(server);
    await this.#ask(
      { kind: 'hold', scenario: { ...scenario, connections }, serverPort: server.port },
      server,
    );
    const withConnections = await this.#settledMemory(server);
    await this.#ask({ kind: 'release' }, server);
    return memoryPerConnection(without, withConnections, connections);
  }

  async #settledMemory(server: Server): Promise<MemorySample> {
    await server.collectGarbage();
    await delay(this.#plan.settleMs);
    await server.collectGarbage();
    return sampleMemory(server.child.pid);
  }

  async #ask(job: Job, server: Server): Promise<Answer> {
    const answer = (await this.#load.ask(job)) as Answer;
    if ('error' in answer) throw new UserError(`${server.kind.name}: ${answer.error}`);
    return answer;
  }

  /** The server that runs already, unless it has to be started differently for this scenario. */
  async #serverFor(kind: ServerKind, scenario: TimedScenario | IdleScenario): Promise<Server> {
    const command = kind.command(scenario, this.#equipment);
    const running = this.#running.get(kind.id);
    if (running !== undefined && isDeepStrictEqual(running.command, command)) return running;
    await running?.stop();
    const server = await Server.start(kind, command, this.#cores);
    this.#running.set(kind.id, server);
    return server;
  }

  async #stopServers(): Promise<void> {
    const servers = [...this.#running.values()];
    this.#running.clear();
    await Promise.all(servers.map((server) => server.stop()));
  }
}
