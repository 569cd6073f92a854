import { readText } from '../system-facts.js';

/** Memory of a process, in bytes. */
export interface MemorySample {
  /** Pages in memory. */
  readonly residentBytes: number;
  /** The same, with shared pages divided among those who share them. */
  readonly proportionalBytes: number;
}

export function sampleMemory(pid: number): MemorySample {
  const rollup = readText(`/proc/${pid}/smaps_rollup`);
  const kibibytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1] ?? 0);
  return { residentBytes: kibibytes('Rss') * 1024, proportionalBytes: kibibytes('Pss') * 1024 };
}
