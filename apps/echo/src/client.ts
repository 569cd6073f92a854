import { createInterface } from 'node:readline';
import { StringDecoder } from 'node:string_decoder';
import { CompletionPort } from '@iocp/core';
import { connect } from '@iocp/tcp';
import { type Command, InvalidArgumentError } from 'commander';
import { type Address, formatAddress, parseAddress } from './address.js';
import { Conversation, type Talk } from './conversation.js';
import { DatagramConversation } from './datagram-conversation.js';
import { type Backend, backendOption } from './options.js';

interface ClientOptions {
  readonly unix?: string;
  readonly udp?: Address;
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
  $ printf 'one\\ntwo\\n' | iocp-echo client [::1]:8080
`;

export function addClient(program: Command): void {
  const command = program
    .command('client')
    .summary('talk to a server line by line')
    .description('Sends lines to a server and shows its replies.')
    .argument('[host:port]', 'the server', parseServer)
    .option('--unix <path>', 'connect to a Unix socket instead')
    .option('--udp <host:port>', 'send datagrams instead', parseServer)
    .addOption(backendOption())
    .addHelpText('after', help)
    .action(async (address: Address | undefined, options: ClientOptions) => {
      const named = [address, options.unix, options.udp].filter((server) => server !== undefined);
      if (named.length !== 1) {
        command.error('error: name one server, as HOST:PORT, with --unix PATH or with --udp HOST:PORT');
      }
      await run(address, options);
    });
}

function parseServer(text: string): Address {
  const address = parseAddress(text);
  if (address.port === 0)
    throw new InvalidArgumentError('Port 0 is for listening: name the port of the server.');
  return address;
}

async function run(address: Address | undefined, options: ClientOptions): Promise<void> {
  await using port = new CompletionPort({ backend: options.backend });
  const { talk, peer } = await open(port, address, options);
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
  address: Address | undefined,
  { unix, udp }: ClientOptions,
): Promise<{ talk: Talk; peer: string }> {
  if (udp !== undefined) {
    const talk = await DatagramConversation.open(completionPort, udp, show);
    const { address: host, port } = talk.remoteAddress;
    return { talk, peer: formatAddress(host, port) };
  }
  const connection = await (unix === undefined
    ? connect({ host: address?.host ?? 'localhost', port: address?.port ?? 0, completionPort })
    : connect({ path: unix, completionPort }));
  const { remotePort, remoteAddress = '' } = connection.info;
  const peer = remotePort ? formatAddress(remoteAddress, remotePort) : 'the Unix socket';
  return { talk: new Conversation(connection, show), peer };
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
