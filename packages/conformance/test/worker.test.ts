/** Threads that end with operations in flight, on each backend. */

import { Worker } from 'node:worker_threads';
import { workerSuite } from '@iocp/testkit';
import { type Backend, describeBackends } from './support/backends.js';
import { runner } from './support/runner.js';

function start(backend: Backend, exits: boolean): Worker {
  return new Worker(new URL('./fixtures/port-traffic.mjs', import.meta.url), {
    workerData: { backend, exits, connections: 8 },
  });
}

describeBackends((backend) => workerSuite(runner, { start: (exits) => start(backend, exits) }));
