import { createInterface } from 'node:readline';
import { StringDecoder } from 'node:string_decoder';
import { CompletionPort } from '@iocp/core';
import { connect, type TcpConnection } from '@iocp/tcp';
import { type Command, InvalidArgumentError } from 'commander';
import { type Address, formatAddress, parseAddress } from './address.js';
import { Conversation } from './conversation.js';
import { type Backend, backendOption } from './options.js';

interface ClientOptions {
  readonly unix?: string;
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
  $ printf 'one\\ntwo\\n' | iocp-echo client [::1]:8080
`;

export function addClient(program: Command): void {
  const command = program
    .command('client')
    .summary('talk to a server line by line')
    .description('Sends lines to a server and shows its replies.')
    .argument('[host:port]', 'the server', parseServer)
    .option('--unix <path>', 'connect to a Unix socket instead')
    .addOption(backendOption())
    .addHelpText('after', help)
    .action(async (address: Address | undefined, options: ClientOptions) => {
      if ((address === undefined) === (options.unix === undefined)) {
        command.error('error: name one server, as HOST:PORT or with --unix PATH');
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

async function run(address: Address | undefined, { unix, backend }: ClientOptions): Promise<void> {
  await using port = new CompletionPort({ backend });
  const connection = await open(port, address, unix);
  const conversation = new Conversation(connection, (text) => process.stdout.write(text));
  const over = new AbortController();
  const interactive = process.stdin.isTTY && process.stdout.isTTY;
  if (interactive) process.stdout.write(greeting(connection, port));
  const talk = interactive ? converse(conversation, over.signal) : relay(conversation);
  try {
    await Promise.race([talk, conversation.ended]);
  } catch (error) {
    if (interactive) process.stdout.write('\n');
    throw error;
  } finally {
    over.abort();
    process.stdin.destroy();
  }
}

function open(
  port: CompletionPort,
  address: Address | undefined,
  path: string | undefined,
): Promise<TcpConnection> {
  if (path !== undefined) return connect({ path, completionPort: port });
  return connect({ host: address?.host ?? 'localhost', port: address?.port ?? 0, completionPort: port });
}

function greeting({ info }: TcpConnection, port: CompletionPort): string {
  const peer = info.remotePort ? formatAddress(info.remoteAddress ?? '', info.remotePort) : 'the Unix socket';
  return `Connected to ${peer} (${port.info.backend}). Type a line; "exit" leaves.\n`;
}

/** On a terminal: prompt, line, reply. */
async function converse(conversation: Conversation, over: AbortSignal): Promise<void> {
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
async function relay(conversation: Conversation): Promise<void> {
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
