import { fileURLToPath } from 'node:url';
import type { EngineName } from '@iocp/tls';
import { UserError } from '../user-error.js';
import { Child, type Cores } from './child.js';
import type { CProgramName, Equipment } from './equipment.js';
import type { Protocol, Scenario, TimedScenario } from './scenarios.js';
import { uwsBinary } from './uws.js';

/** Backends that servers of the comparison run on. */
export type MeasuredBackend = 'io_uring' | 'epoll' | 'node';

/** A server of the comparison. */
export interface ServerKind {
  /** For the table. */
  readonly name: string;
  /** For the command line and the JSON file. */
  readonly id: string;
  readonly description: string;
  readonly protocol: Protocol;
  /** The only kinds of scenario it can do; all when absent. */
  readonly only?: readonly TimedScenario['kind'][];
  /** What it needs of the system, if anything. */
  readonly backend?: MeasuredBackend;
  /** The engine of `@iocp/tls` that it asks for. */
  readonly engine?: EngineName;
  readonly inC?: CProgramName;
  /** It is uWebSockets.js, which is installed only when asked for. */
  readonly uws?: true;
  /** How to start it for a scenario. */
  command(scenario: Scenario, equipment: Equipment): ServerCommand;
}

export interface ServerCommand {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

/** What the ratios of the results refer to: the server on Node.js itself, and the one in C; of WebSocket what others use. */
export const nodeServers: ReadonlySet<string> = new Set(['node-net', 'node-dgram', 'node-tls', 'ws']);
export const cServers: ReadonlySet<string> = new Set(['c-io-uring', 'c-recvmmsg', 'c-openssl', 'uws']);

const ourServer = fileURLToPath(new URL('./bench-server.js', import.meta.url));
const ourDatagramServer = fileURLToPath(new URL('./bench-datagram-server.js', import.meta.url));
const ourTlsServer = fileURLToPath(new URL('./bench-tls-server.js', import.meta.url));
const ourWebSocketServer = fileURLToPath(new URL('./bench-websocket-server.js', import.meta.url));
const webSocketPeer = fileURLToPath(new URL('./bench-websocket-peer.js', import.meta.url));

function inNode(face: string, backend: string): ServerKind['command'] {
  const args = ['--expose-gc', ourServer, face];
  return () => ({ program: process.execPath, args, env: { IOCP_BACKEND: backend } });
}

function ours(
  id: string,
  name: string,
  face: string,
  backend: MeasuredBackend,
  description: string,
): ServerKind {
  return { id, name, description, protocol: 'tcp', backend, command: inNode(face, backend) };
}

const tcpServers: readonly ServerKind[] = [
  ours('io-uring', 'iocp io_uring', 'lent', 'io_uring', 'handlers, lent bytes: what the echo server does'),
  ours(
    'io-uring-owned',
    'iocp io_uring, owned',
    'owned',
    'io_uring',
    'handlers, bytes that are the application’s own',
  ),
  ours('io-uring-iteration', 'iocp io_uring, for await', 'iteration', 'io_uring', 'async iteration'),
  ours(
    'io-uring-duplex',
    'iocp io_uring, Duplex',
    'duplex',
    'io_uring',
    'a Node.js stream, piped into itself',
  ),
  ours('epoll', 'iocp epoll', 'lent', 'epoll', 'handlers, lent bytes, on the other backend'),
  ours('node', 'iocp node', 'lent', 'node', 'handlers, lent bytes, on the backend in JavaScript'),
  {
    id: 'node-net',
    name: 'node:net',
    protocol: 'tcp',
    description: 'what Node.js brings',
    command: inNode('node', 'auto'),
  },
  {
    id: 'c-epoll',
    name: 'C epoll',
    protocol: 'tcp',
    description: 'a small server in C',
    inC: 'echo_epoll',
    command: (_scenario, equipment) => ({ program: equipment.program('echo_epoll'), args: [] }),
  },
  {
    id: 'c-io-uring',
    name: 'C io_uring',
    protocol: 'tcp',
    description: 'a small server in C: the limit',
    backend: 'io_uring',
    inC: 'echo_io_uring',
    command: (scenario, equipment) => ({
      program: equipment.program('echo_io_uring'),
      args: [`${buffersFor(scenario)}`],
    }),
  },
];

function ourDatagrams(
  id: string,
  name: string,
  face: string,
  backend: MeasuredBackend,
  description: string,
): ServerKind {
  return { id, name, description, protocol: 'udp', backend, command: datagramsInNode(face, backend) };
}

/** The face says what to do with datagrams that arrive; in the bulk scenario the program sends. */
function datagramsInNode(face: string, backend: string): ServerKind['command'] {
  return ({ kind, messageBytes }) => ({
    program: process.execPath,
    args: [ourDatagramServer, kind === 'bulk' ? 'bulk' : 'echo', face, `${messageBytes}`],
    env: { IOCP_BACKEND: backend },
  });
}

const udpServers: readonly ServerKind[] = [
  ourDatagrams(
    'io-uring',
    'iocp io_uring',
    'lent',
    'io_uring',
    'handlers, lent bytes; bulk: segments cut by the kernel',
  ),
  ourDatagrams(
    'io-uring-owned',
    'iocp io_uring, owned',
    'owned',
    'io_uring',
    'handlers, bytes that are the application’s own; bulk: one datagram at a time',
  ),
  ourDatagrams('epoll', 'iocp epoll', 'lent', 'epoll', 'handlers, lent bytes, on the other backend'),
  ourDatagrams('node', 'iocp node', 'lent', 'node', 'handlers, lent bytes, on the backend in JavaScript'),
  {
    id: 'node-dgram',
    name: 'node:dgram',
    protocol: 'udp',
    description: 'what Node.js brings',
    command: datagramsInNode('node', 'auto'),
  },
  {
    id: 'c-recvmmsg',
    name: 'C recvmmsg',
    protocol: 'udp',
    only: ['datagrams'],
    description: 'a small server in C, on recvmmsg and sendmmsg: the limit',
    inC: 'echo_udp',
    command: (_scenario, equipment) => ({ program: equipment.program('echo_udp'), args: [] }),
  },
];

function ourTls(
  id: string,
  name: string,
  backend: MeasuredBackend,
  engine: EngineName,
  description: string,
): ServerKind {
  const env = { IOCP_BACKEND: backend, IOCP_TLS_ENGINE: engine };
  return { id, name, description, protocol: 'tls', backend, engine, command: tlsInNode('lent', env) };
}

function tlsInNode(face: string, env: NodeJS.ProcessEnv): ServerKind['command'] {
  return (_scenario, { certificate: { certFile, keyFile } }) => ({
    program: process.execPath,
    args: [ourTlsServer, face, certFile, keyFile],
    env,
  });
}

const tlsServers: readonly ServerKind[] = [
  ourTls(
    'io-uring',
    'iocp io_uring',
    'io_uring',
    'native',
    'handlers, lent bytes: what the echo server does',
  ),
  ourTls('epoll', 'iocp epoll', 'epoll', 'native', 'handlers, lent bytes, on the other backend'),
  ourTls(
    'engine-node',
    'iocp io_uring, engine node',
    'io_uring',
    'node',
    'handlers, lent bytes, with the engine on node:tls',
  ),
  {
    id: 'node-tls',
    name: 'node:tls',
    protocol: 'tls',
    description: 'what Node.js brings',
    command: tlsInNode('node', {}),
  },
  {
    id: 'c-openssl',
    name: 'C OpenSSL epoll',
    protocol: 'tls',
    description: 'a small server in C, on the OpenSSL of the system',
    inC: 'echo_tls',
    command: (_scenario, equipment) => {
      const { certFile, keyFile } = equipment.certificate;
      return { program: equipment.program('echo_tls'), args: [certFile, keyFile] };
    },
  },
];

function ourWebSocket(backend: MeasuredBackend, description: string): ServerKind {
  const id = backend.replace('_', '-');
  const command = webSocketInNode(ourWebSocketServer, [], { IOCP_BACKEND: backend });
  return { id, name: `iocp ${backend}`, description, protocol: 'ws', backend, command };
}

function webSocketInNode(
  file: string,
  [name, ...rest]: readonly string[],
  env: NodeJS.ProcessEnv,
): ServerKind['command'] {
  return ({ kind }) => {
    const task = kind === 'broadcast' ? 'broadcast' : 'echo';
    // V8's young generation grows once, with the first connections of a process, and must not count as theirs.
    const grown = kind === 'idle' ? ['--min-semi-space-size=16'] : [];
    const args = ['--expose-gc', ...grown, file, ...(name === undefined ? [] : [name]), task, ...rest];
    return { program: process.execPath, args, env };
  };
}

const webSocketServers: readonly ServerKind[] = [
  ourWebSocket('io_uring', 'handlers, lent bytes: what the echo server does'),
  ourWebSocket('epoll', 'handlers, lent bytes, on the other backend'),
  ourWebSocket('node', 'handlers, lent bytes, on the backend in JavaScript'),
  {
    id: 'ws',
    name: 'ws',
    protocol: 'ws',
    description: 'the library that most people use',
    command: webSocketInNode(webSocketPeer, ['ws'], {}),
  },
  {
    id: 'uws',
    name: 'uWebSockets.js',
    protocol: 'ws',
    uws: true,
    description: 'a server in C++ with handlers in JavaScript; with --uws only',
    command: webSocketInNode(webSocketPeer, ['uws', uwsBinary], {}),
  },
];

export const serverKinds: readonly ServerKind[] = [
  ...tcpServers,
  ...udpServers,
  ...tlsServers,
  ...webSocketServers,
];

/** Enough receive buffers for all that arrives at once, and no more than stay in the processor's cache. */
function buffersFor({ kind, connections }: Scenario): number {
  return kind === 'idle' ? 256 : 2 ** Math.ceil(Math.log2(Math.min(Math.max(64, connections * 2), 4096)));
}

/** A running server. */
export class Server {
  private constructor(
    readonly kind: ServerKind,
    readonly port: number,
    readonly child: Child,
    readonly command: ServerCommand,
  ) {}

  /** Starts a server and waits until it listens. */
  static async start(kind: ServerKind, command: ServerCommand, cores: Cores): Promise<Server> {
    const messages = command.program === process.execPath;
    const child = new Child(kind.name, { ...command, core: cores.server, messages });
    const line = await child.firstLine();
    const port = Number(/^listening (\d+)$/.exec(line)?.[1]);
    if (!(port > 0)) throw new UserError(`${kind.name} did not say where it listens: ${line}`);
    return new Server(kind, port, child, command);
  }

  /** Has garbage collected, so that what is measured is in use. */
  async collectGarbage(): Promise<void> {
    if (this.child.process.channel) await this.child.ask('collect');
  }

  stop(): Promise<void> {
    return this.child.stop();
  }
}
