import { createInterface } from 'node:readline';
import { StringDecoder } from 'node:string_decoder';
import { CompletionPort } from '@iocp/core';
import { connect, type TcpConnection } from '@iocp/tcp';
import { connect as connectTls, type TlsOptions } from '@iocp/tls';
import { connect as connectWebSocket } from '@iocp/websocket';
import { type Command, InvalidArgumentError } from 'commander';
import { type Address, formatAddress, parseAddress } from './address.js';
import { Conversation, type Talk } from './conversation.js';
import { DatagramConversation } from './datagram-conversation.js';
import { type Backend, backendOption } from './options.js';
import { readPem } from './tls-credentials.js';
import { WebSocketConversation } from './websocket-conversation.js';

interface ClientOptions {
  readonly unix?: string;
  readonly udp?: Address;
  readonly tls?: Address;
  readonly ca?: string;
  readonly insecure?: true;
  readonly servername?: string;
  readonly backend?: Backend;
}

const help = `
On a terminal it prompts, and shows the reply to each line before the next. "exit" (or Ctrl-D) leaves, after its
reply was shown. From a pipe it sends every line, shows every reply, and exits 0. It exits 1 when the server goes
away first.

Examples:
  $ iocp-echo client 127.0.0.1:8080
  $ iocp-echo client :8080                     this machine
  $ iocp-echo client --unix /tmp/echo.sock
  $ iocp-echo client --udp 127.0.0.1:8080      a datagram for each line; exits 1 when no reply comes
  $ iocp-echo client --tls :8443 --ca ca.pem
  $ iocp-echo client --tls :8443 --insecure    a server with --tls-self-signed
  $ iocp-echo client ws://127.0.0.1:8080/      a text message for each line
  $ iocp-echo client wss://localhost:8443 --insecure
  $ printf 'one\\ntwo\\n' | iocp-echo client [::1]:8080
`;

export function addClient(program: Command): void {
  const command = program
    .command('client')
    .summary('talk to a server line by line')
    .description('Sends lines to a server and shows its replies.')
    .argument('[server]', 'HOST:PORT, or the URL of a WebSocket server: ws://… or wss://…', parseServerOrUrl)
    .option('--unix <path>', 'connect to a Unix socket instead')
    .option('--udp <host:port>', 'send datagrams instead', parseServer)
    .option('--tls <host:port>', 'connect with TLS instead', parseServer)
    .option('--ca <file>', 'with --tls or wss: trust these certificates, in PEM, and no others')
    .option('--insecure', 'with --tls or wss: trust any certificate')
    .option(
      '--servername <name>',
      'with --tls or wss: the name to ask for and to find in the certificate (default: HOST)',
    )
    .addOption(backendOption())
    .addHelpText('after', help)
    .action(async (server: Address | URL | undefined, options: ClientOptions) => {
      const wrong = usageError(server, options);
      if (wrong !== undefined) command.error(`error: ${wrong}`);
      await run(server, options);
    });
}

/** Why these arguments do not go together, if so. */
function usageError(server: Address | URL | undefined, options: ClientOptions): string | undefined {
  const { unix, udp, tls, ca, insecure, servername } = options;
  if ([server, unix, udp, tls].filter((each) => each !== undefined).length !== 1) {
    return 'name one server, as HOST:PORT or ws://HOST:PORT, with --unix PATH, --udp HOST:PORT or --tls HOST:PORT';
  }
  const forTls = ca !== undefined || insecure || servername !== undefined;
  const isSecure = tls !== undefined || (server instanceof URL && server.protocol === 'wss:');
  if (forTls && !isSecure)
    return '--ca, --insecure and --servername are for --tls HOST:PORT and wss://HOST:PORT';
  return ca !== undefined && insecure ? '--insecure excludes --ca' : undefined;
}

function parseServer(text: string): Address {
  const address = parseAddress(text);
  if (address.port === 0)
    throw new InvalidArgumentError('Port 0 is for listening: name the port of the server.');
  return address;
}

function parseServerOrUrl(text: string): Address | URL {
  if (!/^wss?:/i.test(text)) return parseServer(text);
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || url.hash !== '')
    throw new InvalidArgumentError('Write it like ws://127.0.0.1:8080/path or wss://example.org.');
  return url;
}

async function run(server: Address | URL | undefined, options: ClientOptions): Promise<void> {
  await using port = new CompletionPort({ backend: options.backend });
  const { talk, peer } = await open(port, server, options);
  const over = new AbortController();
  const interactive = process.stdin.isTTY && process.stdout.isTTY;
  if (interactive) {
    process.stdout.write(`Connected to ${peer} (${port.info.backend}). Type a line; "exit" leaves.\n`);
  }
  const talking = interactive ? converse(talk, over.signal) : relay(talk);
  try {
    await Promise.race([talking, talk.ended]);
  } catch (error) {
    if (interactive) process.stdout.write('\n');
    throw error;
  } finally {
    over.abort();
    process.stdin.destroy();
  }
}

function show(text: string): void {
  process.stdout.write(text);
}

/** Opens a conversation, and says with whom. */
async function open(
  completionPort: CompletionPort,
  server: Address | URL | undefined,
  options: ClientOptions,
): Promise<{ talk: Talk; peer: string }> {
  const { udp } = options;
  if (server instanceof URL) {
    const settings = { tcp: { completionPort }, tls: trustOf(options) };
    const talk = await WebSocketConversation.open(
      (handlers) => connectWebSocket(server, settings, handlers),
      show,
    );
    return { talk, peer: server.href };
  }
  if (udp !== undefined) {
    const talk = await DatagramConversation.open(completionPort, udp, show);
    const { address: host, port } = talk.remoteAddress;
    return { talk, peer: formatAddress(host, port) };
  }
  const connection = await dial(completionPort, server, options);
  const { remotePort, remoteAddress = '' } = connection.info;
  const peer = remotePort ? formatAddress(remoteAddress, remotePort) : 'the Unix socket';
  return { talk: new Conversation(connection, show), peer: `${peer}${describeTls(connection)}` };
}

function dial(
  completionPort: CompletionPort,
  address: Address | undefined,
  options: ClientOptions,
): Promise<TcpConnection> {
  const { unix, tls } = options;
  if (unix !== undefined) return connect({ path: unix, completionPort });
  const { host = 'localhost', port = 0 } = tls ?? address ?? {};
  if (tls === undefined) return connect({ host, port, completionPort });
  return connectTls({ host, port, completionPort, ...trustOf(options) });
}

/** Whom TLS is to trust. */
function trustOf({ ca, insecure, servername }: ClientOptions): TlsOptions {
  return { servername, ca: ca === undefined ? undefined : readPem(ca), rejectUnauthorized: !insecure };
}

/** Protocol and cipher of a TLS connection, with a comma in front. */
function describeTls(connection: TcpConnection): string {
  const { tls } = connection.info;
  return tls === undefined ? '' : `, ${tls.protocol}, ${tls.cipher?.standardName}`;
}

/** On a terminal: prompt, line, reply. */
async function converse(conversation: Talk, over: AbortSignal): Promise<void> {
  const { stdin: input, stdout: output } = process;
  const terminal = createInterface({ input, output, prompt: '> ', signal: over });
  try {
    terminal.prompt();
    for await (const line of terminal) {
      await conversation.say(line);
      await conversation.answered();
      if (isExit(line)) break;
      terminal.prompt();
    }
  } finally {
    terminal.close();
  }
  await conversation.leave();
}

/** From a pipe: lines go out as they come, replies are shown as they come. */
async function relay(conversation: Talk): Promise<void> {
  for await (const line of linesOf(process.stdin)) {
    await conversation.say(line);
    if (isExit(line)) break;
  }
  await conversation.answered();
  await conversation.leave();
}

function isExit(line: string): boolean {
  return line.trim() === 'exit';
}

/** The lines of a stream, without their line feeds; a last one without a line feed counts. */
async function* linesOf(stream: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8');
  let begun = '';
  for await (const chunk of stream) {
    const lines = (begun + decoder.write(chunk)).split('\n');
    begun = lines.pop() ?? '';
    yield* lines;
  }
  begun += decoder.end();
  if (begun !== '') yield begun;
}
