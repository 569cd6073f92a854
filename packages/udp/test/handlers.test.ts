import { AsyncLocalStorage } from 'node:async_hooks';
import { type Datagram, lease } from '@iocp/core/layer';
import { captureUncaught, nextTurn } from '@iocp/testkit';
import { expect, test } from 'vitest';
import type { UdpHandlers, UdpSocket } from '../src/index.js';
import { onEachBackend, placeOf, textFrom, thrownCode, until } from './support.js';

/** Sends words and waits until the system has taken them. */
async function say(client: UdpSocket, server: UdpSocket, words: readonly string[]): Promise<void> {
  const before = client.stats.sent;
  for (const word of words) client.send(word, placeOf(server));
  await until(() => client.stats.sent === before + words.length);
}

onEachBackend('handlers', (fixture) => {
  test('get what arrives in batches, all of it by one object', async () => {
    const objects = new Set<Datagram>();
    const words: string[] = [];
    let batches = 0;
    let counted = 0;
    const server = await fixture.bind(
      {},
      {
        messages(_socket, batch) {
          batches++;
          counted += batch.length;
          for (const message of batch) {
            objects.add(message);
            words.push(Buffer.from(message.data).toString());
          }
        },
      },
    );
    const client = await fixture.bind();
    const sent = Array.from({ length: 50 }, (_, index) => `word ${index}`);
    await say(client, server, sent);
    await until(() => words.length === 50);
    expect(words).toEqual(sent);
    expect(counted).toBe(50);
    expect(objects.size).toBe(1);
    expect(batches).toBeLessThan(50);
  });

  test('own their bytes unless they are lent', async () => {
    const kept: { lent: boolean; data: Uint8Array; again: boolean }[] = [];
    const keep = (lent: boolean): UdpHandlers => ({
      messages(_socket, batch) {
        for (const message of batch) {
          const { data } = message;
          kept.push({ lent, data, again: message.data === data });
        }
      },
    });
    const owning = await fixture.bind({}, keep(false));
    const lending = await fixture.bind({ lend: true }, keep(true));
    const client = await fixture.bind();
    await say(client, owning, ['own']);
    await say(client, lending, ['lent']);
    await until(() => kept.length === 2);
    const memory = fixture.port.pool.buffer;
    for (const { lent, data, again } of kept) {
      expect(data.buffer === memory).toBe(lent);
      expect(again).toBe(true);
    }
    expect(Buffer.from(kept.find(({ lent }) => !lent)?.data ?? []).toString()).toBe('own');
  });

  test('handle({ lend }) overrides the socket', async () => {
    const server = await fixture.bind({ lend: true });
    const memories: unknown[] = [];
    server.handle(
      {
        messages(_socket, batch) {
          for (const { data } of batch) memories.push(data.buffer);
        },
      },
      { lend: false },
    );
    await say(await fixture.bind(), server, ['own']);
    await until(() => memories.length === 1);
    expect(memories[0]).not.toBe(fixture.port.pool.buffer);
  });

  test('a change of the own bytes shows in the reply', async () => {
    const server = await fixture.bind(
      {},
      {
        messages(_socket, batch) {
          for (const message of batch) {
            message.data[0] = 'J'.charCodeAt(0);
            message.reply(message.data);
          }
        },
      },
    );
    const client = await fixture.connect({ port: server.address().port });
    client.send('Hello');
    expect(await textFrom(client)).toBe('Jello');
  });

  test('a lease keeps lent bytes', async () => {
    const leases: ReturnType<typeof lease>[] = [];
    const server = await fixture.bind(
      { lend: true },
      {
        messages(_socket, batch) {
          for (const { data } of batch) leases.push(lease(data));
        },
      },
    );
    const client = await fixture.bind();
    for (let index = 0; index < 100; index++) {
      await say(client, server, [`kept ${index}`]);
      await until(() => leases.length === index + 1);
    }
    leases.forEach((kept, index) => {
      expect(Buffer.from(kept.bytes).toString()).toBe(`kept ${index}`);
      kept.release();
    });
  });

  test('what is kept of a batch says so', async () => {
    const kept: Datagram[] = [];
    const server = await fixture.bind(
      { lend: true },
      {
        messages(_socket, batch) {
          for (const message of batch) kept.push(message);
        },
      },
    );
    await say(await fixture.bind(), server, ['gone']);
    await until(() => kept.length === 1);
    const [message] = kept as [Datagram];
    expect(thrownCode(() => message.data)).toBe('ERR_IOCP_NOT_LENT');
    expect(thrownCode(() => message.peer)).toBe('ERR_IOCP_NOT_LENT');
    expect(thrownCode(() => message.reply(new Uint8Array()))).toBe('ERR_IOCP_NOT_LENT');
  });

  test('a batch can be gone through twice, and in part', async () => {
    const seen: number[] = [];
    const server = await fixture.bind(
      {},
      {
        messages(_socket, batch) {
          for (const _ of batch) break;
          seen.push([...batch].length, batch.length);
        },
      },
    );
    await say(await fixture.bind(), server, ['a', 'b', 'c']);
    await until(() => seen.filter((_, index) => index % 2 === 1).reduce((sum, each) => sum + each, 0) === 3);
    for (let at = 0; at < seen.length; at += 2) expect(seen[at]).toBe(seen[at + 1]);
  });

  test('what one throws is an uncaught exception, and the next batch comes', async () => {
    let calls = 0;
    const failure = new Error('thrown by a handler');
    const server = await fixture.bind(
      {},
      {
        messages() {
          calls++;
          throw failure;
        },
      },
    );
    const client = await fixture.bind();
    const uncaught = await captureUncaught(async () => {
      for (let round = 1; round <= 3; round++) {
        await say(client, server, ['boom']);
        await until(() => calls === round);
      }
      await nextTurn();
    });
    expect(uncaught).toEqual([failure, failure, failure]);
    expect(server.closed).toBe(false);
  });

  test('close comes last, after error when there is one', async () => {
    const events: string[] = [];
    const handlers: UdpHandlers = {
      error: (_socket, error) => events.push(`error ${error.message}`),
      close: (_socket, error) => events.push(`close ${error?.message ?? 'null'}`),
    };
    const closing = await fixture.bind({}, handlers);
    await closing.close();
    const aborted = await fixture.bind({}, handlers);
    aborted.abort(new Error('enough'));
    expect(await aborted.whenClosed()).toMatchObject({ message: 'enough' });
    expect(events).toEqual(['close null', 'error enough', 'close enough']);
    const late = await fixture.bind();
    await late.close();
    late.handle(handlers);
    await nextTurn();
    expect(events.slice(3)).toEqual(['close null']);
  });

  test('run in the async context of bind, and done in that of send', async () => {
    const storage = new AsyncLocalStorage<string>();
    const seen: (string | undefined)[] = [];
    const note = () => seen.push(storage.getStore());
    const server = await storage.run('bind', () => fixture.bind({}, { messages: note, close: note }));
    const client = await storage.run('client', () => fixture.connect({ port: server.address().port }));
    storage.run('send', () => client.send('x', undefined, { done: note }));
    await until(() => seen.length === 2);
    await server.close();
    expect(seen.sort()).toEqual(['bind', 'bind', 'send']);
  });
});
