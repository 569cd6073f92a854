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
  readonly protocol: 'tcp' | 'ws';
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

/** As `MessagesScenario`, through TLS 1.3. What is due on a connection at once leaves in one record. */
export interface TlsMessagesScenario extends Omit<MessagesScenario, 'kind'> {
  readonly kind: 'tls-messages';
}

/** TLS 1.3 connections are opened, echo one message, and are closed; a "message" of the results is one connection. */
export interface HandshakesScenario {
  /** `resumptions`: with a ticket of the connection before. */
  readonly kind: 'handshakes' | 'resumptions';
  readonly name: string;
  readonly messageBytes: number;
  /** How many are under way at once. */
  readonly connections: number;
}

/** As `MessagesScenario`, in binary messages of WebSocket. */
export interface WebSocketMessagesScenario extends Omit<MessagesScenario, 'kind'> {
  readonly kind: 'ws-messages';
}

/** One WebSocket sends, and all get it; a "message" of the results is one that one of them got. */
export interface BroadcastScenario {
  readonly kind: 'broadcast';
  readonly name: string;
  readonly messageBytes: number;
  readonly connections: number;
  /** Messages that have not reached everybody. */
  readonly underWay: number;
}

export const protocols = ['tcp', 'udp', 'tls', 'ws'] as const;
export type Protocol = (typeof protocols)[number];

export type TimedScenario =
  | MessagesScenario
  | ConnectsScenario
  | DatagramsScenario
  | BulkScenario
  | TlsMessagesScenario
  | HandshakesScenario
  | WebSocketMessagesScenario
  | BroadcastScenario;
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

const tlsScenarios: readonly TimedScenario[] = [
  { kind: 'tls-messages', name: '64 B x 50 connections', messageBytes: 64, connections: 50, inFlight: 1 },
  {
    kind: 'tls-messages',
    name: '64 B x 16 in flight x 50 connections',
    messageBytes: 64,
    connections: 50,
    inFlight: 16,
  },
  {
    kind: 'tls-messages',
    name: '16 KiB x 20 connections',
    messageBytes: 16384,
    connections: 20,
    inFlight: 1,
  },
  { kind: 'handshakes', name: 'connect, handshake, echo, close', messageBytes: 64, connections: 50 },
  {
    kind: 'resumptions',
    name: 'connect, resumed handshake, echo, close',
    messageBytes: 64,
    connections: 50,
  },
];

const webSocketScenarios: readonly TimedScenario[] = [
  { kind: 'ws-messages', name: '64 B x 50 connections', messageBytes: 64, connections: 50, inFlight: 1 },
  { kind: 'ws-messages', name: '64 B x 500 connections', messageBytes: 64, connections: 500, inFlight: 1 },
  {
    kind: 'ws-messages',
    name: '64 B x 16 in flight x 50 connections',
    messageBytes: 64,
    connections: 50,
    inFlight: 16,
  },
  { kind: 'ws-messages', name: '16 KiB x 20 connections', messageBytes: 16384, connections: 20, inFlight: 1 },
  {
    kind: 'broadcast',
    name: '64 B from one to 1,000 connections',
    messageBytes: 64,
    connections: 1000,
    underWay: 2,
  },
];

export const timedScenarios: Readonly<Record<Protocol, readonly TimedScenario[]>> = {
  tcp: tcpScenarios,
  udp: udpScenarios,
  tls: tlsScenarios,
  ws: webSocketScenarios,
};

export const idleScenarios: Readonly<Partial<Record<Protocol, IdleScenario>>> = {
  tcp: { kind: 'idle', protocol: 'tcp', name: 'idle connections', messageBytes: 64, connections: 5000 },
  ws: { kind: 'idle', protocol: 'ws', name: 'idle connections', messageBytes: 64, connections: 10_000 },
};

/** Short names for the command line: 64x50, 64x16x50, 16Kx20; of most kinds the kind. */
export function shortName(scenario: Scenario): string {
  if (!('inFlight' in scenario)) return scenario.kind;
  const { messageBytes, connections, inFlight } = scenario;
  const size = messageBytes % 1024 === 0 ? `${messageBytes / 1024}K` : `${messageBytes}`;
  return inFlight === 1 ? `${size}x${connections}` : `${size}x${inFlight}x${connections}`;
}
