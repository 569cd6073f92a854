/** What must hold under load, each in processes of its own: many connections, much churn, a slow reader, many workers. */

import { afterEach, expect, it } from 'vitest';
import { spawnRetries, underWine } from '../../../../system.shared.js';
import { type Backend, describeBackends } from '../support/backends.js';
import { Program } from './program.js';

const mebibyte = 1024 * 1024;
/** A sanitizer keeps freed memory back to find uses of it: then the sizes say nothing. */
const sizesCount = process.env.IOCP_TEST_SANITIZED === undefined;
/** All sockets under Wine belong to one process, which is asked for each of them and has one limit of descriptors. */
const crowd = underWine ? 2_000 : 10_000;
/** What 100 terminated workers may leave resident. Under Wine a thread leaves a quarter of a megabyte even without a port. */
const workersLeaveBytesMax = (underWine ? 96 : 48) * mebibyte;
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
  readonly operationsInFlight: number;
  readonly handlesOpen: number;
  readonly lent: number;
  readonly pins: number;
  readonly connections: number;
  readonly accepted: number;
  readonly descriptors: number;
  readonly residentBytes: number;
  readonly heapBytes: number;
}

async function startServer(
  backend: Backend,
  descriptorsMax: number,
): Promise<{ server: Program; port: number }> {
  const server = start('echo-server.mjs', [backend], descriptorsMax);
  const { listening, backend: running } = await server.next<{ listening: number; backend: string }>();
  expect(running).toBe(backend);
  return { server, port: listening };
}

async function stateOf(server: Program): Promise<ServerState> {
  return (await server.ask<{ state: ServerState }>({ ask: 'state' })).state;
}

/** The state as soon as it is as wanted, or the last one: what peers have seen the server itself may learn a moment later. */
async function stateWhen(server: Program, wanted: (state: ServerState) => boolean): Promise<ServerState> {
  for (let round = 0; round < 1000; round++) {
    const state = await stateOf(server);
    if (wanted(state)) return state;
  }
  return stateOf(server);
}

const settledState = (server: Program) =>
  stateWhen(server, ({ connections, handlesOpen }) => connections === 0 && handlesOpen === 1);
/** All that was written has been sent. */
const sentState = (server: Program) => stateWhen(server, ({ lent, pins }) => lent === 0 && pins === 0);

const nothingLeft = { operationsInFlight: 0, handlesOpen: 0, lent: 0 };
const onlyListening = { operationsInFlight: 1, handlesOpen: 1, lent: 0, pins: 0, connections: 0 };

describeBackends((backend) => {
  it(`${crowd} connections at once echo without a loss`, {
    timeout: 120_000,
    retry: spawnRetries,
  }, async () => {
    const count = crowd;
    const { server, port } = await startServer(backend, 10_500);
    const idle = await stateOf(server);
    const client = start('crowd-client.mjs', [backend, port, count], 10_500);
    expect(await client.next()).toEqual({ echoed: count });
    expect(await sentState(server)).toMatchObject({ connections: count, lent: 0, pins: 0 });
    expect(await client.ask({ close: true })).toEqual({ left: nothingLeft });
    expect(await settledState(server)).toMatchObject({ ...onlyListening, descriptors: idle.descriptors });
    await client.end();
    await server.end();
  });

  // `node:net` takes its time; whatever one connection leaves behind shows in these, too.
  const [warmUp, churn] = underWine
    ? [2_000, 5_000]
    : backend === 'node'
      ? [20_000, 50_000]
      : [80_000, 200_000];
  it(`${churn} connects and closes leave nothing behind`, {
    timeout: 240_000,
    retry: spawnRetries,
  }, async () => {
    const { server, port } = await startServer(backend, 4000);
    const client = start('churn-client.mjs', [backend, port], 4000);
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
    if (sizesCount) expect(after.residentBytes - before.residentBytes).toBeLessThan(16 * mebibyte);
    await client.end();
    await server.end();
  });

  it('a slow reader with 100 MB on the way costs no memory and slows nobody', {
    timeout: 60_000,
    retry: spawnRetries,
  }, async () => {
    const program = start('slow-reader.mjs', [backend]);
    const seen = await program.next<Record<string, number> & { intact: boolean; left: object }>();
    expect(seen).toMatchObject({
      intact: true,
      received: 1600 * 64 * 1024,
      left: { ...nothingLeft, pins: 0 },
    });
    expect(seen.sentWhileBlocked).toBeLessThan(seen.chunksTotal as number);
    expect(seen.bufferedMost).toBeLessThanOrEqual(2 * mebibyte);
    if (sizesCount) {
      expect(seen.residentWhileBlocked).toBeLessThan(48 * mebibyte);
      expect(seen.residentMost).toBeLessThan(96 * mebibyte);
    }
    await program.end();
  });

  it('100 workers are terminated in the middle of their traffic', {
    timeout: 120_000,
    retry: spawnRetries,
  }, async () => {
    const program = start('workers.mjs', [backend, 100]);
    interface Counts {
      readonly descriptors: number;
      readonly residentBytes: number;
    }
    const seen = await program.next<{ terminated: number; before: Counts; after: Counts }>();
    expect(seen.terminated).toBe(100);
    expect(seen.after.descriptors).toBe(seen.before.descriptors);
    if (sizesCount) {
      expect(seen.after.residentBytes - seen.before.residentBytes).toBeLessThan(workersLeaveBytesMax);
    }
    await program.end();
  });
});
