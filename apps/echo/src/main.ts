#!/usr/bin/env node
import { createRequire } from 'node:module';
import { Command, CommanderError } from 'commander';
import { addBench } from './bench/bench.js';
import { addClient } from './client.js';
import { addDemo } from './demo.js';
import { addDoctor } from './doctor.js';
import { addServe } from './serve.js';
import { reportError } from './user-error.js';

/** Exit code for arguments that make no sense, as shells and most tools use it. */
const usageExitCode = 2;

const examples = `
Examples:
  $ iocp-echo demo                             a server, one exchange with it, and what happened
  $ iocp-echo serve --tcp 127.0.0.1:8080       a server until Ctrl-C
  $ iocp-echo client 127.0.0.1:8080            talk to it line by line
  $ echo hello | iocp-echo client :8080        the same in a pipe
  $ iocp-echo doctor                           which backend runs here and why
  $ iocp-echo serve --udp :8080                datagrams; talk to it with client --udp :8080
  $ iocp-echo serve --tls :8443 --tls-self-signed
                                               TLS; talk to it with client --tls :8443 --insecure
  $ iocp-echo serve --ws 127.0.0.1:8080        WebSocket; client ws://127.0.0.1:8080, or your browser: http://127.0.0.1:8080/
  $ iocp-echo bench tcp                        what a message costs, next to node:net and C
  $ iocp-echo bench udp                        what a datagram costs, next to node:dgram and C
  $ iocp-echo bench tls                        what encrypted messages and handshakes cost, next to node:tls and C
  $ iocp-echo bench ws                         what a WebSocket message costs, next to ws
`;

function buildProgram(): Command {
  const { version } = createRequire(import.meta.url)('../package.json') as { version: string };
  const program = new Command('iocp-echo')
    .description(
      'TCP, TLS, UDP and WebSocket echo on completion I/O: io_uring, epoll or I/O completion ports under Node.js.',
    )
    .version(version)
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(`iocp-echo: ${text.replace(/^error: /, '')}`) })
    .showSuggestionAfterError()
    .addHelpText('after', examples);
  addServe(program);
  addClient(program);
  addDemo(program);
  addDoctor(program);
  addBench(program);
  for (const command of [program, ...program.commands]) command.showHelpAfterError(usageOf(command));
  return program;
}

/** What is shown below a wrong argument. */
function usageOf(command: Command): string {
  const name = command.parent === null ? command.name() : `${command.parent.name()} ${command.name()}`;
  return `\nUsage: ${name} ${command.usage()}\nTry "${name} --help".`;
}

/** `| head` closes our output early: that is not a failure. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : reportError(error));
});
process.on('uncaughtException', (error) => process.exit(reportError(error)));

try {
  await buildProgram().parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : usageExitCode;
  else process.exitCode = reportError(error);
}
