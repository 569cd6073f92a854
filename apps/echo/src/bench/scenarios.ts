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

export type TimedScenario = MessagesScenario | ConnectsScenario;
export type Scenario = TimedScenario | IdleScenario;

export const timedScenarios: readonly TimedScenario[] = [
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

export const idleScenario: IdleScenario = {
  kind: 'idle',
  name: 'idle connections',
  messageBytes: 64,
  connections: 5000,
};

/** Short names for the command line: 64x50, 64x500, 64x16x50, 16Kx20, connects, idle. */
export function shortName(scenario: Scenario): string {
  if (scenario.kind !== 'messages') return scenario.kind;
  const { messageBytes, connections, inFlight } = scenario;
  const size = messageBytes % 1024 === 0 ? `${messageBytes / 1024}K` : `${messageBytes}`;
  return inFlight === 1 ? `${size}x${connections}` : `${size}x${inFlight}x${connections}`;
}
