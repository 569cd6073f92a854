import type { IoError } from '@iocp/core';
import { expect, test } from 'vitest';
import { hearsOnAfterAnswer, isToldOfUnreachable } from '../../../system.shared.js';
import { deadPort, onEachBackend, placeOf, textFrom, until } from './support.js';

const onLinux = process.platform === 'linux';

onEachBackend('answers of the network', (fixture) => {
  const told = test.runIf(isToldOfUnreachable(fixture.backend));

  told('a connected socket is told that nobody is there, and goes on', async () => {
    const port = await deadPort(fixture);
    const errors: IoError[] = [];
    const client = await fixture.connect(
      { port },
      { error: (_socket, error) => errors.push(error as IoError) },
    );
    const rounds = hearsOnAfterAnswer ? 3 : 1;
    for (let round = 1; round <= rounds; round++) {
      const before = errors.length;
      client.send('anybody?');
      await until(() => errors.length > before);
    }
    for (const error of errors) expect(error).toMatchObject({ code: 'ECONNREFUSED', port });
    expect(client.stats).toMatchObject({ sent: rounds, sendErrors: 0, queued: 0 });
    expect(client.closed).toBe(false);
  });

  told('a send that meets the answer to an earlier one is tried again', async () => {
    const port = await deadPort(fixture);
    const errors: IoError[] = [];
    const client = await fixture.connect(
      { port, offload: false },
      { error: (_socket, error) => errors.push(error as IoError) },
    );
    const outcomes: (Error | null)[] = [];
    for (let index = 0; index < 20; index++)
      client.send(`${index}`, undefined, { done: (error) => outcomes.push(error) });
    await until(() => outcomes.length === 20);
    const failed = outcomes.filter((error) => error !== null);
    const { sent, sendErrors, queued } = client.stats;
    expect({ sent, sendErrors, queued }).toEqual({
      sent: 20 - failed.length,
      sendErrors: failed.length,
      queued: 0,
    });
    for (const error of failed) expect(error).toMatchObject({ code: 'ECONNREFUSED' });
    await until(() => errors.length > 0);
  });

  test('a socket without a peer is told nothing unless it asks', async () => {
    const port = await deadPort(fixture);
    const errors: Error[] = [];
    const client = await fixture.bind({}, { error: (_socket, error) => errors.push(error) });
    const server = await fixture.bind();
    for (let index = 0; index < 10; index++) {
      client.send('nobody', { address: '127.0.0.1', port });
      client.send(`${index}`, placeOf(server));
      expect(await textFrom(server)).toBe(`${index}`);
    }
    expect(errors).toEqual([]);
    expect(client.stats).toMatchObject({ sent: 20, sendErrors: 0 });
  });
});

onEachBackend(
  'icmpErrors',
  (fixture) => {
    test.runIf(onLinux)('tells each answer with the address it is about', async () => {
      const ports = [await deadPort(fixture), await deadPort(fixture)];
      const errors: IoError[] = [];
      const client = await fixture.bind(
        { icmpErrors: true },
        { error: (_socket, error) => errors.push(error as IoError) },
      );
      for (const port of ports) {
        client.send('nobody', { address: '127.0.0.1', port });
        await until(() => errors.some((error) => error.port === port));
      }
      for (const error of errors) {
        expect(error).toMatchObject({ code: 'ECONNREFUSED', address: '127.0.0.1' });
        expect(ports).toContain(error.port);
      }
      const server = await fixture.bind();
      client.send('still here', placeOf(server));
      expect(await textFrom(server)).toBe('still here');
      await until(() => client.stats.queued === 0);
      expect(client.stats).toMatchObject({ sent: 3, sendErrors: 0 });
    });

    test('a connected socket is told as before', async () => {
      const port = await deadPort(fixture);
      const errors: IoError[] = [];
      const client = await fixture.connect(
        { port, icmpErrors: true },
        { error: (_socket, error) => errors.push(error as IoError) },
      );
      client.send('anybody?');
      await until(() => errors.length > 0);
      expect(errors).toMatchObject([{ code: 'ECONNREFUSED', address: '127.0.0.1', port }]);
    });

    test.runIf(onLinux)('loses no datagram for them', async () => {
      const port = await deadPort(fixture);
      const errors: IoError[] = [];
      const client = await fixture.bind(
        { icmpErrors: true },
        { error: (_socket, error) => errors.push(error as IoError) },
      );
      const server = await fixture.bind();
      const words: string[] = [];
      for (let round = 0; round < 5; round++) {
        for (let index = 0; index < 10; index++) {
          client.send('nobody', { address: '127.0.0.1', port });
          client.send(`${round} ${index}`, placeOf(server));
        }
        await until(() => client.stats.queued === 0);
        const { sendErrors } = client.stats;
        while (words.length < (round + 1) * 10 - sendErrors) words.push(await textFrom(server));
      }
      expect(new Set(words).size).toBe(words.length);
      expect(errors.length).toBeGreaterThan(0);
    });
  },
  'node:dgram does not tell',
);
