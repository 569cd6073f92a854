import { arch, availableParallelism, cpus, release, totalmem } from 'node:os';
import { readText } from '../system-facts.js';

/** What the figures depend on. No names of hosts or files: results are published. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly architecture: string;
  readonly kernel: string;
  readonly node: string;
}

export function describeMachine(): Machine {
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    architecture: arch(),
    kernel: release(),
    node: process.versions.node,
  };
}

/** Cores that this process may use, from `Cpus_allowed_list` of proc(5), for example `0-3,8`. */
export function allowedCores(): number[] {
  const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(readText('/proc/self/status'))?.[1] ?? '';
  return list.split(',').flatMap((range) => {
    const [first = Number.NaN, last = first] = range.split('-').map(Number);
    return Number.isInteger(first)
      ? Array.from({ length: last - first + 1 }, (_, index) => first + index)
      : [];
  });
}
