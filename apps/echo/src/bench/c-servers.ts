import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const names = ['echo_epoll', 'echo_io_uring', 'echo_udp'] as const;
export type CServerName = (typeof names)[number];

/** The servers in C, built into a folder of their own for one run. */
export interface CServers {
  /** Path of a built server. */
  path(name: CServerName): string;
  /** Why there is none, if so. */
  missing(name: CServerName): string | undefined;
  remove(): void;
}

/** Builds the servers if there is a C compiler (`CC`, or cc). */
export function buildCServers(): CServers {
  const compiler = process.env.CC || 'cc';
  const sources = fileURLToPath(new URL('../native-bench/', import.meta.url)); // from dist
  if (!existsSync(sources)) return noServers('the sources are not part of this installation');
  if (spawnSync(compiler, ['--version']).status !== 0) {
    return noServers(`there is no C compiler (${compiler}): install gcc or clang`);
  }
  const folder = mkdtempSync(join(tmpdir(), 'iocp-bench-'));
  const path = (name: CServerName): string => join(folder, name);
  const failures = new Map(
    names.map((name) => [name, compile(compiler, join(sources, `${name}.c`), path(name))]),
  );
  return {
    path,
    missing: (name) => failures.get(name),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Why it does not compile, if so; the first line that says so is enough. */
function compile(compiler: string, source: string, output: string): string | undefined {
  const args = ['-std=c11', '-O2', '-Wall', '-Wextra', '-o', output, source];
  const { status, stderr } = spawnSync(compiler, args, { encoding: 'utf8' });
  if (status === 0) return undefined;
  return `it does not compile here: ${/^.*error:.*$/m.exec(stderr)?.[0] ?? stderr}`;
}

function noServers(reason: string): CServers {
  return { path: (name) => name, missing: () => reason, remove: () => undefined };
}
