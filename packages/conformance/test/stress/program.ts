/** A program of `programs/` in a process of its own, which talks to its test over IPC. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { onWindows } from '../../../../system.shared.js';

export class Program {
  readonly #child: ChildProcess;
  readonly #name: string;
  readonly #inbox: unknown[] = [];
  readonly #exited: Promise<unknown>;
  #errors = '';

  /** @param descriptorsMax limit for the process; what the shell may not raise fails with its message */
  constructor(name: string, args: readonly string[], descriptorsMax = 0) {
    this.#name = name;
    const file = fileURLToPath(new URL(`./programs/${name}`, import.meta.url));
    // A young generation of fixed size: its growth under load would look like a leak.
    const command = [process.execPath, '--expose-gc', '--max-semi-space-size=4', file, ...args];
    // Windows has no such limit.
    if (descriptorsMax > 0 && !onWindows)
      command.unshift('sh', '-c', `ulimit -n ${descriptorsMax} && exec "$0" "$@"`);
    this.#child = spawn(command[0] as string, command.slice(1), {
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    });
    this.#child.stderr?.on('data', (text) => {
      this.#errors += text;
    });
    this.#child.on('message', (message) => this.#inbox.push(message));
    this.#exited = once(this.#child, 'exit');
  }

  /** The next message. Fails when the program exits instead. */
  async next<T>(): Promise<T> {
    while (this.#inbox.length === 0) {
      const ended = await Promise.race([
        once(this.#child, 'message').then(() => false),
        this.#exited.then(() => true),
      ]);
      if (ended && this.#inbox.length === 0) throw new Error(`${this.#name} ended early: ${this.#errors}`);
    }
    return this.#inbox.shift() as T;
  }

  async ask<T>(message: object): Promise<T> {
    this.#child.send(message);
    return this.next<T>();
  }

  /** Lets the program end, and waits for it. Fails unless it ends well. */
  async end(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    await this.#exited;
    const { exitCode, signalCode } = this.#child;
    if (exitCode !== 0)
      throw new Error(`${this.#name} ended with ${signalCode ?? exitCode}: ${this.#errors}`);
  }

  /** For the end of a test that failed. */
  kill(): void {
    if (this.#child.exitCode === null) this.#child.kill('SIGKILL');
  }
}
