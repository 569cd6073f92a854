/** WebSockets under load, in processes of their own: a crowd that is idle, and much churn. */

import { afterEach, expect, it } from 'vitest';
import { spawnRetries, underWine } from '../../../../system.shared.js';
import { type Backend, describeBackends } from '../support/backends.js';
import { Program } from './program.js';

const mebibyte = 1024 * 1024;
/** A sanitizer keeps freed memory back to find uses of it: then the sizes say nothing. */
const sizesCount = process.env.IOCP_TEST_SANITIZED === undefined;
/** All sockets under Wine belong to one process, which is asked for each of them and has one limit of descriptors. */
const crowd = underWine ? 2_000 : 10_000;
const running: Program[] = [];

function start(name: string, args: readonly (string | number)[], descriptorsMax?: number): Program {
  const program = new Program(name, args.map(String), descriptorsMax);
  running.push(program);
  return program;
}

afterEach(() => {
  for (const program of running.splice(0)) program.kill();
});

interface ServerState {
  readonly operationsInFlight?: number;
  readonly handlesOpen?: number;
  readonly lent?: number;
  readonly connections: number;
  readonly accepted?: number;
  readonly descriptors: number;
  readonly residentBytes: number;
  readonly heapBytes: number;
}

interface Served {
  readonly server: Program;
  readonly port: number;
}

async function startServer(library: 'ours' | 'ws', backend: Backend): Promise<Served> {
  const server = start('websocket-server.mjs', [library, backend], 10_500);
  const { listening } = await server.next<{ listening: number }>();
  return { server, port: listening };
}

async function stateOf(server: Program): Promise<ServerState> {
  return (await server.ask<{ state: ServerState }>({ ask: 'state' })).state;
}

/** The state once all have gone: what peers have seen the server itself may learn a moment later. */
async function settledState(server: Program): Promise<ServerState> {
  let state = await stateOf(server);
  for (let round = 0; round < 200; round++) {
    if (state.connections === 0 && (state.handlesOpen ?? 1) === 1) break;
    state = await stateOf(server);
  }
  return state;
}

const nothingLeft = { operationsInFlight: 0, handlesOpen: 0, lent: 0 };
const onlyListening = { operationsInFlight: 1, handlesOpen: 1, lent: 0, pins: 0, connections: 0 };

/** Bytes that each of a crowd of idle connections costs a server. */
async function bytesPerConnection({ server, port }: Served, backend: Backend): Promise<number> {
  const before = await stateOf(server);
  const client = start('websocket-crowd.mjs', [backend, port, crowd], 10_500);
  expect(await client.next()).toEqual({ echoed: crowd });
  const during = await stateOf(server);
  expect(during.connections).toBe(crowd);
  expect(await client.ask({ close: true })).toEqual({ codes: [1000], left: nothingLeft });
  await client.end();
  return (during.residentBytes - before.residentBytes) / crowd;
}

describeBackends((backend) => {
  it(`${crowd} idle connections cost little, and leave nothing behind`, {
    timeout: 180_000,
    retry: spawnRetries,
  }, async () => {
    const served = await startServer('ours', backend);
    const before = await stateOf(served.server);
    const ours = await bytesPerConnection(served, backend);
    expect(await settledState(served.server)).toMatchObject({
      ...onlyListening,
      accepted: crowd,
      descriptors: before.descriptors,
    });
    await served.server.end();
    // Below the backend `node` are the sockets that `ws` has, too; and Wine keeps memory of its own for operations.
    if (sizesCount && !underWine && backend !== 'node') {
      const control = await startServer('ws', backend);
      const theirs = await bytesPerConnection(control, backend);
      await control.server.end();
      expect(ours, `${ours} bytes for a connection, against ${theirs} of ws`).toBeLessThan(theirs * 0.8);
    }
  });

  const [warmUp, churn] = underWine ? [1_000, 2_000] : [10_000, 10_000];
  it(`${churn} closes and resets leave nothing behind`, {
    timeout: 240_000,
    retry: spawnRetries,
  }, async () => {
    const { server, port } = await startServer('ours', backend);
    const client = start('websocket-churn.mjs', [backend, port], 4000);
    await client.next();
    // Memory grows to what the load needs; from then on it must stay.
    expect(await client.ask({ churn: warmUp })).toEqual({ done: warmUp, left: nothingLeft });
    const before = await settledState(server);
    expect(await client.ask({ churn })).toEqual({ done: churn, left: nothingLeft });
    const after = await settledState(server);
    expect(after).toMatchObject({
      ...onlyListening,
      accepted: warmUp + churn,
      descriptors: before.descriptors,
    });
    expect(after.heapBytes - before.heapBytes).toBeLessThan(2 * mebibyte);
    if (sizesCount) expect(after.residentBytes - before.residentBytes).toBeLessThan(24 * mebibyte);
    await client.end();
    await server.end();
  });
});
