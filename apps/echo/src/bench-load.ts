/** The load generator of the benchmark: does one job after the other, in a process of its own. */

import { CompletionPort } from '@iocp/core';
import { HeldConnections } from './bench/load/held-connections.js';
import type { Answer, Job } from './bench/load/jobs.js';
import { MeasuredLoad } from './bench/load/measured-load.js';
import { describeError } from './user-error.js';

const port = new CompletionPort({ pool: { minSlots: 512 } });
let held: HeldConnections | undefined;

async function perform(job: Job): Promise<Answer> {
  switch (job.kind) {
    case 'measure':
      return { measurement: await new MeasuredLoad(port, job).measure() };
    case 'hold':
      held = new HeldConnections(port, job.serverPort, job.scenario.messageBytes);
      await held.open(job.scenario);
      return { done: true };
    case 'release':
      await held?.close();
      held = undefined;
      return { done: true };
  }
}

process.on('message', (job: Job) => {
  perform(job)
    .catch((error: unknown): Answer => ({ error: describeError(error) }))
    .then((answer) => process.send?.(answer));
});
process.on('disconnect', () => process.exit());
process.stdout.write(`ready ${port.info.backend}\n`);
