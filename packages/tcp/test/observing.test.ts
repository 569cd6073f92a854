import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { nextTurn } from '@iocp/testkit';
import { expect, test } from 'vitest';
import { dialNet, type Fixture, onEachBackend, serveNet } from './support.js';

onEachBackend('AsyncLocalStorage', (fixture) => {
  test('handlers run in the context of listen() and connect(), write callbacks in that of write()', async () => {
    const storage = new AsyncLocalStorage<string>();
    const seen: string[] = [];
    const note = (event: string) => seen.push(`${event} in ${storage.getStore()}`);
    const closed = { server: 0 };
    const listener = await storage.run('listen', () =>
      fixture.listen(
        {},
        {
          open(connection) {
            note('server open');
            storage.run('a request', () => connection.write('hello', () => note('server write')));
          },
          data: () => note('server data'),
          end: () => note('server end'),
          close() {
            note('server close');
            closed.server++;
          },
        },
      ),
    );
    const client = await storage.run('connect', () =>
      fixture.connect(
        { port: listener.address().port },
        {
          open: () => note('client open'),
          data(connection) {
            note('client data');
            connection.end('bye');
          },
          close: () => note('client close'),
        },
      ),
    );
    await client.whenClosed();
    while (closed.server === 0) await nextTurn();
    expect(seen.sort()).toEqual(
      [
        'client close in connect',
        'client data in connect',
        'client open in connect',
        'server close in listen',
        'server data in listen',
        'server end in listen',
        'server open in listen',
        'server write in a request',
      ].sort(),
    );
  });

  test('connections of two listeners in one batch keep their contexts apart', async () => {
    const storage = new AsyncLocalStorage<number>();
    const seen = new Map<number, Set<number | undefined>>();
    const listeners = await Promise.all(
      [0, 1].map((index) =>
        storage.run(index, () =>
          fixture.listen(
            {},
            {
              data(connection, bytes) {
                seen.set(index, (seen.get(index) ?? new Set()).add(storage.getStore()));
                connection.write(bytes);
              },
            },
          ),
        ),
      ),
    );
    const sockets = await Promise.all(
      Array.from({ length: 40 }, (_, index) => dialNet(listeners[index % 2]?.address().port as number)),
    );
    for (const socket of sockets) socket.write('x');
    await Promise.all(sockets.map((socket) => once(socket, 'data')));
    expect(seen).toEqual(new Map([0, 1].map((index) => [index, new Set([index])])));
    for (const socket of sockets) socket.destroy();
  });

  test('promises keep the context of who awaits them', async () => {
    const storage = new AsyncLocalStorage<string>();
    const { port } = await serveNet(fixture, (socket) => socket.end('x'));
    await storage.run('mine', async () => {
      const client = await fixture.connect({ port });
      expect(storage.getStore()).toBe('mine');
      await client.read();
      expect(storage.getStore()).toBe('mine');
      await client.close();
      expect(storage.getStore()).toBe('mine');
    });
  });
});

/** Everything that is published on a channel from now on. */
function watch(fixture: Fixture, name: string): Record<string, unknown>[] {
  const messages: Record<string, unknown>[] = [];
  const listener = (message: unknown): void => {
    messages.push(message as Record<string, unknown>);
  };
  subscribe(name, listener);
  fixture.after(() => unsubscribe(name, listener));
  return messages;
}

onEachBackend('diagnostics_channel', (fixture) => {
  test('tells of listening, accepting, connecting, failing, dropping and pausing', async () => {
    const names = ['listen', 'accept', 'connect', 'connect-failed', 'drop', 'accept-pause'];
    const seen = Object.fromEntries(names.map((name) => [name, watch(fixture, `iocp.tcp.${name}`)]));
    const dropping = await fixture.listen({ connectionsMax: 1, connectionsPolicy: 'drop' }, {});
    expect(seen.listen).toEqual([{ listener: dropping }]);
    const client = await fixture.connect({ port: dropping.address().port });
    expect(seen.connect).toEqual([{ connection: client }]);
    while (dropping.connections === 0) await nextTurn();
    expect(seen.accept).toMatchObject([{ listener: dropping }]);
    const refused = await fixture.connect({ port: dropping.address().port });
    while (seen.drop?.length === 0) await nextTurn();
    expect(seen.drop).toMatchObject([{ listener: dropping, peer: { address: '127.0.0.1' } }]);
    refused.abort();

    const pausing = await fixture.listen({ connectionsMax: 1 }, {});
    const socket = await dialNet(pausing);
    while (seen['accept-pause']?.length === 0) await nextTurn();
    expect(seen['accept-pause']).toEqual([{ listener: pausing, pauses: ['connections-max'] }]);
    socket.destroy();
    while (seen['accept-pause']?.length === 1) await nextTurn();
    expect(seen['accept-pause']?.[1]).toEqual({ listener: pausing, pauses: [] });

    await pausing.close();
    const options = { port: pausing.address().port };
    await expect(fixture.connect(options)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect(seen['connect-failed']).toMatchObject([{ options, error: { code: 'ECONNREFUSED' } }]);
  });
});
