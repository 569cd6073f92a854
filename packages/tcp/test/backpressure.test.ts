import { once } from 'node:events';
import type { Socket } from 'node:net';
import { type BackendChoice, CompletionPort } from '@iocp/core';
import { assertNoLeaks, assertSameBytes, nextTurn, pattern, whenQuiet } from '@iocp/testkit';
import { expect, test } from 'vitest';
import type { TcpConnection } from '../src/index.js';
import { collect, deadlineMs, deferred, dialNet, onEachBackend, Recorder, serveNet } from './support.js';

onEachBackend('a slow reader', (fixture) => {
  test(
    'with backpressure heeded, the queue stays at the mark and everything arrives',
    async () => {
      const chunk = Buffer.alloc(50_000, 'z');
      const total = 400;
      let written = 0;
      let refusals = 0;
      let mostBuffered = 0;
      const pump = (connection: TcpConnection): void => {
        while (written < total) {
          written++;
          const more = connection.write(chunk);
          mostBuffered = Math.max(mostBuffered, connection.bufferedAmount);
          if (more) continue;
          refusals++;
          return;
        }
        connection.end();
      };
      const recorder = new Recorder({ open: pump, drain: pump });
      const listener = await fixture.listen({ highWaterMark: 100_000 }, recorder.handlers);
      const socket = await dialNet(listener);
      socket.pause();
      await recorder.opened;
      await whenQuiet(() => written);
      expect(written).toBeLessThan(total);
      expect(recorder.connection?.bufferedAmount).toBeGreaterThan(0);
      const bytes = await collect(socket.resume());
      expect(bytes).toHaveLength(total * chunk.length);
      expect(mostBuffered).toBeLessThan(100_000 + chunk.length);
      await recorder.closed;
      // One drain for every refusal, and none without.
      expect(recorder.events.filter((event) => event === 'drain')).toHaveLength(
        refusals - (written === total ? 0 : 1),
      );
      expect(recorder.connection?.bytesWritten).toBe(total * chunk.length);
    },
    deadlineMs,
  );

  test('with backpressure ignored, the write over the cap is refused and the connection aborted, others live on', async () => {
    const results: (string | null)[] = [];
    const recorder = new Recorder();
    const listener = await fixture.listen({ bufferedBytesMax: 8_000_000 }, recorder.handlers);
    const socket = await dialNet(listener);
    socket.on('error', () => {});
    socket.pause();
    const slow = await recorder.opened;
    const other = await dialNet(listener);
    while (recorder.connection === slow) await nextTurn();
    const healthy = recorder.connection as TcpConnection;
    const chunk = Buffer.alloc(1_000_000);
    for (let index = 0; index < 200 && !slow.closed; index++) {
      slow.write(chunk, (error) => results.push((error as NodeJS.ErrnoException | null)?.code ?? null));
      expect(slow.bufferedAmount).toBeLessThanOrEqual(8_000_000);
    }
    await recorder.closed;
    expect(results.length).toBeLessThan(200);
    expect(results.at(-1)).toBe('ERR_CHANNEL_OVERFLOW');
    expect(recorder.events.at(-1)).toBe('close ERR_CHANNEL_OVERFLOW');
    healthy.end('fine');
    expect(String(await collect(other))).toBe('fine');
  });

  test('one write that is larger than the cap goes out whole', async () => {
    const content = Buffer.from(pattern(20_000_000));
    const listener = await fixture.listen(
      { bufferedBytesMax: 1_000_000 },
      {
        open(connection) {
          connection.end(content);
        },
      },
    );
    assertSameBytes(await collect(await dialNet(listener)), content);
  });

  test("overflow 'reject' refuses only the write", async () => {
    const recorder = new Recorder();
    const listener = await fixture.listen(
      { bufferedBytesMax: 4_000_000, overflow: 'reject' },
      recorder.handlers,
    );
    const socket = await dialNet(listener);
    socket.pause();
    const connection = await recorder.opened;
    const sent: Promise<unknown>[] = [];
    let refused = 0;
    for (let index = 0; index < 40; index++) {
      sent.push(
        connection.send(Buffer.alloc(500_000, index)).then(
          () => index,
          () => refused++,
        ),
      );
    }
    connection.end();
    const bytes = await collect(socket.resume());
    await Promise.all(sent);
    expect(refused).toBeGreaterThan(0);
    expect(bytes).toHaveLength((40 - refused) * 500_000);
    for (let index = 0; index < 40 - refused; index++) expect(bytes[index * 500_000]).toBe(index);
  });

  test('drained() waits, and rejects when the connection goes', async () => {
    const { port } = await serveNet(fixture, (socket) => socket.pause());
    const client = await fixture.connect({ port });
    await client.drained();
    while (client.write(Buffer.alloc(500_000)));
    const waiting = client.drained().catch((error) => error.message);
    client.abort(new Error('enough'));
    expect(await waiting).toBe('enough');
  });
});

onEachBackend('pause', (fixture) => {
  test('is exact, the peer feels it, and nothing is lost', async () => {
    let paused = false;
    let late = 0;
    const recorder = new Recorder({
      data() {
        if (paused) late++;
      },
    });
    const listener = await fixture.listen({}, recorder.handlers);
    const socket = await dialNet(listener);
    const connection = await recorder.opened;
    const sent: Buffer[] = [];
    let stopped = false;
    const pump = (): void => {
      for (let more = true; more && !stopped; ) {
        const chunk = Buffer.alloc(100_000, sent.length);
        sent.push(chunk);
        more = socket.write(chunk);
      }
    };
    socket.on('drain', pump);
    pump();
    for (let round = 0; round < 5; round++) {
      const before = recorder.received.length;
      while (recorder.received.length === before) await nextTurn();
      connection.pause();
      paused = true;
      const { length } = recorder.received;
      await whenQuiet(() => sent.length);
      expect(socket.writableNeedDrain).toBe(true);
      expect(recorder.received).toHaveLength(length);
      // What was on its way is held, and no more of it than the kernel had slots for until the cancel; these are free again.
      const slotBytesMost = fixture.port.stats.slots.target * fixture.port.info.pool.slotBytes;
      expect(connection.bytesRead - recorder.bytes.length).toBeLessThanOrEqual(slotBytesMost);
      expect(fixture.port.stats.slots.javascript).toBe(0);
      paused = false;
      connection.resume();
    }
    stopped = true;
    socket.end();
    await recorder.closed;
    expect(late).toBe(0);
    assertSameBytes(recorder.bytes, Buffer.concat(sent));
  });

  test('from inside the data handler holds back the rest of what has arrived', async () => {
    const recorder = new Recorder({
      data(connection) {
        connection.pause();
      },
    });
    const listener = await fixture.listen({}, recorder.handlers);
    const socket = await dialNet(listener);
    socket.end(Buffer.from(pattern(1_000_000)));
    const connection = await recorder.opened;
    while (!recorder.events.includes('end')) {
      const { length } = recorder.received;
      await whenQuiet(() => recorder.received.length, 5);
      expect(recorder.received.length - length).toBeLessThanOrEqual(1);
      connection.resume();
    }
    assertSameBytes(recorder.bytes, pattern(1_000_000));
    await recorder.closed;
  });

  test('holds what arrives first; what comes later waits in the system', async () => {
    const recorder = new Recorder();
    const listener = await fixture.listen({}, recorder.handlers);
    const socket = await dialNet(listener);
    const connection = await recorder.opened;
    connection.pause();
    for (let message = 0; message < 8; message++) {
      await new Promise((resolve) => socket.write(`${message}`, resolve));
      await whenQuiet(() => fixture.port.stats.completions, 5);
      expect(connection.bytesRead).toBe(1);
    }
    connection.resume();
    socket.end();
    await recorder.closed;
    expect(recorder.bytes.toString()).toBe('01234567');
  });

  test('and resume at once costs no receive', async () => {
    const recorder = new Recorder();
    const listener = await fixture.listen({}, recorder.handlers);
    const socket = await dialNet(listener);
    const connection = await recorder.opened;
    const { submissions } = fixture.port.stats;
    for (let index = 0; index < 100; index++) {
      connection.pause();
      connection.resume();
    }
    await nextTurn();
    expect(fixture.port.stats.submissions).toBe(submissions);
    socket.end('x');
    await recorder.closed;
    expect(recorder.bytes.toString()).toBe('x');
  });

  test('an end and a reset are seen after resume, the end behind all data', async () => {
    const recorder = new Recorder();
    const listener = await fixture.listen({}, recorder.handlers);
    const socket = await dialNet(listener);
    const connection = await recorder.opened;
    connection.pause();
    socket.end('before the end');
    await whenQuiet(() => recorder.events.length);
    expect(recorder.events).toEqual(['open']);
    connection.resume();
    await recorder.closed;
    expect(recorder.bytes.toString()).toBe('before the end');
    expect(recorder.events).toEqual(['open', 'end', 'close null']);
  });
});

onEachBackend('slots', (fixture) => {
  test(
    'a relay to a slow peer holds at most slotsMax of them, receives no more meanwhile, and loses nothing',
    async () => {
      const slowPeer = deferred<Socket>();
      const { port } = await serveNet(fixture, (socket) => slowPeer.resolve(socket.pause()));
      const down = await fixture.connect({ port, highWaterMark: 1e9, bufferedBytesMax: 1e9 });
      down.handle({});
      const slotsMax = 4;
      let relayed = 0;
      const listener = await fixture.listen(
        { slotsMax, lend: true },
        {
          data(_connection, bytes) {
            relayed += bytes.length;
            // As a careless relay does: it does not look at the result.
            down.write(bytes);
          },
          end() {
            down.end();
          },
        },
      );
      const source = await dialNet(listener);
      const whole = Buffer.from(pattern(20_000_000));
      source.end(whole);
      const slow = await slowPeer.promise;
      await whenQuiet(() => relayed);
      expect(relayed).toBeLessThan(whole.length);
      expect(source.writableLength).toBeGreaterThan(0);
      const held = fixture.port.stats.slots.javascript;
      expect(held).toBeGreaterThanOrEqual(slotsMax);
      // The quota, and what one batch brought before the cancel worked.
      expect(held).toBeLessThanOrEqual(slotsMax + 64);
      assertSameBytes(await collect(slow.resume()), whole);
    },
    deadlineMs,
  );

  test('of a paused connection do not keep the others from receiving', async () => {
    const listener = await fixture.listen(
      { slotsMax: 2 },
      {
        open(connection) {
          if (connection.data === undefined && listener.connections <= 20) connection.pause();
        },
        data(connection, bytes) {
          connection.write(bytes);
        },
      },
    );
    const stuck: Socket[] = [];
    for (let index = 0; index < 20; index++) {
      const socket = await dialNet(listener);
      socket.on('error', () => {});
      socket.write(Buffer.alloc(2_000_000));
      stuck.push(socket);
    }
    while (listener.connections < 20) await nextTurn();
    await whenQuiet(() => stuck.map((socket) => socket.writableLength).join());
    const healthy = await dialNet(listener);
    for (let round = 0; round < 50; round++) {
      healthy.write(`round ${round}`);
      expect(String((await once(healthy, 'data'))[0])).toBe(`round ${round}`);
    }
    for (const socket of [...stuck, healthy]) socket.destroy();
  });

  test('of echoes that nobody reads do not keep the others from theirs, in a pool that is too small for all', async () => {
    const completionPort = new CompletionPort({
      backend: fixture.port.info.backend as BackendChoice,
      pool: { minSlots: 16, maxSlots: 32 },
    });
    const listener = await fixture.listen(
      { completionPort, lend: true, highWaterMark: 256_000 },
      {
        data(connection, bytes) {
          if (!connection.write(bytes)) connection.pause();
        },
        drain(connection) {
          connection.resume();
        },
        error() {},
      },
    );
    const stuck: Socket[] = [];
    for (let index = 0; index < 60; index++) {
      const socket = (await dialNet(listener)).pause();
      socket.on('error', () => {});
      socket.write(Buffer.alloc(12_000_000));
      stuck.push(socket);
    }
    await whenQuiet(
      () => `${stuck.map((socket) => socket.writableLength)} ${completionPort.stats.completions}`,
    );
    const healthy = await dialNet(listener);
    for (let round = 0; round < 50; round++) {
      healthy.write(`round ${round}`);
      expect(String((await once(healthy, 'data'))[0])).toBe(`round ${round}`);
    }
    for (const socket of [...stuck, healthy]) socket.destroy();
    await listener.close({ graceMs: 0 });
    await assertNoLeaks(completionPort);
    await completionPort.close();
  });
});
