import { CompletionPort, type IoError } from '@iocp/core';
import { DatagramAddress } from '@iocp/core/layer';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { queueLimits } from '../src/queue-limits.js';
import { SendQueue } from '../src/send-queue.js';
import { testPool } from './support.js';

const canceled = -125;
const refused = -111;
const tooLong = -90;
const notCut = -5;
const to = DatagramAddress.of('192.0.2.1', 53);

/** A queue, and what its owner and its callers were told. The test plays the system. */
class Scene {
  readonly queue: SendQueue;
  readonly failed: IoError[] = [];
  readonly answers: number[] = [];
  readonly outcomes: string[] = [];

  constructor(port: CompletionPort, options: Parameters<typeof queueLimits>[0] = {}, offload = false) {
    this.queue = new SendQueue(port, queueLimits(options), offload, {
      connectedTo: { address: '192.0.2.9', port: 9 },
      sendFailed: (error) => this.failed.push(error as IoError),
      answered: (result) => this.answers.push(result),
    });
  }

  send(data: string, watched = false): void {
    const done = (error: Error | null) =>
      this.outcomes.push(`${data} ${(error as IoError | null)?.code ?? 'sent'}`);
    this.queue.add(Buffer.from(data), to, watched ? { done } : undefined);
  }

  get account(): number[] {
    const { sent, sendErrors, droppedClosed, queued, queuedBytes } = this.queue;
    return [sent, sendErrors, droppedClosed, queued, queuedBytes];
  }
}

describe('the send queue', () => {
  let port: CompletionPort;
  let scene: Scene;
  beforeAll(() => {
    port = new CompletionPort({ backend: 'node', pool: testPool });
  });
  afterAll(() => port.close());
  beforeEach(() => {
    scene = new Scene(port);
  });
  afterEach(() => {
    expect(port.stats.slots.javascript).toBe(0);
    expect(port.stats.pins).toBe(0);
  });

  test('gives one batch at a time, and counts it when it has settled', () => {
    scene.send('one');
    scene.send('two');
    const list = scene.queue.takeNext();
    expect(list?.count).toBe(2);
    scene.send('three');
    expect(scene.queue.takeNext()).toBeNull();
    expect(scene.account).toEqual([0, 0, 0, 3, 11]);
    scene.queue.settled(2, undefined);
    expect(scene.account).toEqual([2, 0, 0, 1, 5]);
    const second = scene.queue.takeNext();
    expect(second).not.toBe(list);
    scene.queue.settled(1, undefined);
    expect(scene.account).toEqual([3, 0, 0, 0, 0]);
    expect(scene.queue.idle).toBe(true);
    scene.send('four');
    // The two take turns.
    expect([list, second]).toContain(scene.queue.takeNext());
    scene.queue.settled(1, undefined);
  });

  test('what an answer to an earlier datagram may have stopped goes out once more', () => {
    for (const word of ['a', 'b', 'c']) scene.send(word, true);
    expect(scene.queue.takeNext()?.count).toBe(3);
    scene.queue.refused(1, refused);
    scene.queue.settled(2, undefined);
    expect(scene.outcomes).toEqual(['a sent', 'c sent']);
    expect(scene.answers).toEqual([]);
    expect(scene.account).toEqual([2, 0, 0, 1, 1]);
    expect(scene.queue.takeNext()?.count).toBe(1);
    scene.queue.settled(1, undefined);
    expect(scene.outcomes).toEqual(['a sent', 'c sent', 'b sent']);
    // Now it is known that it was about another one.
    expect(scene.answers).toEqual([refused]);
    expect(scene.account).toEqual([3, 0, 0, 0, 0]);
  });

  test('refused a second time it has failed', () => {
    scene.send('watched', true);
    scene.send('not');
    scene.queue.takeNext();
    scene.queue.refused(0, refused);
    scene.queue.refused(1, tooLong);
    scene.queue.settled(0, undefined);
    scene.send('new');
    // Nothing is added behind what is tried again.
    expect(scene.queue.takeNext()?.count).toBe(2);
    scene.queue.refused(0, refused);
    scene.queue.refused(1, tooLong);
    scene.queue.settled(0, undefined);
    expect(scene.outcomes).toEqual(['watched ECONNREFUSED']);
    expect(scene.failed).toMatchObject([{ code: 'EMSGSIZE', address: '192.0.2.1', port: 53 }]);
    expect(scene.answers).toEqual([]);
    expect(scene.account).toEqual([0, 2, 0, 1, 3]);
    expect(scene.queue.takeNext()?.count).toBe(1);
    scene.queue.settled(1, undefined);
  });

  test('what can be about no other datagram fails at once', () => {
    scene.send('x');
    scene.queue.takeNext();
    scene.queue.refused(0, -97);
    scene.queue.settled(0, undefined);
    expect(scene.failed).toMatchObject([{ code: 'EAFNOSUPPORT' }]);
    expect(scene.account).toEqual([0, 1, 0, 0, 0]);
  });

  test('on a connected socket errors name the peer', () => {
    scene.queue.add(Buffer.from('x'), null, undefined);
    scene.queue.takeNext();
    scene.queue.refused(0, -97);
    scene.queue.settled(0, undefined);
    expect(scene.failed).toMatchObject([{ address: '192.0.2.9', port: 9 }]);
  });

  test('an error of the whole send fails all of it', () => {
    for (const word of ['a', 'b']) scene.send(word);
    scene.queue.takeNext();
    scene.queue.settled(-14, undefined);
    expect(scene.failed).toMatchObject([{ code: 'EFAULT' }, { code: 'EFAULT' }]);
    expect(scene.account).toEqual([0, 2, 0, 0, 0]);
  });

  test('a close in the middle of a send drops what was not taken', () => {
    for (const word of ['a', 'b', 'c']) scene.send(word, true);
    scene.queue.takeNext();
    scene.send('waiting', true);
    scene.queue.refused(1, refused);
    scene.queue.settled(1, null);
    expect(scene.outcomes).toEqual(['a sent', 'b ERR_CHANNEL_ABORTED', 'c ERR_CHANNEL_ABORTED']);
    const reason = Object.assign(new Error('why'), { code: 'WHY' });
    scene.queue.dropAll(reason);
    scene.queue.tellOutcomes();
    expect(scene.outcomes.slice(3)).toEqual(['waiting WHY']);
    expect(scene.account).toEqual([1, 0, 3, 0, 0]);
  });

  test('nothing taken of a send that was cancelled', () => {
    scene.send('a');
    scene.queue.takeNext();
    scene.queue.settled(canceled, null);
    expect(scene.account).toEqual([0, 0, 1, 0, 0]);
    expect(scene.failed).toEqual([]);
  });

  test('what the system does not cut goes out in parts, and no run is joined any more', () => {
    scene = new Scene(port, {}, true);
    for (const word of ['aaaa', 'bbbb', 'cc']) scene.send(word, true);
    expect(scene.queue.takeNext()?.count).toBe(1);
    for (const word of ['dddd', 'eeee']) scene.send(word);
    scene.queue.refused(0, notCut);
    scene.queue.settled(0, undefined);
    expect(scene.queue.offload).toBe(false);
    expect(scene.outcomes).toEqual([]);
    expect(scene.account).toEqual([0, 0, 0, 5, 18]);
    expect(scene.queue.takeNext()?.count).toBe(3);
    // Parts have their first try now: one may still meet an answer.
    scene.queue.refused(1, refused);
    scene.queue.settled(2, undefined);
    expect(scene.outcomes).toEqual(['aaaa sent', 'cc sent']);
    expect(scene.queue.takeNext()?.count).toBe(1);
    scene.queue.settled(1, undefined);
    expect(scene.outcomes).toEqual(['aaaa sent', 'cc sent', 'bbbb sent']);
    // Joined before it was known.
    scene.send('ffff');
    expect(scene.queue.takeNext()).toMatchObject({ count: 2, datagrams: 3 });
    scene.queue.refused(0, notCut);
    scene.queue.settled(1, undefined);
    expect(scene.queue.takeNext()?.count).toBe(2);
    scene.queue.settled(2, undefined);
    expect(scene.account).toEqual([6, 0, 0, 0, 0]);
    expect(scene.queue.sentBytes).toBe(22);
  });

  test('many parts take several sends', () => {
    scene = new Scene(port, {}, true);
    for (let index = 0; index < 1000; index++) scene.send('12345678');
    const joined = scene.queue.takeNext();
    expect(joined?.datagrams).toBe(1000);
    const entries = joined?.count ?? 0;
    for (let entry = 0; entry < entries; entry++) scene.queue.refused(entry, notCut);
    scene.queue.settled(0, undefined);
    let sent = 0;
    for (let list = scene.queue.takeNext(); list !== null; list = scene.queue.takeNext()) {
      expect(list.count).toBe(list.datagrams);
      sent += list.count;
      scene.queue.settled(list.count, undefined);
    }
    expect(sent).toBe(1000);
    expect(scene.account).toEqual([1000, 0, 0, 0, 0]);
  });

  test('parts that wait longest are dropped first, too', () => {
    scene = new Scene(port, { queuedDatagramsMax: 3, overflow: 'drop-old' }, true);
    for (const word of ['aaaa', 'bbbb', 'cccc']) scene.send(word, true);
    expect(scene.queue.takeNext()?.count).toBe(1);
    // Nothing waits that could make room.
    expect(scene.queue.makeRoom(4, undefined)).toBe(false);
    scene.queue.refused(0, notCut);
    scene.queue.settled(0, undefined);
    expect(scene.queue.makeRoom(4, undefined)).toBe(true);
    scene.send('dddd', true);
    scene.queue.tellOutcomes();
    expect(scene.outcomes).toEqual(['aaaa ERR_CHANNEL_OVERFLOW']);
    expect(scene.queue.takeNext()?.count).toBe(2);
    scene.queue.settled(2, undefined);
    scene.queue.takeNext();
    scene.queue.settled(1, undefined);
    expect(scene.outcomes.slice(1)).toEqual(['bbbb sent', 'cccc sent', 'dddd sent']);
    expect(scene.queue.droppedQueueFull).toBe(2);
  });

  test('a datagram that cannot be added leaves nothing behind', () => {
    const gone = port.pool.bytes.subarray(port.pool.base, port.pool.base + 10);
    expect(() => scene.queue.add(gone, to, undefined)).toThrow(
      expect.objectContaining({ code: 'ERR_IOCP_NOT_LENT' }),
    );
    expect(scene.queue.takeNext()).toBeNull();
    expect(scene.queue.idle).toBe(true);
    scene.send('x');
    expect(scene.queue.takeNext()?.count).toBe(1);
    scene.queue.settled(1, undefined);
  });
});
