import { fileURLToPath } from 'node:url';
import { UserError } from '../user-error.js';
import type { CServerName, CServers } from './c-servers.js';
import { Child, type Cores } from './child.js';
import type { Scenario } from './scenarios.js';

/** Backends that servers of the comparison run on. */
export type MeasuredBackend = 'io_uring' | 'epoll' | 'node';

/** A server of the comparison. */
export interface ServerKind {
  /** For the table. */
  readonly name: string;
  /** For the command line and the JSON file. */
  readonly id: string;
  readonly description: string;
  /** What it needs of the system, if anything. */
  readonly backend?: MeasuredBackend;
  readonly inC?: CServerName;
  /** How to start it for a scenario. */
  command(scenario: Scenario, cServers: CServers): ServerCommand;
}

export interface ServerCommand {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

/** What the ratios of the results refer to. */
export const nodeServer = 'node-net';
export const cServer = 'c-io-uring';

const ourServer = fileURLToPath(new URL('./bench-server.js', import.meta.url));

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
  return { id, name, description, backend, command: inNode(face, backend) };
}

export const serverKinds: readonly ServerKind[] = [
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
  { id: nodeServer, name: 'node:net', description: 'what Node.js brings', command: inNode('node', 'auto') },
  {
    id: 'c-epoll',
    name: 'C epoll',
    description: 'a small server in C',
    inC: 'echo_epoll',
    command: (_scenario, cServers) => ({ program: cServers.path('echo_epoll'), args: [] }),
  },
  {
    id: cServer,
    name: 'C io_uring',
    description: 'a small server in C: the limit',
    backend: 'io_uring',
    inC: 'echo_io_uring',
    command: (scenario, cServers) => ({
      program: cServers.path('echo_io_uring'),
      args: [`${buffersFor(scenario)}`],
    }),
  },
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
