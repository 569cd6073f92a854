import { describe, expect, test } from 'vitest';
import { hearsOnAfterAnswer, isToldOfUnreachable } from '../../../system.shared.js';
import { bind, type UdpMessage } from '../src/index.js';
import { codeOf, deadPort, onEachBackend, placeOf, textFrom, textOf, thrownCode, until } from './support.js';

const reason = new Error('enough');

onEachBackend('receive and iteration', (fixture) => {
  test('messages are the own, one after the other', async () => {
    const server = await fixture.bind();
    const client = await fixture.connect({ port: server.address().port });
    const kept: UdpMessage[] = [];
    for (let index = 0; index < 10; index++) client.send(`message ${index}`);
    while (kept.length < 10) kept.push((await server.receive()) as UdpMessage);
    expect(kept.map(textOf)).toEqual(Array.from({ length: 10 }, (_, index) => `message ${index}`));
    expect(new Set(kept.map(({ peer }) => peer)).size).toBe(1);
    const [first] = kept;
    expect(first).toMatchObject({ ...placeOf(client), family: 'IPv4', truncated: false });
    expect(first).toMatchObject({ tos: undefined, ttl: undefined, localAddress: undefined });
  });

  test('several wait, and are served in order', async () => {
    const server = await fixture.bind();
    const waits = [textFrom(server), textFrom(server), textFrom(server)];
    const client = await fixture.bind();
    for (const word of ['a', 'b', 'c']) client.send(word, placeOf(server));
    expect(await Promise.all(waits)).toEqual(['a', 'b', 'c']);
  });

  test('a signal takes a wait back, and nothing is lost', async () => {
    const server = await fixture.bind();
    const controller = new AbortController();
    const canceled = server.receive({ signal: controller.signal });
    const waiting = server.receive();
    controller.abort(reason);
    await expect(canceled).rejects.toBe(reason);
    await expect(server.receive({ signal: controller.signal })).rejects.toBe(reason);
    const client = await fixture.bind();
    client.send('kept', placeOf(server));
    expect(textOf(await waiting)).toBe('kept');
  });

  test('iteration gives all that is there, and goes on after a break', async () => {
    const server = await fixture.bind();
    const client = await fixture.bind();
    const words: string[] = [];
    for (const word of ['1', '2', '3']) client.send(word, placeOf(server));
    await until(() => client.stats.sent === 3);
    for await (const batch of server) {
      words.push(...batch.map(textOf));
      if (words.length === 3) break;
    }
    client.send('4', placeOf(server));
    expect(await textFrom(server)).toBe('4');
    client.send('5', placeOf(server));
    for await (const batch of server) {
      words.push(...batch.map(textOf));
      await server.close();
    }
    expect(words).toEqual(['1', '2', '3', '5']);
    expect(await server.receive()).toBeNull();
  });

  test('a signal ends an iteration, and only one runs at a time', async () => {
    const server = await fixture.bind();
    const controller = new AbortController();
    const loop = server.batches({ signal: controller.signal }).next();
    expect(await codeOf(server.batches().next())).toBe('ERR_CHANNEL_CONSUMER');
    controller.abort(reason);
    await expect(loop).rejects.toBe(reason);
  });

  test('receiving pauses when too many wait, and goes on when half are taken', async () => {
    const server = await fixture.bind({ receiveQueueMax: 4, receiveBuffer: 1024 * 1024 });
    const client = await fixture.bind();
    const first = server.receive();
    for (let index = 0; index < 20; index++) {
      client.send(`${index}`, placeOf(server));
      // Each arrives by itself: a batch would be taken whole.
      await until(() => client.stats.sent === index + 1);
      if (index < 6) await until(() => server.stats.received === index + 1);
    }
    // One was taken, and with five waiting no more is delivered.
    expect(textOf(await first)).toBe('0');
    expect(server.stats.received).toBe(6);
    const rest: string[] = [];
    while (rest.length < 19) rest.push(await textFrom(server));
    expect(rest).toEqual(Array.from({ length: 19 }, (_, index) => `${index + 1}`));
  });

  test('pause holds back whoever waits, resume lets it go on', async () => {
    const server = await fixture.bind();
    const client = await fixture.bind();
    let arrived = false;
    const message = server.pause().receive();
    void message.then(() => {
      arrived = true;
    });
    client.send('held', placeOf(server));
    await until(() => client.stats.sent === 1);
    // What is there would arrive before this.
    const other = await fixture.bind();
    client.send('other', placeOf(other));
    await other.receive();
    expect(arrived).toBe(false);
    server.resume();
    expect(textOf(await message)).toBe('held');
  });

  test('the end of the socket ends waits with null, an error with the error', async () => {
    const closed = await fixture.bind();
    const waits = [closed.receive(), closed.receive()];
    await closed.close();
    expect(await Promise.all(waits)).toEqual([null, null]);
    const aborted = await fixture.bind();
    const failing = aborted.receive();
    aborted.abort(reason);
    await expect(failing).rejects.toBe(reason);
    await expect(aborted.receive()).rejects.toBe(reason);
    const late = await fixture.bind();
    await late.close();
    expect(await late.receive()).toBeNull();
  });

  const told = test.runIf(isToldOfUnreachable(fixture.backend));
  told('a connected socket tells a receive that nobody is there, and goes on', async () => {
    const port = await deadPort(fixture);
    const client = await fixture.connect({ port });
    client.send('anybody?');
    const error = await client.receive().catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'ECONNREFUSED', address: '127.0.0.1', port });
    expect(client.closed).toBe(false);
    if (!hearsOnAfterAnswer) return;
    // Also when nobody waited at the time.
    client.send('anybody?');
    await until(() => client.stats.sent === 2);
    expect(await codeOf(client.receive())).toBe('ECONNREFUSED');
    const server = await bind({ host: '127.0.0.1', port, completionPort: fixture.port });
    fixture.after(() => server.abort());
    client.send('now?');
    expect(await textFrom(server)).toBe('now?');
  });

  test('a server does not stumble over one of its peers', async () => {
    const server = await fixture.bind();
    const waiting = server.receive();
    server.send(new Uint8Array(65_508), { address: '127.0.0.1', port: 9 });
    await until(() => server.stats.sendErrors === 1);
    const client = await fixture.bind();
    client.send('hello', placeOf(server));
    expect(textOf(await waiting)).toBe('hello');
  });

  test('handlers, and receive and iteration, exclude each other', async () => {
    const server = await fixture.bind({}, {});
    expect(await codeOf(server.receive())).toBe('ERR_CHANNEL_CONSUMER');
    expect(thrownCode(() => server.batches())).toBe('ERR_CHANNEL_CONSUMER');
    const other = await fixture.bind();
    void other.receive();
    expect(thrownCode(() => other.handle({}))).toBe('ERR_CHANNEL_CONSUMER');
  });
});

describe('without a consumer', () => {
  onEachBackend('datagrams wait in the system', (fixture) => {
    test('until there is one', async () => {
      const server = await fixture.bind();
      const client = await fixture.bind();
      client.send('early', placeOf(server));
      await until(() => client.stats.sent === 1);
      expect(server.stats.received).toBe(0);
      expect(await textFrom(server)).toBe('early');
    });
  });
});
