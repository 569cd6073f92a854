import type { Measurement } from './load/jobs.js';
import type { MemorySample } from './memory.js';
import type { IdleScenario, TimedScenario } from './scenarios.js';
import { cServers, nodeServers } from './servers.js';

/** A figure over all rounds. */
export interface Figure {
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
  readonly rounds: readonly number[];
}

/** What one server did in one scenario. */
export interface TimedResult {
  readonly server: string;
  /** User and system, of the server's process. */
  readonly cpuMicrosecondsPerMessage: Figure;
  /** The part of the system in it, 0 to 1. */
  readonly systemShare: number;
  readonly messagesPerSecond: Figure;
  readonly latencyMicrosecondsP50: Figure;
  readonly latencyMicrosecondsP99: Figure;
  /** How busy the cores of the server and of the load generator were, 0 to 1. */
  readonly serverBusy: Figure;
  readonly loadBusy: Figure;
  /** Datagrams that got no reply, of all that were sent. */
  readonly lossShare: number;
  /** Cost of a message relative to Node.js's own and to the server in C, or to ws and uWebSockets.js; absent when that did not run. */
  readonly costToNode?: number;
  readonly costToC?: number;
}

export interface ScenarioResult {
  readonly scenario: TimedScenario;
  readonly servers: readonly TimedResult[];
}

/** What idle connections cost one server. */
export interface IdleResult {
  readonly server: string;
  readonly residentBytesPerConnection: Figure;
  readonly proportionalBytesPerConnection: Figure;
}

export interface IdleScenarioResult {
  readonly scenario: IdleScenario;
  readonly servers: readonly IdleResult[];
}

/** A server that is less busy than this was not what limited the run: it then also batches less. */
export const busyEnough = 0.9;

/** Median, spread and rounds of a figure. */
export function figure(rounds: readonly number[]): Figure {
  const sorted = rounds.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  const median = sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
  return { median, lowest: sorted[0] ?? Number.NaN, highest: sorted.at(-1) ?? Number.NaN, rounds };
}

/** One scenario. @param rounds the measurements of each server by its id, in the order of the rounds */
export function timedResults(
  scenario: TimedScenario,
  rounds: ReadonlyMap<string, readonly Measurement[]>,
): ScenarioResult {
  const servers = [...rounds].map(([server, measurements]) => timedResult(server, measurements));
  const cost = (ids: ReadonlySet<string>): number | undefined =>
    servers.find(({ server }) => ids.has(server))?.cpuMicrosecondsPerMessage.median;
  const [inNode, inC] = [cost(nodeServers), cost(cServers)];
  return {
    scenario,
    servers: servers.map((result) => ({
      ...result,
      ...(inNode !== undefined && { costToNode: result.cpuMicrosecondsPerMessage.median / inNode }),
      ...(inC !== undefined && { costToC: result.cpuMicrosecondsPerMessage.median / inC }),
    })),
  };
}

function timedResult(server: string, measurements: readonly Measurement[]): TimedResult {
  const each = (value: (measurement: Measurement) => number): Figure => figure(measurements.map(value));
  const sum = (value: (measurement: Measurement) => number): number =>
    measurements.reduce((total, measurement) => total + value(measurement), 0);
  return {
    server,
    cpuMicrosecondsPerMessage: each((m) => m.serverCpuNanoseconds / 1000 / m.messages),
    systemShare: each((m) => m.serverSystemShare).median,
    messagesPerSecond: each((m) => m.messages / m.seconds),
    latencyMicrosecondsP50: each((m) => m.latencyMicroseconds.p50),
    latencyMicrosecondsP99: each((m) => m.latencyMicroseconds.p99),
    serverBusy: each((m) => m.serverCpuNanoseconds / 1e9 / m.seconds),
    lossShare: sum((m) => m.lost) / sum((m) => m.lost + m.messages),
    loadBusy: each((m) => m.loadCpuNanoseconds / 1e9 / m.seconds),
  };
}

/** Memory with connections less memory without, for each connection. */
export function memoryPerConnection(
  before: MemorySample,
  after: MemorySample,
  connections: number,
): MemorySample {
  return {
    residentBytes: (after.residentBytes - before.residentBytes) / connections,
    proportionalBytes: (after.proportionalBytes - before.proportionalBytes) / connections,
  };
}

export function idleResults(
  scenario: IdleScenario,
  rounds: ReadonlyMap<string, readonly MemorySample[]>,
): IdleScenarioResult {
  const servers = [...rounds].map(([server, samples]) => ({
    server,
    residentBytesPerConnection: figure(samples.map((sample) => sample.residentBytes)),
    proportionalBytesPerConnection: figure(samples.map((sample) => sample.proportionalBytes)),
  }));
  return { scenario, servers };
}

/** What a reader must know before trusting a figure. */
export function warnings({ scenario, servers }: ScenarioResult): string[] {
  return [...idleWarnings(scenario, servers), ...lossWarnings(scenario, servers)];
}

function lossWarnings({ name }: TimedScenario, servers: readonly TimedResult[]): string[] {
  const lossy = servers.filter(({ lossShare }) => lossShare > 0);
  if (lossy.length === 0) return [];
  const list = lossy.map(({ server, lossShare }) => `${server} (${(lossShare * 100).toFixed(3)} %)`);
  return [`${name}: datagrams without a reply were sent again: ${list.join(', ')}`];
}

function idleWarnings({ name }: TimedScenario, servers: readonly TimedResult[]): string[] {
  const idle = servers.filter(({ serverBusy }) => serverBusy.median < busyEnough);
  if (idle.length === 0) return [];
  const percent = ({ median }: Figure): string => `${Math.round(median * 100)} %`;
  const list = idle.map(
    (result) => `${result.server} (busy ${percent(result.serverBusy)}, load ${percent(result.loadBusy)})`,
  );
  return [
    `${name}: the server was not the bottleneck, so that it batched less and its cost looks higher than it ` +
      `is: ${list.join(', ')}`,
  ];
}
