import { writeFileSync } from 'node:fs';
import { CompletionPort } from '@iocp/core';
import { engineInfo } from '@iocp/tls';
import { Argument, type Command, Option } from 'commander';
import { seconds, wholeNumber } from '../options.js';
import { readSystemLimits } from '../system-facts.js';
import { describeError, UserError } from '../user-error.js';
import { Benchmark, type Plan, stepCount } from './benchmark.js';
import { type Cores, chooseCores } from './child.js';
import { Equipment } from './equipment.js';
import { describeMachine } from './machine.js';
import { Progress } from './progress.js';
import { type IdleScenarioResult, type ScenarioResult, warnings } from './results.js';
import {
  type IdleScenario,
  idleScenarios,
  type Protocol,
  protocols,
  type Scenario,
  shortName,
  timedScenarios,
} from './scenarios.js';
import { type MeasuredBackend, type ServerKind, serverKinds } from './servers.js';
import { idleTable, legend, timedTable } from './table.js';
import { installUws } from './uws.js';

interface BenchOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly scenario?: readonly string[];
  readonly server?: readonly string[];
  readonly uws?: true;
  readonly json?: string;
  readonly quick?: true;
}

const scenarios: readonly Scenario[] = protocols.flatMap((protocol) => [
  ...timedScenarios[protocol],
  ...[idleScenarios[protocol] ?? []].flat(),
]);

const help = (): string => `
Each server runs in a process of its own, bound to one core; the load generator runs on another, in a process of its
own too. The servers take turns, several rounds, and the median counts. The cost is the processor time of the
server's process (user and system, from the kernel's scheduler) for each message. Compare ratios within one run: the
throughput of a shared machine says little.

${protocols.map(describeServers).join('\n')}
Examples:
  $ iocp-echo bench tcp
  $ iocp-echo bench tcp --scenario 64x50 --server io-uring node-net c-io-uring --rounds 5
  $ iocp-echo bench udp --scenario 1200x8x20 bulk
  $ iocp-echo bench tls --scenario 64x50 handshakes resumptions
  $ iocp-echo bench ws --uws                   with uWebSockets.js, which npm then installs into a cache folder
  $ iocp-echo bench tcp --json results.json
  $ iocp-echo bench tcp --quick                whether it works at all; the figures mean nothing
`;

function describeServers(protocol: Protocol): string {
  const kinds = serverKinds.filter((kind) => kind.protocol === protocol);
  const lines = kinds.map(({ id, description }) => `  ${id.padEnd(20)} ${description}\n`);
  return `Servers for ${protocol}:\n${lines.join('')}`;
}

export function addBench(program: Command): void {
  const names = [...new Set(scenarios.map(shortName))];
  const ids = [...new Set(serverKinds.map(({ id }) => id))];
  program
    .command('bench')
    .summary('measure what a message costs, next to Node.js itself and C')
    .description(
      'Measures echo servers: ours on each backend, node:net, node:dgram, node:tls or ws, and some in C where there is a compiler.',
    )
    .addArgument(new Argument('[protocol]', 'what to measure').choices(protocols).default('tcp'))
    .option('--rounds <count>', 'how often each server gets its turn', wholeNumber(1, 100), 3)
    .option('--seconds <seconds>', 'how long each turn is measured', seconds, 3)
    .option('--warm-up-seconds <seconds>', 'how long each turn runs before', seconds, 0.7)
    .addOption(new Option('--scenario <names...>', 'only these').choices(names))
    .addOption(new Option('--server <names...>', 'only these').choices(ids))
    .option('--uws', 'ws: install uWebSockets.js into a cache folder, and measure it too')
    .option('--json <file>', 'write the results to a file, as JSON')
    .option('--quick', 'one very short round, to see that everything works')
    .addHelpText('after', help())
    .action(bench);
}

async function bench(protocol: Protocol, options: BenchOptions): Promise<void> {
  if (process.platform !== 'linux')
    throw new UserError('The benchmark reads /proc and so runs on Linux only.');
  const equipment = new Equipment();
  try {
    await measure(protocol, options, equipment);
  } finally {
    equipment.remove();
  }
}

async function measure(protocol: Protocol, options: BenchOptions, equipment: Equipment): Promise<void> {
  const cores = chooseCores();
  const notes = coreNotes(cores);
  if (protocol === 'tls') notes.push(...(await prepareTls(equipment)));
  const plan = planFor(protocol, options, await usableServers(protocol, options, equipment, notes), notes);
  const progress = new Progress(stepCount(plan));
  const benchmark = new Benchmark(plan, equipment, cores, progress);
  let interrupted = false;
  const stop = (): void => {
    interrupted = true;
    void benchmark.stop();
  };
  process.once('SIGINT', stop).once('SIGTERM', stop);
  try {
    const loadBackend = await benchmark.loadBackend();
    const timed: ScenarioResult[] = [];
    for (const scenario of plan.timed) timed.push(await benchmark.runTimed(scenario));
    const idle = plan.idle && (await benchmark.runIdle(plan.idle));
    progress.stop();
    notes.push(...timed.flatMap(warnings));
    show(timed, idle, notes);
    const load = protocol === 'tls' ? 'epoll' : loadBackend; // the program in C
    const results = { settings: settingsOf(plan), cores, loadBackend: load, scenarios: timed, idle, notes };
    if (options.json !== undefined) save(options.json, results);
  } catch (error) {
    if (!interrupted) throw error;
    process.exitCode = 130;
  } finally {
    progress.stop();
    await benchmark.stop();
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}

function coreNotes({ server }: Cores): string[] {
  if (server !== undefined) return [];
  return [
    'server and load generator share the cores: for stable figures use two cores and taskset (util-linux)',
  ];
}

/** What TLS needs before anything can be measured. @returns what a reader must know */
async function prepareTls(equipment: Equipment): Promise<string[]> {
  const missing = equipment.whyMissing('load_tls');
  if (missing !== undefined) throw new UserError(`the load generator for TLS is a program in C: ${missing}`);
  await equipment.makeCertificate();
  const ours = `${process.versions.openssl} in Node.js, for iocp and node:tls`;
  return [`OpenSSL: ${ours}; ${equipment.opensslVersion()} in C, for the server and the load generator`];
}

/** The servers asked for that can run here; notes say why others cannot. */
async function usableServers(
  protocol: Protocol,
  options: BenchOptions,
  equipment: Equipment,
  notes: string[],
): Promise<ServerKind[]> {
  const wanted = serverKinds.filter(
    (kind) => kind.protocol === protocol && (options.server?.includes(kind.id) ?? true),
  );
  const unavailable = {
    io_uring: await whyUnavailable('io_uring'),
    epoll: await whyUnavailable('epoll'),
    node: await whyUnavailable('node'),
  };
  const usable: ServerKind[] = [];
  const leftOut = new Map<string, string[]>();
  for (const kind of wanted) {
    const reason =
      (kind.inC && equipment.whyMissing(kind.inC)) ??
      (kind.backend && unavailable[kind.backend]) ??
      (kind.engine === 'native' ? whyNoNativeEngine() : undefined) ??
      (kind.uws ? whyNoUws(options) : undefined);
    if (reason === undefined) usable.push(kind);
    else leftOut.set(reason, [...(leftOut.get(reason) ?? []), kind.id]);
  }
  for (const [reason, ids] of leftOut) notes.push(`left out: ${ids.join(', ')}: ${reason}`);
  if (usable.length === 0) throw new UserError(notes.join('; ') || `no such server for ${protocol}`);
  return usable;
}

function whyNoNativeEngine(): string | undefined {
  try {
    engineInfo('native');
    return undefined;
  } catch (error) {
    return describeError(error);
  }
}

function whyNoUws({ uws }: BenchOptions): string | undefined {
  return uws ? installUws() : 'it is installed, by npm, when --uws asks for it';
}

async function whyUnavailable(backend: MeasuredBackend): Promise<string | undefined> {
  try {
    await new CompletionPort({ backend }).close();
    return undefined;
  } catch (error) {
    return describeError(error);
  }
}

function planFor(
  protocol: Protocol,
  options: BenchOptions,
  servers: readonly ServerKind[],
  notes: string[],
): Plan {
  const wanted = (scenario: Scenario): boolean => options.scenario?.includes(shortName(scenario)) ?? true;
  const idleScenario = idleScenarios[protocol];
  const idle =
    idleScenario !== undefined && wanted(idleScenario)
      ? { ...idleScenario, connections: idleConnections(idleScenario, options, notes) }
      : undefined;
  const times = options.quick
    ? { rounds: 1, measureMs: 50, warmUpMs: 30, settleMs: 50 }
    : {
        rounds: options.rounds,
        measureMs: options.seconds * 1000,
        warmUpMs: options.warmUpSeconds * 1000,
        settleMs: 3000,
      };
  return { timed: timedScenarios[protocol].filter(wanted), idle, servers, ...times };
}

/** As many as there are descriptors for, in one process on each side. */
function idleConnections({ connections }: IdleScenario, { quick }: BenchOptions, notes: string[]): number {
  if (quick) return 200;
  const most = (readSystemLimits().descriptorsHard ?? connections + 500) - 500;
  if (most >= connections) return connections;
  notes.push(`only ${most} idle connections: the limit of descriptors (ulimit -Hn) allows no more`);
  return Math.max(1, most);
}

function settingsOf({ rounds, measureMs, warmUpMs, settleMs }: Plan): Record<string, number> {
  return { rounds, measureMs, warmUpMs, settleMs };
}

function show(
  timed: readonly ScenarioResult[],
  idle: IdleScenarioResult | undefined,
  notes: readonly string[],
): void {
  const { processor, cores, kernel, node } = describeMachine();
  const parts = [
    `${processor}, ${cores} cores, Linux ${kernel}, Node.js ${node}\n`,
    ...timed.map(timedTable),
    ...(idle === undefined ? [] : [idleTable(idle)]),
    ...(timed.length === 0 ? [] : [legend]),
    ...notes.map((note) => `Note: ${note}.\n`),
  ];
  process.stdout.write(`${parts.join('\n')}`);
}

function save(file: string, results: Readonly<Record<string, unknown>>): void {
  const text = JSON.stringify(
    { date: new Date().toISOString(), machine: describeMachine(), ...results },
    undefined,
    2,
  );
  try {
    writeFileSync(file, `${text}\n`);
  } catch (error) {
    throw new UserError(`the results could not be written: ${describeError(error)}`);
  }
}
