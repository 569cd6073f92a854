import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { UserError } from '../user-error.js';
import { allowedCores } from './machine.js';

/** One core for the servers and another for the load generator, so that they do not take time from each other. */
export interface Cores {
  readonly server: number | undefined;
  readonly load: number | undefined;
}

/** Two cores of their own where there are two and `taskset` can bind processes to them. */
export function chooseCores(): Cores {
  const cores = allowedCores();
  const canPin = spawnSync('taskset', ['--version']).status === 0;
  if (cores.length < 2 || !canPin) return { server: undefined, load: undefined };
  return { server: cores.at(-1), load: cores[0] };
}

/** How a process of the benchmark is started. */
export interface ChildCommand {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly core: number | undefined;
  /** Opens a channel for messages, for programs in Node.js. */
  readonly messages: boolean;
}

/** A process of the benchmark: bound to a core, gone at `stop()`. */
export class Child {
  readonly process: ChildProcess;
  readonly #name: string;

  constructor(name: string, { program, args, env = {}, core, messages }: ChildCommand) {
    this.#name = name;
    // taskset becomes the program it starts: the process id stays.
    const [command, commandArgs] =
      core === undefined ? [program, args] : ['taskset', ['-c', `${core}`, program, ...args]];
    this.process = spawn(command, commandArgs, {
      env: { ...process.env, ...env },
      stdio: messages ? ['ignore', 'pipe', 'inherit', 'ipc'] : ['ignore', 'pipe', 'inherit'],
    });
  }

  get pid(): number {
    if (this.process.pid === undefined) throw new UserError(`${this.#name} did not start`);
    return this.process.pid;
  }

  /** The first line that the process prints. */
  async firstLine(): Promise<string> {
    const output = this.process.stdout;
    if (output === null) throw new UserError(`${this.#name} has no output`);
    output.setEncoding('utf8');
    const line = (async () => {
      let text = '';
      for await (const chunk of output.iterator({ destroyOnReturn: false })) {
        text += chunk;
        if (text.includes('\n')) break;
      }
      return text.trim();
    })();
    return this.#unlessGone(line);
  }

  /** Sends a message and gives the answer. One at a time. */
  async ask(message: unknown): Promise<unknown> {
    const answer = once(this.process, 'message');
    this.process.send(message as Parameters<ChildProcess['send']>[0]);
    const [reply] = await this.#unlessGone(answer);
    return reply;
  }

  async stop(): Promise<void> {
    const { process: child } = this;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  async #unlessGone<T>(work: Promise<T>): Promise<T> {
    const over = new AbortController();
    const gone = once(this.process, 'exit', { signal: over.signal }).then(([code, signal]) => {
      throw new UserError(`${this.#name} ended early (${signal ?? `exit code ${code}`})`);
    });
    try {
      return (await Promise.race([work, gone])) as T;
    } finally {
      over.abort();
      gone.catch(() => undefined);
    }
  }
}
