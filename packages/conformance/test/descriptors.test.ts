/** A server that runs out of descriptors: it pauses, keeps what it has, does not spin, and recovers. */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { whenQuiet, withDeadline } from '@iocp/testkit';
import { describe } from 'vitest';
import { onWindows } from '../../../system.shared.js';
import { type Backend, describeBackends } from './support/backends.js';
import { runner } from './support/runner.js';

const descriptorsMax = 64;
/** More than fit at once, less than twice as many. */
const clientCount = 75;

/** A server whose limit of descriptors is set by the shell, hard and soft. */
function startServer(backend: Backend): ChildProcess {
  const fixture = fileURLToPath(new URL('./fixtures/echo-with-few-descriptors.mjs', import.meta.url));
  const command = `ulimit -n ${descriptorsMax} && exec "$0" "$@"`;
  return spawn('sh', ['-c', command, process.execPath, fixture, backend], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
}

interface Measurement {
  readonly cpuMs: number;
  readonly connections: number;
}

async function measure(server: ChildProcess): Promise<Measurement> {
  const answer = once(server, 'message');
  server.send('measure');
  const [measurement] = (await withDeadline(answer, 10_000, () => 'the answer of the server')) as [
    Measurement,
  ];
  return measurement;
}

class Client {
  readonly socket: Socket;
  echoes = 0;

  constructor(port: number) {
    this.socket = connect({ host: '127.0.0.1', port });
    this.socket.on('data', (bytes) => {
      this.echoes += bytes.length;
    });
    // A server that dies in a failing test resets its clients.
    this.socket.on('error', () => {});
    this.socket.write('x');
  }
}

function total(clients: readonly Client[]): number {
  return clients.reduce((sum, client) => sum + client.echoes, 0);
}

describe.skipIf(onWindows)('with few descriptors (Windows has no limit to set)', () => {
  describeBackends((backend) => {
    runner.it('survives EMFILE: pauses, serves on, does not spin, recovers', async () => {
      const server = startServer(backend);
      try {
        await exhaust(server);
      } finally {
        server.kill();
      }
    });
  }, 'when there are no descriptors left, libuv takes the waiting connections and closes them');
});

async function exhaust(server: ChildProcess): Promise<void> {
  const [{ port }] = (await once(server, 'message')) as [{ port: number }];
  const clients = Array.from({ length: clientCount }, () => new Client(port));
  await withDeadline(
    Promise.all(clients.map(({ socket }) => once(socket, 'connect'))),
    10_000,
    () => 'the connections',
  );
  await whenQuiet(() => total(clients), 500);
  const served = clients.filter((client) => client.echoes === 1);
  assert.ok(served.length > 20 && served.length < descriptorsMax, `${served.length} were served`);

  const before = await measure(server);
  await whenQuiet(() => total(clients), 400);
  const after = await measure(server);
  assert.ok(
    after.cpuMs - before.cpuMs < 150,
    `${after.cpuMs - before.cpuMs} ms of CPU while nothing happened`,
  );

  for (const client of served) client.socket.write('y');
  await whenQuiet(() => total(clients), 200);
  assert.ok(
    served.every((client) => client.echoes === 2),
    'a connection that was served is so no more',
  );

  const waiting = clients.filter((client) => !served.includes(client));
  const progress = () => waiting.filter((client) => client.echoes === 1).length;
  for (const client of served) client.socket.destroy();
  const deadline = Date.now() + 20_000;
  while (progress() < waiting.length && Date.now() < deadline) await whenQuiet(progress, 50);
  assert.equal(progress(), waiting.length, 'connections that waited were not served afterwards');

  for (const client of waiting) client.socket.destroy();
  const exit = once(server, 'exit');
  server.send('stop');
  assert.deepEqual(await withDeadline(exit, 10_000, () => 'the exit of the server'), [0, null]);
}
