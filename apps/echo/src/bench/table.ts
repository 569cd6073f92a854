import Table from 'cli-table3';
import {
  busyEnough,
  type Figure,
  type IdleScenarioResult,
  type ScenarioResult,
  type TimedResult,
} from './results.js';
import type { TimedScenario } from './scenarios.js';
import { serverKinds } from './servers.js';

/** No colours, and no lines between the rows. */
const look = { head: [], border: [], compact: true };

const countedNames: Readonly<Record<TimedScenario['kind'], string>> = {
  messages: 'message',
  connects: 'connection',
  datagrams: 'datagram',
  bulk: 'datagram',
  'tls-messages': 'message',
  handshakes: 'connection',
  resumptions: 'connection',
  'ws-messages': 'message',
  broadcast: 'message delivered',
};

/** The results of a timed scenario as a table. */
export function timedTable({ scenario, servers }: ScenarioResult): string {
  const counted = countedNames[scenario.kind];
  const handshakes = isHandshakes(scenario);
  const columns = [
    ...(handshakes ? ['per CPU s'] : []),
    'CPU us',
    'lowest-highest',
    'kernel',
    `${counted.replace(/^\w+/, '$&s')}/s`,
    'p50 us',
    'p99 us',
    'busy',
    'load',
  ];
  const head = ['server', ...columns, ...(isWebSocket(scenario) ? ['x ws', 'x uWS'] : ['x node', 'x C'])];
  const table = new Table({ head, colAligns: alignments(head), style: look });
  for (const result of servers) table.push(timedRow(result, handshakes));
  return `${scenario.name}: cost of a ${counted}\n${table}\n`;
}

/** Handshakes are also counted the other way round: how many of them a second of the processor is enough for. */
function isHandshakes({ kind }: TimedScenario): boolean {
  return kind === 'handshakes' || kind === 'resumptions';
}

function isWebSocket({ kind }: TimedScenario): boolean {
  return kind === 'ws-messages' || kind === 'broadcast';
}

function timedRow(result: TimedResult, handshakes: boolean): string[] {
  const { cpuMicrosecondsPerMessage: cost } = result;
  return [
    nameOf(result.server),
    ...(handshakes ? [Math.round(1e6 / cost.median).toLocaleString('en-US')] : []),
    digits(cost.median),
    `${digits(cost.lowest)}-${digits(cost.highest)}`,
    percent(result.systemShare),
    whole(result.messagesPerSecond),
    whole(result.latencyMicrosecondsP50),
    whole(result.latencyMicrosecondsP99),
    percent(result.serverBusy.median),
    percent(result.loadBusy.median),
    ratio(result.costToNode),
    ratio(result.costToC),
  ];
}

/** What the columns mean. */
export const legend =
  'CPU: processor time of the server. kernel: the part of the system in it. busy, load: how busy the cores of the server ' +
  `and of the load generator were; under ${busyEnough * 100} % the server was not the bottleneck. x node, x C: cost relative ` +
  'to node:net, node:dgram or node:tls and to the server in C. x ws, x uWS: to ws and to uWebSockets.js.\n';

/** The memory of idle connections as a table. */
export function idleTable({ scenario, servers }: IdleScenarioResult): string {
  const head = ['server', 'RSS KiB', 'lowest-highest', 'PSS KiB', 'lowest-highest'];
  const table = new Table({ head, colAligns: alignments(head), style: look });
  for (const {
    server,
    residentBytesPerConnection: resident,
    proportionalBytesPerConnection: proportional,
  } of servers) {
    table.push([nameOf(server), ...kibibytes(resident), ...kibibytes(proportional)]);
  }
  const count = scenario.connections.toLocaleString('en-US');
  return `${count} ${scenario.name}, after one message each: memory of a connection\n${table}\n`;
}

function alignments(head: readonly string[]): ('left' | 'right')[] {
  return head.map((_, column) => (column === 0 ? 'left' : 'right'));
}

function nameOf(id: string): string {
  return serverKinds.find((kind) => kind.id === id)?.name ?? id;
}

function kibibytes({ median, lowest, highest }: Figure): string[] {
  return [(median / 1024).toFixed(2), `${(lowest / 1024).toFixed(2)}-${(highest / 1024).toFixed(2)}`];
}

/** Two digits that mean something, also below one. */
function digits(value: number): string {
  return value < 1 ? value.toFixed(3) : value < 100 ? value.toFixed(2) : value.toFixed(1);
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function whole({ median }: Figure): string {
  return Math.round(median).toLocaleString('en-US');
}

function ratio(value: number | undefined): string {
  return value === undefined ? '-' : value.toFixed(2);
}
