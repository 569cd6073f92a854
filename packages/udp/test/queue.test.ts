import type { DatagramSendOptions } from '@iocp/core/layer';
import { expect, test } from 'vitest';
import { codeOf, onEachBackend, placeOf, textFrom, until } from './support.js';

onEachBackend('the send queue', (fixture) => {
  test('takes strings, bytes, and chunks as one datagram', async () => {
    const server = await fixture.bind();
    const client = await fixture.bind();
    const to = placeOf(server);
    client.send('grün', to);
    client.send(Buffer.from('bytes'), to);
    client.send([Buffer.from('two '), Buffer.from('chunks')], to);
    client.send('', await client.lookup('127.0.0.1', to.port));
    const words = [
      await textFrom(server),
      await textFrom(server),
      await textFrom(server),
      await textFrom(server),
    ];
    expect(words).toEqual(['grün', 'bytes', 'two chunks', '']);
    expect(client.stats).toMatchObject({ sent: 4, sentBytes: 20, queued: 0, queuedBytes: 0 });
  });

  test('drop-new drops and counts what there is no room for', async () => {
    const server = await fixture.bind();
    const client = await fixture.bind({ queuedDatagramsMax: 3 });
    const codes: (string | undefined)[] = [];
    const done: DatagramSendOptions['done'] = (error) =>
      codes.push((error as { code?: string } | null)?.code);
    const taken = ['a', 'b', 'c', 'd', 'e'].map((word) => client.send(word, placeOf(server), { done }));
    expect(taken).toEqual([true, true, true, false, false]);
    expect(client.stats).toMatchObject({ queued: 3, droppedQueueFull: 2, sent: 0 });
    expect(codes).toEqual([]);
    await until(() => codes.length === 5);
    expect(codes.sort()).toEqual([
      'ERR_CHANNEL_OVERFLOW',
      'ERR_CHANNEL_OVERFLOW',
      undefined,
      undefined,
      undefined,
    ]);
    expect(client.stats).toMatchObject({ queued: 0, queuedBytes: 0, droppedQueueFull: 2, sent: 3 });
    expect([await textFrom(server), await textFrom(server), await textFrom(server)]).toEqual(['a', 'b', 'c']);
  });

  test('drop-old drops what waits longest', async () => {
    const server = await fixture.bind();
    const client = await fixture.bind({ queuedDatagramsMax: 2, overflow: 'drop-old' });
    const dropped: string[] = [];
    for (const word of ['a', 'b', 'c', 'd']) {
      const done = (error: Error | null) => error !== null && dropped.push(word);
      expect(client.send(word, placeOf(server), { done })).toBe(true);
    }
    expect([await textFrom(server), await textFrom(server)]).toEqual(['c', 'd']);
    await until(() => client.stats.queued === 0);
    expect(client.stats).toMatchObject({ sent: 2, sentBytes: 2, droppedQueueFull: 2 });
    expect(dropped).toEqual(['a', 'b']);
  });

  test('block takes nothing without room, and whenDrained tells when there is some', async () => {
    const server = await fixture.bind();
    const client = await fixture.bind({ queuedDatagramsMax: 4, overflow: 'block' });
    await client.whenDrained();
    const messages = Array.from({ length: 6 }, (_, index) => ({ data: `${index}`, to: placeOf(server) }));
    expect(client.sendMany(messages)).toBe(4);
    expect(client.stats).toMatchObject({ queued: 4, droppedQueueFull: 0 });
    await client.whenDrained();
    expect(client.sendMany(messages.slice(4))).toBe(2);
    const words: string[] = [];
    while (words.length < 6) words.push(await textFrom(server));
    expect(words).toEqual(['0', '1', '2', '3', '4', '5']);
    expect(client.stats).toMatchObject({ sent: 6, droppedQueueFull: 0 });
  });

  test('the handler drain comes once for each spell without room', async () => {
    let drains = 0;
    const server = await fixture.bind();
    const client = await fixture.bind(
      { queuedBytesMax: 10, overflow: 'block' },
      {
        drain(socket) {
          expect(socket.stats.queuedBytes).toBeLessThanOrEqual(5);
          drains++;
        },
      },
    );
    for (let round = 1; round <= 3; round++) {
      for (let index = 0; index < 5; index++) client.send('12345', placeOf(server));
      await until(() => drains === round);
    }
    await until(() => client.stats.queued === 0);
    expect(client.stats.sent).toBe(6);
    expect(drains).toBe(3);
  });

  test('an empty queue takes a datagram above the limit of bytes', async () => {
    const server = await fixture.bind();
    const client = await fixture.bind({ queuedBytesMax: 1 });
    expect(client.send('longer', placeOf(server))).toBe(true);
    expect(client.send('x', placeOf(server))).toBe(false);
    expect(await textFrom(server)).toBe('longer');
  });

  test('waiting for room ends with a signal, and with the socket', async () => {
    const client = await fixture.connect({ port: 9, queuedDatagramsMax: 1, overflow: 'block' });
    const fill = () => {
      while (client.send('x'));
    };
    fill();
    const controller = new AbortController();
    const canceled = client.whenDrained({ signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(canceled).rejects.toThrow('enough');
    const aborted = client.whenDrained();
    client.abort();
    expect(await codeOf(aborted)).toBe('ERR_CHANNEL_CLOSED');
    expect(await codeOf(client.whenDrained())).toBe('ERR_CHANNEL_CLOSED');
  });

  test('more than one system call takes leaves in order', async () => {
    const received: number[] = [];
    const server = await fixture.bind(
      { receiveBuffer: 4 * 1024 * 1024, lend: true },
      {
        messages(_socket, batch) {
          for (const { data } of batch) received.push(Buffer.from(data).readUInt32LE());
        },
      },
    );
    const client = await fixture.bind({ offload: false });
    const [count, rounds] = [1500, 3];
    for (let round = 0; round < rounds; round++) {
      for (let index = 0; index < count; index++) {
        const data = Buffer.alloc(8);
        data.writeUInt32LE(round * count + index);
        expect(client.send(data, placeOf(server))).toBe(true);
      }
      expect(client.stats.queued).toBe(count);
      await until(() => client.stats.queued === 0);
      // What the system had no room for, it counts.
      await until(() => received.length + (server.stats.droppedBySystem ?? 0) >= (round + 1) * count);
    }
    expect(client.stats).toMatchObject({ sent: count * rounds, sentBytes: 8 * count * rounds });
    expect(received).toEqual([...received].sort((first, second) => first - second));
    expect(new Set(received).size).toBe(received.length);
  });

  test('what the system refuses is told once, and harms nothing', async () => {
    const errors: Error[] = [];
    const server = await fixture.bind();
    const client = await fixture.bind({}, { error: (_socket, error) => errors.push(error) });
    const results: (Error | null)[] = [];
    const tooLong = new Uint8Array(65_508);
    client.send('before', placeOf(server));
    client.send(tooLong, placeOf(server), { done: (error) => results.push(error) });
    client.send(tooLong, placeOf(server));
    client.send('after', placeOf(server));
    expect([await textFrom(server), await textFrom(server)]).toEqual(['before', 'after']);
    await until(() => errors.length === 1 && results.length === 1);
    expect(client.stats).toMatchObject({ sent: 2, sendErrors: 2, queued: 0, queuedBytes: 0 });
    for (const error of [errors[0], results[0]]) {
      expect(error).toMatchObject({ code: 'EMSGSIZE', syscall: 'send', ...placeOf(server) });
    }
  });
});
