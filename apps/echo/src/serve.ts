import { CompletionPort } from '@iocp/core';
import type { Command } from 'commander';
import type { Address } from './address.js';
import { describeListening, EchoServer, type Listening } from './echo-server.js';
import { type EventLog, jsonLog, silentLog, textLog } from './log.js';
import { type Backend, backendOption, collectAddress, collectText, wholeNumber } from './options.js';
import { stopRequested } from './shutdown.js';

interface ServeOptions {
  readonly tcp?: readonly Address[];
  readonly udp?: readonly Address[];
  readonly unix?: readonly string[];
  readonly backend?: Backend;
  readonly quiet?: true;
  readonly json?: true;
  readonly graceMs: number;
}

/** Slots that the longest datagram fits into; memory that is not touched costs nothing. */
const datagramPool = { slotBytes: 131_072, maxSlots: 1024 };

export const defaultAddress: Address = { host: '127.0.0.1', port: 8080 };

const help = `
Without --tcp, --udp and --unix it listens on tcp 127.0.0.1:8080. Port 0 takes a free port, which the first line names.
SIGINT (Ctrl-C) or SIGTERM stops it: no new connections, what has arrived is answered, exit code 0. A second one
ends it at once.

Examples:
  $ iocp-echo serve --tcp 127.0.0.1:8080
  $ iocp-echo serve --tcp 127.0.0.1:8080 --tcp [::1]:8080 --unix /tmp/echo.sock
  $ iocp-echo serve --udp 127.0.0.1:8080
  $ iocp-echo serve --tcp :0 --json | jq 'select(.event == "listening").port'
  $ iocp-echo serve --backend epoll
`;

export function addServe(program: Command): void {
  program
    .command('serve')
    .summary('run an echo server')
    .description('Sends back whatever it receives, until it is told to stop.')
    .option('--tcp <host:port>', 'listen on a TCP address; may be given more than once', collectAddress)
    .option(
      '--udp <host:port>',
      'echo datagrams at a UDP address; may be given more than once',
      collectAddress,
    )
    .option('--unix <path>', 'listen on a Unix socket; may be given more than once', collectText)
    .addOption(backendOption())
    .option(
      '--grace-ms <ms>',
      'how long peers may take to end their connections at a stop',
      wholeNumber(0, 3_600_000),
      5000,
    )
    .option('--quiet', 'print nothing but errors; with --json, the listening events only')
    .option('--json', 'print events as JSON, one object per line')
    .addHelpText('after', help)
    .action(serve);
}

async function serve(options: ServeOptions): Promise<void> {
  const stop = stopRequested();
  const listeningLog = options.json ? jsonLog() : options.quiet ? silentLog : textLog;
  const log = options.quiet ? silentLog : listeningLog;
  const pool = options.udp === undefined ? undefined : datagramPool;
  await using port = new CompletionPort({ backend: options.backend, pool });
  const server = new EchoServer(port);
  for (const listening of startListening(server, options)) {
    announce(listeningLog, await listening, port.info.backend);
  }
  const signal = await stop;
  const { connectionsOpen } = server.counters;
  log.event(
    'stopping',
    { signal, connectionsOpen },
    `${signal}: stopping, ${connections(connectionsOpen)} open`,
  );
  await server.close(options.graceMs);
  const { connectionsTotal, datagramsTotal, bytesTotal } = server.counters;
  const served = [
    `served ${connections(connectionsTotal)}`,
    ...(options.udp === undefined ? [] : [`${datagramsTotal.toLocaleString('en-US')} datagrams`]),
    `echoed ${bytesTotal.toLocaleString('en-US')} bytes`,
  ];
  log.event('stopped', { connectionsTotal, datagramsTotal, bytesTotal }, `stopped: ${served.join(', ')}`);
}

/** One after the other, so that the first that fails is the one reported. */
function* startListening(
  server: EchoServer,
  { tcp, udp, unix }: ServeOptions,
): Generator<Promise<Listening>> {
  const fallback = udp === undefined && unix === undefined ? [defaultAddress] : [];
  for (const address of tcp ?? fallback) yield server.listenTcp(address);
  for (const address of udp ?? []) yield server.listenUdp(address);
  for (const path of unix ?? []) yield server.listenUnix(path);
}

function announce(log: EventLog, listening: Listening, backend: string): void {
  log.event(
    'listening',
    { ...listening, backend },
    `listening on ${describeListening(listening)} (${backend})`,
  );
}

function connections(count: number): string {
  return `${count.toLocaleString('en-US')} ${count === 1 ? 'connection' : 'connections'}`;
}
