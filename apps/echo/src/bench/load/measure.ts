import { cpuNanosecondsBetween, sampleCpu, systemShareBetween } from '../cpu-time.js';
import type { MeasureJob, Measurement } from './jobs.js';
import type { LatencyRecorder } from './latency.js';

/** A load under way, as the measurement sees it. */
export interface RunningLoad {
  readonly latency: Pick<LatencyRecorder, 'reset' | 'summary'>;
  /** The process that makes the load, when it is not this one. */
  readonly processId?: number | undefined;
  /** Messages so far. */
  readonly messages: number;
  /** Messages sent again so far, because no reply came. */
  readonly lost: number;
  /** Lets it run; rejects when something went wrong that makes the whole run worthless. */
  during(milliseconds: number): Promise<void>;
}

/** Lets a load warm up, then measures. */
export async function measureLoad(load: RunningLoad, job: MeasureJob): Promise<Measurement> {
  await load.during(job.warmUpMs);
  load.latency.reset();
  const { messages, lost, processId = process.pid } = load;
  const [time, server, own] = [performance.now(), sampleCpu(job.serverPid), sampleCpu(processId)];
  // A machine that is busy with something else may give us no time at all.
  do await load.during(job.measureMs);
  while (load.messages === messages);
  const seconds = (performance.now() - time) / 1000;
  const [serverAfter, ownAfter] = [sampleCpu(job.serverPid), sampleCpu(processId)];
  return {
    messages: load.messages - messages,
    lost: load.lost - lost,
    seconds,
    serverCpuNanoseconds: cpuNanosecondsBetween(server, serverAfter),
    serverSystemShare: systemShareBetween(server, serverAfter),
    loadCpuNanoseconds: cpuNanosecondsBetween(own, ownAfter),
    latencyMicroseconds: load.latency.summary(),
  };
}
