import { fileURLToPath } from 'node:url';
import { CompletionPort } from '@iocp/core';
import { expect, test } from 'vitest';
import { bind, datagramPort } from '../src/index.js';
import {
  codeOf,
  deadlineMs,
  onEachBackend,
  placeOf,
  run,
  testPool,
  textFrom,
  thrownCode,
} from './support.js';

onEachBackend('closing', (fixture) => {
  test('sends what is queued, and resolves when all is over', async () => {
    const server = await fixture.bind();
    const client = await fixture.bind();
    const results: (Error | null)[] = [];
    for (const word of ['a', 'b', 'c'])
      client.send(word, placeOf(server), { done: (error) => results.push(error) });
    const closing = client.close();
    expect(client.send('late', placeOf(server))).toBe(false);
    await closing;
    expect(results).toEqual([null, null, null]);
    expect(client.closed).toBe(true);
    expect([await textFrom(server), await textFrom(server), await textFrom(server)]).toEqual(['a', 'b', 'c']);
    expect(client.stats).toMatchObject({ sent: 3, droppedClosed: 0, queued: 0 });
    await client.close();
    expect(await client.whenClosed()).toBeNull();
  });

  test('abort drops what is queued, and counts it', async () => {
    const client = await fixture.bind();
    const results: (Error | null)[] = [];
    const reason = new Error('enough');
    const to = { address: '127.0.0.1', port: 9 };
    for (let index = 0; index < 3; index++) client.send('x', to, { done: (error) => results.push(error) });
    client.abort(reason);
    expect(results).toEqual([]);
    expect(await client.whenClosed()).toBe(reason);
    expect(results).toEqual([reason, reason, reason]);
    expect(client.stats).toMatchObject({ sent: 0, droppedClosed: 3, queued: 0, queuedBytes: 0 });
    await client.close();
  });

  test('close rejects with what closes the socket meanwhile', async () => {
    const client = await fixture.bind();
    client.send('x', { address: '127.0.0.1', port: 9 });
    const closing = client.close();
    client.abort(new Error('enough'));
    await expect(closing).rejects.toThrow('enough');
  });

  test('await using closes', async () => {
    let outer: Awaited<ReturnType<typeof bind>>;
    {
      await using socket = await fixture.bind();
      outer = socket;
    }
    expect(outer.closed).toBe(true);
    expect(fixture.port.stats.handlesOpen).toBe(0);
  });

  test('a closed socket still knows its address and its account', async () => {
    const socket = await fixture.bind();
    const before = socket.address();
    await socket.close();
    expect(socket.address()).toEqual(before);
    expect(socket.stats).toMatchObject({ sent: 0, received: 0 });
    expect(thrownCode(() => socket.getOption('ttl'))).toBe('ERR_CHANNEL_CLOSED');
    expect(thrownCode(() => socket.addMembership('224.0.0.251'))).toBe('ERR_CHANNEL_CLOSED');
    let told: Error | null = null;
    const done = (error: Error | null) => {
      told = error;
    };
    expect(socket.send('x', { address: '127.0.0.1', port: 9 }, { done })).toBe(false);
    await Promise.resolve();
    expect(told).toMatchObject({ code: 'ERR_CHANNEL_CLOSED' });
    socket.ref().unref().pause().resume();
  });

  test('the end of the port is the end of the socket', async () => {
    const port = new CompletionPort({ backend: fixture.backend, pool: testPool });
    const receiving = await bind({ host: '127.0.0.1', completionPort: port });
    const waiting = receiving.receive();
    const idle = await bind({ host: '127.0.0.1', completionPort: port });
    await Promise.all([expect(waiting).rejects.toMatchObject({ code: 'ECANCELED' }), port.close()]);
    expect(await receiving.whenClosed()).toMatchObject({ code: 'ECANCELED' });
    const done: (Error | null)[] = [];
    idle.send('x', { address: '127.0.0.1', port: 9 }, { done: (error) => done.push(error) });
    expect(await idle.whenClosed()).toMatchObject({ code: 'ERR_IOCP_PORT_CLOSED' });
    expect(done).toHaveLength(1);
    expect(idle.stats).toMatchObject({ sent: 0, droppedClosed: 1, queued: 0 });
    expect(await codeOf(bind({ host: '127.0.0.1', completionPort: port }))).toBe('ERR_IOCP_PORT_CLOSED');
  });

  test('a socket keeps the process alive until unref', { timeout: deadlineMs }, async () => {
    const program = fileURLToPath(new URL('./programs/unref.mjs', import.meta.url));
    const { code, stdout, stderr } = await run(process.execPath, [program, fixture.backend]);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'bound\nserved\nexit\n', stderr: '' });
  });
});

test('the default port is one for the thread, and holds every datagram whole', async () => {
  const port = datagramPort();
  expect(datagramPort()).toBe(port);
  expect(port.pool.slotBytes).toBeGreaterThan(65_535 + 256);
  const socket = await bind({ host: '127.0.0.1' });
  const client = await bind({ host: '127.0.0.1' });
  client.send(new Uint8Array(65_507), placeOf(socket));
  expect(await socket.receive()).toMatchObject({ truncated: false, data: { length: 65_507 } });
  await client.close();
  await socket.close();
  await port.close();
  expect(datagramPort()).not.toBe(port);
  await datagramPort().close();
});
