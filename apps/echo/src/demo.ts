import { basename, relative } from 'node:path';
import { CompletionPort } from '@iocp/core';
import { connect, type TcpConnection } from '@iocp/tcp';
import type { Command } from 'commander';
import { type Address, formatAddress, parseAddress } from './address.js';
import { describeListening, EchoServer, type Listening } from './echo-server.js';
import { type Backend, backendOption } from './options.js';
import { defaultAddress } from './serve.js';
import { stopRequested } from './shutdown.js';
import { UserError } from './user-error.js';

interface DemoOptions {
  readonly tcp?: Address;
  readonly once?: true;
  readonly backend?: Backend;
}

const help = `
Examples:
  $ iocp-echo demo
  $ iocp-echo demo --once
  $ iocp-echo demo --tcp :0 --backend epoll
`;

export function addDemo(program: Command): void {
  program
    .command('demo')
    .summary('a server, one exchange with it, and what happened')
    .description(
      'Starts an echo server, has one exchange with it and shows what happened; then serves until Ctrl-C.',
    )
    .option(
      '--tcp <host:port>',
      'where to listen (default: 127.0.0.1:8080, or a free port when it is taken)',
      parseAddress,
    )
    .option('--once', 'end after the exchange')
    .addOption(backendOption())
    .addHelpText('after', help)
    .action(demo);
}

async function demo(options: DemoOptions): Promise<void> {
  const stop = stopRequested();
  await using port = new CompletionPort({ backend: options.backend });
  const server = new EchoServer(port);
  const { listening, remark } = await listenSomewhere(server, options.tcp);
  say(`Echo server listening on ${describeListening(listening)}${remark}`);
  say(`  ${describeBackend(port)}`);
  say('');
  await exchange(port, listening);
  if (options.once) return;
  say('');
  say(`Serving until Ctrl-C. Try it: ${invitation(listening)}`);
  say(`${await stop}: stopping`);
  await server.close(1000);
}

/** The default port may be in use by something else; one that was asked for is taken or nothing. */
async function listenSomewhere(
  server: EchoServer,
  wanted: Address | undefined,
): Promise<{ listening: Listening; remark: string }> {
  if (wanted !== undefined) return { listening: await server.listenTcp(wanted), remark: '' };
  try {
    return { listening: await server.listenTcp(defaultAddress), remark: '' };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    const listening = await server.listenTcp({ ...defaultAddress, port: 0 });
    return { listening, remark: ` (${defaultAddress.port} is in use, so this is a free port)` };
  }
}

function describeBackend({ info }: CompletionPort): string {
  const others = info.rejected
    .map(({ backend, reason }) => `; ${backend} is not available: ${reason}`)
    .join('');
  return `on ${info.backend}, kernel ${info.kernel}${others}`;
}

/** One message there and back, with what it took. */
async function exchange(port: CompletionPort, listening: Listening): Promise<void> {
  const { host, port: number } = addressToDial(listening);
  const message = Buffer.from('Hello, completion port! \u{1F44B}\n');
  const startedAt = performance.now();
  const connection = await connect({ host, port: number, completionPort: port });
  const connectedAt = performance.now();
  const { localAddress = '', localPort = 0 } = connection.info;
  say(
    `Client   connected from ${formatAddress(localAddress, localPort)} in ${milliseconds(connectedAt - startedAt)}`,
  );
  const before = port.stats;
  const sentAt = performance.now();
  await connection.send(message);
  const reply = await readExactly(connection, message.length);
  const took = performance.now() - sentAt;
  const after = port.stats;
  if (!reply.equals(message)) throw new UserError('The reply differs from what was sent.');
  say(`Client > Server  ${message.length} bytes  ${printable(message)}`);
  say(`                 ${hexadecimal(message)}`);
  say(
    `Server > Client  ${reply.length} bytes  ${printable(reply)}, the same bytes, after ${milliseconds(took)}`,
  );
  const count = (name: 'submissions' | 'completions' | 'batches' | 'systemCalls'): number =>
    after[name] - before[name];
  say('');
  say('On both ends together, in this one process:');
  say(
    `  ${count('submissions')} operations submitted through shared memory, ${count('completions')} completions in ${count('batches')} batches`,
  );
  say(`  ${count('systemCalls')} system calls for input and output`);
  say('  the server sent the reply from the memory it was received in: no byte was copied in between');
  await connection.close();
}

function addressToDial(listening: Listening): { host: string; port: number } {
  if (listening.protocol === 'unix') throw new UserError('The demo listens on TCP.');
  const { host, port } = listening;
  return { host: host === '::' ? '::1' : host === '0.0.0.0' ? '127.0.0.1' : host, port };
}

async function readExactly(connection: TcpConnection, length: number): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for (let received = 0; received < length; ) {
    const bytes = await connection.read();
    if (bytes === null) throw new UserError('The server ended the connection before it had replied.');
    pieces.push(bytes);
    received += bytes.length;
  }
  return Buffer.concat(pieces);
}

/** How to start the client, as this program was started. */
function invitation(listening: Listening): string {
  const { host, port } = addressToDial(listening);
  const file = process.argv[1] ?? '';
  const program = file.endsWith('.js') ? `node ${relative(process.cwd(), file)}` : basename(file);
  return `${program} client ${formatAddress(host, port)}`;
}

function printable(bytes: Buffer): string {
  return JSON.stringify(bytes.toString('utf8'));
}

function hexadecimal(bytes: Buffer): string {
  return bytes.toString('hex').replace(/..(?!$)/g, '$& ');
}

function milliseconds(value: number): string {
  return `${value.toFixed(2)} ms`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
