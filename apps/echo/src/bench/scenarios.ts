/** Messages go back and forth on connections that stay open. */
export interface MessagesScenario {
  readonly kind: 'messages';
  readonly name: string;
  readonly messageBytes: number;
  readonly connections: number;
  /** Messages of each connection that are on the way at once. */
  readonly inFlight: number;
}

/** Connections are opened, echo one message, and are reset; a "message" of the results is one connection. */
export interface ConnectsScenario {
  readonly kind: 'connects';
  readonly name: string;
  readonly messageBytes: number;
  /** How many are under way at once. */
  readonly connections: number;
}

/** Connections that have echoed one message and are then silent: what they cost in memory. */
export interface IdleScenario {
  readonly kind: 'idle';
  readonly name: string;
  readonly messageBytes: number;
  readonly connections: number;
}

/** Datagrams go back and forth between one server and several peers. */
export interface DatagramsScenario {
  readonly kind: 'datagrams';
  readonly name: string;
  readonly messageBytes: number;
  /** Peers, each with a socket of its own. */
  readonly connections: number;
  /** Datagrams of each peer that are on the way at once. */
  readonly inFlight: number;
}

/** The program under test sends datagrams to one peer, as many as it can. */
export interface BulkScenario {
  readonly kind: 'bulk';
  readonly name: string;
  readonly messageBytes: number;
  readonly connections: 1;
}

export const protocols = ['tcp', 'udp'] as const;
export type Protocol = (typeof protocols)[number];

export type TimedScenario = MessagesScenario | ConnectsScenario | DatagramsScenario | BulkScenario;
export type Scenario = TimedScenario | IdleScenario;

const tcpScenarios: readonly TimedScenario[] = [
  { kind: 'messages', name: '64 B x 50 connections', messageBytes: 64, connections: 50, inFlight: 1 },
  { kind: 'messages', name: '64 B x 500 connections', messageBytes: 64, connections: 500, inFlight: 1 },
  {
    kind: 'messages',
    name: '64 B x 16 in flight x 50 connections',
    messageBytes: 64,
    connections: 50,
    inFlight: 16,
  },
  { kind: 'messages', name: '16 KiB x 20 connections', messageBytes: 16384, connections: 20, inFlight: 1 },
  { kind: 'connects', name: 'connect, echo, reset', messageBytes: 64, connections: 50 },
];

const udpScenarios: readonly TimedScenario[] = [
  { kind: 'datagrams', name: '64 B x 50 peers', messageBytes: 64, connections: 50, inFlight: 1 },
  {
    kind: 'datagrams',
    name: '64 B x 16 in flight x 20 peers',
    messageBytes: 64,
    connections: 20,
    inFlight: 16,
  },
  {
    kind: 'datagrams',
    name: '1200 B x 8 in flight x 20 peers',
    messageBytes: 1200,
    connections: 20,
    inFlight: 8,
  },
  { kind: 'bulk', name: '1200 B one way to one peer', messageBytes: 1200, connections: 1 },
];

export const timedScenarios: Readonly<Record<Protocol, readonly TimedScenario[]>> = {
  tcp: tcpScenarios,
  udp: udpScenarios,
};

export const idleScenario: IdleScenario = {
  kind: 'idle',
  name: 'idle connections',
  messageBytes: 64,
  connections: 5000,
};

/** Short names for the command line: 64x50, 64x500, 64x16x50, 16Kx20, connects, idle, bulk. */
export function shortName(scenario: Scenario): string {
  if (scenario.kind !== 'messages' && scenario.kind !== 'datagrams') return scenario.kind;
  const { messageBytes, connections, inFlight } = scenario;
  const size = messageBytes % 1024 === 0 ? `${messageBytes / 1024}K` : `${messageBytes}`;
  return inFlight === 1 ? `${size}x${connections}` : `${size}x${inFlight}x${connections}`;
}
