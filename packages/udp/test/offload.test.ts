import { expect, test } from 'vitest';
import type { UdpSocket } from '../src/index.js';
import { onEachBackend, placeOf, until } from './support.js';

const onLinux = process.platform === 'linux';
const native = 'node:dgram has neither';

/** Numbered datagrams, all of one size but the last. */
function numbered(count: number, size: number): Buffer[] {
  return Array.from({ length: count }, (_, index) => {
    const data = Buffer.alloc(index === count - 1 ? size - 1 : size, index % 251);
    data.writeUInt32LE(index);
    return data;
  });
}

/** Receives numbered datagrams, and says whether each came once and whole. */
class Receiver {
  readonly seen = new Map<number, Buffer>();
  received = 0;

  messages(_socket: UdpSocket, batch: Iterable<{ readonly data: Uint8Array }>): void {
    for (const { data } of batch) {
      const copy = Buffer.from(data);
      this.seen.set(copy.readUInt32LE(), copy);
      this.received++;
    }
  }

  check(sent: readonly Buffer[]): void {
    expect(this.received).toBe(sent.length);
    for (const [index, data] of sent.entries()) expect(this.seen.get(index)?.equals(data)).toBe(true);
  }
}

onEachBackend(
  'offload',
  (fixture) => {
    test.runIf(onLinux)('many datagrams go as few, and arrive as many', async () => {
      const receiver = new Receiver();
      const server = await fixture.bind({ receiveBuffer: 4 * 1024 * 1024 }, receiver);
      const client = await fixture.bind({ sendBuffer: 4 * 1024 * 1024 });
      expect(client.offload).toBe(true);
      const sent = numbered(100, 1200);
      let done = 0;
      for (const data of sent) {
        client.send(data, placeOf(server), {
          done: (error) => {
            expect(error).toBeNull();
            done++;
          },
        });
      }
      await until(() => receiver.received === sent.length && done === sent.length);
      receiver.check(sent);
      expect(client.stats).toMatchObject({ sent: 100, sentBytes: 100 * 1200 - 1, sendErrors: 0, queued: 0 });
      expect(client.offload).toBe(true);
    });

    test.runIf(onLinux)('what the system joins is told apart', async () => {
      const receiver = new Receiver();
      const server = await fixture.bind(
        { receiveOffload: true, lend: true, receiveBuffer: 4 * 1024 * 1024 },
        receiver,
      );
      expect(server.receiveOffload).toBe(true);
      const client = await fixture.bind({ sendBuffer: 4 * 1024 * 1024 });
      const sent = numbered(200, 1000);
      for (const data of sent) client.send(data, placeOf(server));
      await until(() => receiver.received === sent.length);
      receiver.check(sent);
      expect(server.stats).toMatchObject({ received: 200, receivedBytes: 200 * 1000 - 1, truncated: 0 });
    });

    test.runIf(onLinux)('replies to what was joined go to its sender', async () => {
      const server = await fixture.bind(
        { receiveOffload: true, lend: true },
        {
          messages(_socket, batch) {
            expect([...batch]).toHaveLength(batch.length);
            for (const message of batch) message.reply(message.data);
          },
        },
      );
      const receiver = new Receiver();
      const client = await fixture.connect({ port: server.address().port }, receiver);
      const sent = numbered(40, 500);
      for (const data of sent) client.send(data);
      await until(() => receiver.received === sent.length);
      receiver.check(sent);
    });

    test('off when asked', async () => {
      const client = await fixture.bind({ offload: false });
      expect(client.offload).toBe(false);
      expect(client.receiveOffload).toBe(false);
    });
  },
  native,
);

onEachBackend('without offload', (fixture) => {
  test.runIf(fixture.backend === 'node')('receive offload stays off, and all works', async () => {
    const receiver = new Receiver();
    const server = await fixture.bind({ receiveOffload: true }, receiver);
    expect(server.receiveOffload).toBe(false);
    const client = await fixture.bind({ offload: true });
    const sent = numbered(40, 1000);
    for (const data of sent) client.send(data, placeOf(server));
    await until(() => receiver.received === sent.length);
    receiver.check(sent);
    expect(client.offload).toBe(false);
    expect(client.stats).toMatchObject({ sent: 40, sendErrors: 0, queued: 0 });
  });
});
