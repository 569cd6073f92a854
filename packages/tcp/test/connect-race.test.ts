import { nextTurn } from '@iocp/testkit';
import { expect, test } from 'vitest';
import { ConnectError, type LookupFunction } from '../src/index.js';
import { blackHole, freePort, hasIpv6, resolvesTo } from './addresses.js';
import { onEachBackend, serveNet } from './support.js';

onEachBackend('happy eyeballs', (fixture) => {
  test('goes on at once when an address refuses', async () => {
    const { port } = await serveNet(fixture, (socket) => socket.end('x'));
    const lookup = resolvesTo('127.0.0.3', '127.0.0.1');
    const begin = performance.now();
    const client = await fixture.connect({ host: 'x.test', port, lookup, attemptDelayMs: 5000 });
    expect(performance.now() - begin).toBeLessThan(4000);
    expect(client.remoteAddress).toBe('127.0.0.1');
    await client.close();
  });

  test.runIf(hasIpv6)('does not wait for an address that does not answer; the loser is gone', async () => {
    const port = await blackHole(fixture, '::1');
    await serveNet(fixture, (socket) => socket.end('x'), { port });
    const before = fixture.port.stats.handlesOpen;
    const lookup = resolvesTo('::1', '127.0.0.1');
    const client = await fixture.connect({ host: 'x.test', port, lookup, attemptDelayMs: 30 });
    expect(fixture.port.stats.handlesOpen).toBe(before + 1);
    expect(client.remoteAddress).toBe('127.0.0.1');
    expect(client.family).toBe('IPv4');
    await client.close();
  });

  test('the first address wins when it answers, and the second is never tried', async () => {
    const { port } = await serveNet(fixture, (socket) => socket.end('x'));
    const client = await fixture.connect({ host: 'x.test', port, lookup: resolvesTo('127.0.0.1', '::1') });
    expect(client.remoteAddress).toBe('127.0.0.1');
    await client.close();
  });

  test.runIf(hasIpv6)('all refused: an AggregateError that names every address and its code', async () => {
    const port = await freePort();
    const lookup = resolvesTo('::1', '127.0.0.1', '127.0.0.2');
    const error = await fixture.connect({ host: 'x.test', port, lookup }).catch((reason) => reason);
    expect(error).toBeInstanceOf(AggregateError);
    expect(error).toBeInstanceOf(ConnectError);
    expect(error).toMatchObject({ code: 'ECONNREFUSED', syscall: 'connect', address: 'x.test', port });
    for (const address of [
      `[::1]:${port} ECONNREFUSED`,
      `127.0.0.1:${port} ECONNREFUSED`,
      `127.0.0.2:${port}`,
    ]) {
      expect(error.message).toContain(address);
    }
    expect(error.errors.map((each: { address: string }) => each.address)).toEqual([
      '::1',
      '127.0.0.1',
      '127.0.0.2',
    ]);
    expect(error.errors[0]).toMatchObject({ code: 'ECONNREFUSED', syscall: 'connect', address: '::1', port });
  });

  test.runIf(hasIpv6)('time is up with several addresses: all are named', async () => {
    const port = await blackHole(fixture, '::1');
    const lookup = resolvesTo('::1', '127.0.0.4', '::1');
    const before = fixture.port.stats.handlesOpen;
    const error = await fixture
      .connect({ host: 'x.test', port, lookup, attemptDelayMs: 10, timeoutMs: 60 })
      .catch((reason) => reason);
    expect(error).toMatchObject({ code: 'ETIMEDOUT', address: 'x.test', port });
    expect(error.errors.map(({ code }: { code: string }) => code)).toEqual([
      'ETIMEDOUT',
      'ECONNREFUSED',
      'ETIMEDOUT',
    ]);
    expect(error.message).toContain(`127.0.0.4:${port} ECONNREFUSED`);
    expect(fixture.port.stats.handlesOpen).toBe(before);
  });
});

onEachBackend('cancelling connect', (fixture) => {
  const reason = new Error('not needed any more');

  test('before', async () => {
    await expect(fixture.connect({ port: 9, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(fixture.port.stats).toMatchObject({ handlesOpen: 0, operationsInFlight: 0 });
  });

  test('during the lookup', async () => {
    const controller = new AbortController();
    const lookup: LookupFunction = () => controller.abort(reason);
    await expect(
      fixture.connect({ host: 'x.test', port: 80, lookup, signal: controller.signal }),
    ).rejects.toBe(reason);
  });

  test('during the attempt: nothing is left open when it rejects', async () => {
    const port = await blackHole(fixture, '127.0.0.1');
    const before = fixture.port.stats;
    const controller = new AbortController();
    const connecting = fixture.connect({ port, signal: controller.signal });
    while (fixture.port.stats.operationsInFlight === before.operationsInFlight) await nextTurn();
    controller.abort(reason);
    await expect(connecting).rejects.toBe(reason);
    expect(fixture.port.stats.handlesOpen).toBe(before.handlesOpen);
    expect(fixture.port.stats.operationsInFlight).toBe(before.operationsInFlight);
  });

  test('in the same turn as it is called, whatever the outcome, leaves nothing behind', async () => {
    const { port } = await serveNet(fixture, (socket) => socket.end());
    for (let turn = 0; turn < 20; turn++) {
      const controller = new AbortController();
      const connecting = fixture.connect({ port, signal: controller.signal }).catch((error) => error);
      for (let waited = 0; waited < turn % 5; waited++) await nextTurn();
      controller.abort(reason);
      const outcome = await connecting;
      if (outcome === reason) continue;
      await outcome.close();
    }
    expect(fixture.port.stats.handlesOpen).toBe(0);
  });

  test('after: no effect, and the signal is not listened to any more', async () => {
    const { port } = await serveNet(fixture, (socket) => socket.pipe(socket));
    const controller = new AbortController();
    let listeners = 0;
    const { signal } = controller;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...values: Parameters<typeof add>) => {
      listeners++;
      add(...values);
    };
    signal.removeEventListener = (...values: Parameters<typeof remove>) => {
      listeners--;
      remove(...values);
    };
    const client = await fixture.connect({ port, signal });
    expect(listeners).toBe(0);
    controller.abort(reason);
    client.end('still here');
    expect(String(await client.read())).toBe('still here');
    await client.close();
  });
});
