import { readdirSync } from 'node:fs';
import { readText } from '../system-facts.js';

const nanosecondsPerTick = 10_000_000; // USER_HZ is 100 on every Linux that Node.js runs on

/** What a process has used of the processors up to now. */
export interface CpuSample {
  /** Nanoseconds of each thread: user and system together, from the scheduler. */
  readonly threads: ReadonlyMap<string, number>;
  /** Clock ticks of the process, for the share of the system: too coarse for anything else. */
  readonly userTicks: number;
  readonly systemTicks: number;
}

/** Takes a sample. The scheduler's own clock (`schedstat`) is used because ticks of 10 ms are too coarse. */
export function sampleCpu(pid: number): CpuSample {
  // Field 2 is the name, in brackets; utime and stime are fields 14 and 15 (proc(5)).
  const fields = readText(`/proc/${pid}/stat`).split(') ').pop()?.split(' ') ?? [];
  return {
    threads: threadTimes(pid),
    userTicks: Number(fields[11] ?? 0),
    systemTicks: Number(fields[12] ?? 0),
  };
}

function threadTimes(pid: number): Map<string, number> {
  const times = new Map<string, number>();
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const time = readText(`/proc/${pid}/task/${thread}/schedstat`).split(' ')[0];
    if (time) times.set(thread, Number(time));
  }
  return times;
}

/** Nanoseconds between two samples, user and system. */
export function cpuNanosecondsBetween(before: CpuSample, after: CpuSample): number {
  let total = 0;
  for (const [thread, time] of after.threads) total += time - (before.threads.get(thread) ?? 0);
  if (total > 0) return total;
  // A kernel without scheduler statistics.
  const ticks = after.userTicks + after.systemTicks - before.userTicks - before.systemTicks;
  return ticks * nanosecondsPerTick;
}

/** Which part of the time between two samples was the system's, 0 to 1. */
export function systemShareBetween(before: CpuSample, after: CpuSample): number {
  const user = after.userTicks - before.userTicks;
  const system = after.systemTicks - before.systemTicks;
  return user + system === 0 ? 0 : system / (user + system);
}
