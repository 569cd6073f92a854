import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { onTestFinished, vi } from 'vitest';

// Every test starts processes, which takes its time on a machine that is busy.
vi.setConfig({ testTimeout: 30_000 });

/** The built program, as users run it. */
export const mainFile = fileURLToPath(new URL('../dist/main.js', import.meta.url));

export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A process with its output so far. Killed when the test ends. */
export class Running {
  stdout = '';
  stderr = '';
  readonly child: ChildProcess;
  readonly #closed: Promise<Finished>;

  constructor(command: string, args: readonly string[], options: SpawnOptions = {}) {
    this.child = spawn(command, args, { ...options, stdio: 'pipe' });
    this.child.stdout?.setEncoding('utf8').on('data', (text) => {
      this.stdout += text;
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text) => {
      this.stderr += text;
    });
    this.child.stdin?.on('error', () => undefined);
    this.#closed = once(this.child, 'close').then(([code, signal]) => ({
      code,
      signal,
      stdout: this.stdout,
      stderr: this.stderr,
    }));
    onTestFinished(() => void this.child.kill('SIGKILL'));
  }

  /** Resolves with the match once standard output has it; rejects when the process ends without. */
  async seen(pattern: RegExp): Promise<RegExpExecArray> {
    const over = this.finished().then(() => 'over');
    for (;;) {
      const match = pattern.exec(this.stdout);
      if (match !== null) return match;
      const next = once(this.child.stdout as NodeJS.EventEmitter, 'data').then(() => 'data');
      if ((await Promise.race([next, over])) === 'data') continue;
      const last = pattern.exec(this.stdout);
      if (last !== null) return last;
      throw new Error(`ended without ${pattern}:\n${this.stdout}\n${this.stderr}`);
    }
  }

  finished(): Promise<Finished> {
    return this.#closed;
  }
}

/** Starts the program. */
export function start(args: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
  return new Running(process.execPath, [mainFile, ...args], { env: { ...process.env, ...env } });
}

/** Runs the program to its end, with `input` on its standard input. */
export function run(
  args: readonly string[],
  input: string | Buffer = '',
  env: NodeJS.ProcessEnv = {},
): Promise<Finished> {
  const running = start(args, env);
  running.child.stdin?.end(input);
  return running.finished();
}

/** A server on a free port of 127.0.0.1, and where it listens. */
export function startServer(...args: string[]): Promise<{ server: Running; port: number }> {
  return startServing('--tcp', ...args);
}

/** The same for datagrams. */
export function startDatagramServer(...args: string[]): Promise<{ server: Running; port: number }> {
  return startServing('--udp', ...args);
}

/** The same for TLS; without further arguments it makes its own certificate. */
export function startTlsServer(...args: string[]): Promise<{ server: Running; port: number }> {
  return startServing('--tls', ...(args.includes('--tls-cert') ? args : ['--tls-self-signed', ...args]));
}

/** The same for WebSocket. */
export function startWebSocketServer(...args: string[]): Promise<{ server: Running; port: number }> {
  return startServing('--ws', ...args);
}

async function startServing(
  protocol: '--tcp' | '--udp' | '--tls' | '--ws',
  ...args: string[]
): Promise<{ server: Running; port: number }> {
  const server = start(['serve', protocol, '127.0.0.1:0', '--json', ...args]);
  const [line] = await server.seen(/^.*"listening".*$/m);
  return { server, port: JSON.parse(line).port };
}
