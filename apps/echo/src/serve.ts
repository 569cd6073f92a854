import { CompletionPort } from '@iocp/core';
import type { Command } from 'commander';
import type { Address } from './address.js';
import { describeListening, EchoServer, type Listening } from './echo-server.js';
import { type EventLog, jsonLog, silentLog, textLog } from './log.js';
import { type Backend, backendOption, collectAddress, collectText, wholeNumber } from './options.js';
import { stopRequested } from './shutdown.js';
import {
  describeCertificate,
  loadCredentials,
  type TlsCredentials,
  type TlsServerOptions,
  tlsUsageError,
} from './tls-credentials.js';

interface ServeOptions extends TlsServerOptions {
  readonly tcp?: readonly Address[];
  readonly udp?: readonly Address[];
  readonly unix?: readonly string[];
  readonly ws?: readonly Address[];
  readonly wsDeflate?: true;
  readonly backend?: Backend;
  readonly quiet?: true;
  readonly json?: true;
  readonly graceMs: number;
}

/** Slots that the longest datagram fits into; memory that is not touched costs nothing. */
const datagramPool = { slotBytes: 131_072, maxSlots: 1024 };

export const defaultAddress: Address = { host: '127.0.0.1', port: 8080 };

const help = `
Without --tcp, --tls, --udp, --unix, --ws and --wss it listens on tcp 127.0.0.1:8080. Port 0 takes a free port, which the first line names.
SIGINT (Ctrl-C) or SIGTERM stops it: no new connections, what has arrived is answered, exit code 0. A second one
ends it at once.

Examples:
  $ iocp-echo serve --tcp 127.0.0.1:8080
  $ iocp-echo serve --tcp 127.0.0.1:8080 --tcp [::1]:8080 --unix /tmp/echo.sock
  $ iocp-echo serve --udp 127.0.0.1:8080
  $ iocp-echo serve --tls 127.0.0.1:8443 --tls-self-signed
  $ iocp-echo serve --ws 127.0.0.1:8080        and a page for your browser at http://127.0.0.1:8080/
  $ iocp-echo serve --wss :8443 --tls-self-signed
  $ iocp-echo serve --tls :8443 --tls-cert chain.pem --tls-key key.pem
  $ iocp-echo serve --tcp :0 --json | jq 'select(.event == "listening").port'
  $ iocp-echo serve --backend epoll
`;

export function addServe(program: Command): void {
  const command = program
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
    .option(
      '--tls <host:port>',
      'listen for TLS on a TCP address; may be given more than once',
      collectAddress,
    )
    .option(
      '--ws <host:port>',
      'listen for WebSocket on a TCP address, and show a page there; may be given more than once',
      collectAddress,
    )
    .option('--wss <host:port>', 'the same through TLS; may be given more than once', collectAddress)
    .option('--ws-deflate', 'with --ws and --wss: compress messages for clients that ask for it')
    .option('--tls-cert <file>', 'the certificate for --tls and --wss, and the chain that issued it, in PEM')
    .option('--tls-key <file>', 'its private key, in PEM')
    .option('--tls-self-signed', 'make a certificate for this run instead')
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
    .action(async (options: ServeOptions) => {
      const wrong = usageError(options);
      if (wrong !== undefined) command.error(`error: ${wrong}`);
      await serve(options);
    });
}

/** Why these options do not go together, if so. */
function usageError(options: ServeOptions): string | undefined {
  const { ws, wss, wsDeflate } = options;
  if (wsDeflate && ws === undefined && wss === undefined) {
    return '--ws-deflate is for --ws HOST:PORT or --wss HOST:PORT';
  }
  return tlsUsageError(options);
}

async function serve(options: ServeOptions): Promise<void> {
  const stop = stopRequested();
  const listeningLog = options.json ? jsonLog() : options.quiet ? silentLog : textLog;
  const log = options.quiet ? silentLog : listeningLog;
  const pool = options.udp === undefined ? undefined : datagramPool;
  await using port = new CompletionPort({ backend: options.backend, pool });
  const server = new EchoServer(port);
  const credentials = (options.tls ?? options.wss) && (await loadCredentials(options));
  for (const listening of startListening(server, options, credentials)) {
    announce(listeningLog, await listening, port.info.backend);
  }
  if (credentials !== undefined && options.tlsSelfSigned) announceCertificate(log, credentials);
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
  { tcp, udp, tls, unix, ws, wss, wsDeflate: deflate }: ServeOptions,
  credentials: TlsCredentials | undefined,
): Generator<Promise<Listening>> {
  const fallback = (udp ?? tls ?? unix ?? ws ?? wss) === undefined ? [defaultAddress] : [];
  for (const address of tcp ?? fallback) yield server.listenTcp(address);
  for (const address of udp ?? []) yield server.listenUdp(address);
  for (const address of ws ?? []) yield server.listenWebSocket(address, { deflate });
  if (credentials !== undefined) {
    for (const address of tls ?? []) yield server.listenTls(address, credentials);
    for (const address of wss ?? []) yield server.listenWebSocket(address, { credentials, deflate });
  }
  for (const path of unix ?? []) yield server.listenUnix(path);
}

function announce(log: EventLog, listening: Listening, backend: string): void {
  const page = 'page' in listening ? `, page at ${listening.page}` : '';
  log.event(
    'listening',
    { ...listening, backend },
    `listening on ${describeListening(listening)} (${backend})${page}`,
  );
}

function announceCertificate(log: EventLog, credentials: TlsCredentials): void {
  const facts = describeCertificate(credentials);
  const text = `certificate made for this run, SHA-256 ${facts.fingerprint256}: clients need --insecure`;
  log.event('certificate', facts, text);
}

function connections(count: number): string {
  return `${count.toLocaleString('en-US')} ${count === 1 ? 'connection' : 'connections'}`;
}
