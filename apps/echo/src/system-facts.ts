import { readFileSync } from 'node:fs';

/** What the system allows; undefined where it does not say. */
export interface SystemLimits {
  /** Descriptors this process may open: now, and at most after `ulimit -n`. */
  readonly descriptorsSoft: number | undefined;
  readonly descriptorsHard: number | undefined;
  /** Bytes this process may lock in memory; Infinity is no limit. */
  readonly lockedMemoryBytes: number | undefined;
  /** Longest queue of connections that wait to be accepted (`net.core.somaxconn`). */
  readonly backlogMax: number | undefined;
  /** Ports for outgoing connections, first and last. */
  readonly ephemeralPorts: readonly [first: number, last: number] | undefined;
  /** `kernel.io_uring_disabled`: 0 allows everybody, 1 only a group and administrators, 2 nobody. */
  readonly ioUringDisabled: number | undefined;
  /** A filter on system calls is in force, as in most containers. */
  readonly systemCallFilter: boolean | undefined;
}

/** Reads what Linux says in `/proc`. */
export function readSystemLimits(): SystemLimits {
  const descriptors = processLimit('Max open files');
  const ports = numbersIn('/proc/sys/net/ipv4/ip_local_port_range');
  const seccomp = /^Seccomp:\s*(\d+)/m.exec(readText('/proc/self/status'))?.[1];
  return {
    descriptorsSoft: descriptors?.soft,
    descriptorsHard: descriptors?.hard,
    lockedMemoryBytes: processLimit('Max locked memory')?.soft,
    backlogMax: numbersIn('/proc/sys/net/core/somaxconn')[0],
    ephemeralPorts: ports[0] !== undefined && ports[1] !== undefined ? [ports[0], ports[1]] : undefined,
    ioUringDisabled: numbersIn('/proc/sys/kernel/io_uring_disabled')[0],
    systemCallFilter: seccomp === undefined ? undefined : seccomp !== '0',
  };
}

/** The text of a file, or an empty one when it cannot be read. */
export function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function numbersIn(path: string): number[] {
  return (readText(path).match(/\d+/g) ?? []).map(Number);
}

function processLimit(name: string): { soft: number; hard: number } | undefined {
  const values = new RegExp(`^${name}\\s+(\\S+)\\s+(\\S+)`, 'm').exec(readText('/proc/self/limits'));
  if (values === null) return undefined;
  const [soft, hard] = values
    .slice(1)
    .map((text) => (text === 'unlimited' ? Number.POSITIVE_INFINITY : Number(text)));
  return soft === undefined || hard === undefined ? undefined : { soft, hard };
}
