/** The load generator of the benchmark: does one job after the other, in a process of its own. */

import { CompletionPort } from '@iocp/core';
import { BroadcastLoad } from './bench/load/broadcast-load.js';
import { BulkLoad } from './bench/load/bulk-load.js';
import { DatagramLoad } from './bench/load/datagram-load.js';
import { HeldConnections } from './bench/load/held-connections.js';
import type { Answer, Job, MeasureJob, Measurement } from './bench/load/jobs.js';
import { MeasuredLoad } from './bench/load/measured-load.js';
import { TlsLoad } from './bench/load/tls-load.js';
import { describeError } from './user-error.js';

const port = new CompletionPort({ pool: { minSlots: 512 } });
/** For datagrams that arrive several in one slot. */
let bulkPort: CompletionPort | undefined;
let held: HeldConnections[] = [];

async function perform(job: Job): Promise<Answer> {
  switch (job.kind) {
    case 'measure':
      return { measurement: await measure(job) };
    case 'hold':
      held.push(new HeldConnections(port, job.serverPort, job.scenario));
      await held.at(-1)?.open();
      return { done: true };
    case 'release':
      await Promise.all(held.map((each) => each.close()));
      held = [];
      return { done: true };
  }
}

function measure(job: MeasureJob): Promise<Measurement> {
  const { scenario } = job;
  switch (scenario.kind) {
    case 'datagrams':
      return new DatagramLoad(port, { ...job, scenario }).measure();
    case 'bulk':
      bulkPort ??= new CompletionPort({ pool: { slotBytes: 131_072, maxSlots: 1024 } });
      return new BulkLoad(bulkPort, { ...job, scenario }).measure();
    case 'tls-messages':
    case 'handshakes':
    case 'resumptions':
      return new TlsLoad({ ...job, scenario }, job.loadProgram ?? 'load_tls').measure();
    case 'broadcast':
      return new BroadcastLoad(port, { ...job, scenario }).measure();
    default:
      return new MeasuredLoad(port, { ...job, scenario }).measure();
  }
}

process.on('message', (job: Job) => {
  perform(job)
    .catch((error: unknown): Answer => ({ error: describeError(error) }))
    .then((answer) => process.send?.(answer));
});
process.on('disconnect', () => process.exit());
process.stdout.write(`ready ${port.info.backend}\n`);
