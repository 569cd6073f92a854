import { Session } from 'node:inspector/promises';
import { expect, test } from 'vitest';
import { underWine } from '../../../system.shared.js';
import { deadlineMs, echoHandlers, onEachBackend, placeOf, until } from './support.js';

/** What a batch may cost: its scope, a view of the records. The rest is room for the sampling. */
const bytesPerBatch = 1024;
const bytesPerDatagram = 4;
const inFlight = 64;

interface Node {
  readonly selfSize: number;
  readonly children: readonly Node[];
}

const bytesOf = (node: Node): number =>
  node.children.reduce((sum, child) => sum + bytesOf(child), node.selfSize);

/** Bytes that JavaScript allocates meanwhile, those that are free again included; an estimate by samples. */
async function allocatedDuring(work: () => Promise<void>): Promise<number> {
  const session = new Session();
  session.connect();
  await session.post('HeapProfiler.startSampling', {
    samplingInterval: 512,
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true,
  });
  await work();
  const { profile } = await session.post('HeapProfiler.stopSampling');
  session.disconnect();
  return bytesOf(profile.head);
}

onEachBackend(
  'the fast path',
  (fixture) => {
    // What JavaScript allocates does not depend on the system, and Wine is too slow for as many datagrams.
    test.skipIf(underWine)('allocates nothing per datagram', { timeout: deadlineMs }, async () => {
      const options = { lend: true, receiveBuffer: 1024 * 1024, sendBuffer: 1024 * 1024 };
      const one = await fixture.bind(options, echoHandlers);
      const other = await fixture.bind(options, echoHandlers);
      for (let index = 0; index < inFlight; index++) one.send(Buffer.alloc(100), placeOf(other));
      const echoed = () => one.stats.sent + other.stats.sent;
      const echoes = async (count: number): Promise<void> => {
        const end = echoed() + count;
        // Rarely, because asking costs, too.
        while (echoed() < end) await new Promise((resolve) => setTimeout(resolve, 50));
      };
      await echoes(50_000);
      const [datagramsBefore, batchesBefore] = [echoed(), fixture.port.stats.batches];
      const bytes = await allocatedDuring(() => echoes(50_000));
      const [datagrams, batches] = [echoed() - datagramsBefore, fixture.port.stats.batches - batchesBefore];
      expect(bytes).toBeLessThan(batches * bytesPerBatch + datagrams * bytesPerDatagram);
      one.pause();
      await until(() => one.stats.queued + other.stats.queued === 0);
    });
  },
  'node:dgram makes objects of its own for each datagram',
);
