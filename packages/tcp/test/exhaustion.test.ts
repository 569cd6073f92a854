import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { onWindows } from '../../../system.shared.js';
import { deadlineMs, dialNet, type Fixture, onEachBackend } from './support.js';

interface Message {
  readonly event: string;
  readonly port?: number;
  readonly code?: string;
  readonly pauses?: readonly string[];
  readonly at?: number;
  readonly errors?: number;
}

/** The program under test, with at most `limit` descriptors. */
class Child {
  readonly process: ChildProcess;
  readonly messages: Message[] = [];

  constructor(backend: string, limit: number) {
    const program = fileURLToPath(new URL('./programs/exhaustion.mjs', import.meta.url));
    const command = `ulimit -n ${limit} && exec "$0" "$@"`;
    this.process = spawn('sh', ['-c', command, process.execPath, program, backend], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.process.on('message', (message: Message) => this.messages.push(message));
  }

  /** The first message that fits, come or to come. */
  async message(fits: (message: Message) => boolean): Promise<Message> {
    for (;;) {
      const found = this.messages.find(fits);
      if (found !== undefined) return found;
      await once(this.process, 'message');
    }
  }
}

function exhaustionTests(fixture: Fixture): void {
  test(
    'accept pauses, waits longer each time, existing connections live on, and it recovers',
    async () => {
      const child = new Child(fixture.port.info.backend, 80);
      fixture.after(() => child.process.kill());
      const { port } = await child.message(({ event }) => event === 'listening');
      const existing = await dialNet(port as number);
      await child.message((message) => message.port === existing.localPort);

      child.process.send('fill');
      expect(await child.message(({ event }) => event === 'filled')).toMatchObject({ code: 'EMFILE' });
      const waiting = await dialNet(port as number);
      const paused = (errors: number) => (message: Message) =>
        message.event === 'pauses' && message.pauses?.[0] === 'exhausted' && message.errors === errors;
      const first = await child.message(paused(1));
      const second = await child.message(paused(2));
      const third = await child.message(paused(3));
      // Timers may be late, never early by more than their rounding: a loop that spins has errors at once.
      expect((second.at as number) - (first.at as number)).toBeGreaterThan(45);
      expect((third.at as number) - (second.at as number)).toBeGreaterThan(90);

      existing.write('still here');
      expect(String((await once(existing, 'data'))[0])).toBe('still here');
      expect(child.messages.filter(({ event }) => event === 'open')).toHaveLength(1);

      child.process.send('free');
      await child.message((message) => message.event === 'open' && message.port === waiting.localPort);
      waiting.write('at last');
      expect(String((await once(waiting, 'data'))[0])).toBe('at last');

      child.process.send('close');
      for (const socket of [existing, waiting]) socket.on('error', () => {});
      expect(await once(child.process, 'exit')).toEqual([0, null]);
    },
    deadlineMs,
  );

  test(
    'a connection of ours that closes makes room for the one that waits',
    async () => {
      const child = new Child(fixture.port.info.backend, 80);
      fixture.after(() => child.process.kill());
      const { port } = await child.message(({ event }) => event === 'listening');
      const existing = await dialNet(port as number);
      await child.message((message) => message.port === existing.localPort);
      child.process.send('fill');
      await child.message(({ event }) => event === 'filled');
      const waiting = await dialNet(port as number);
      await child.message((message) => message.pauses?.[0] === 'exhausted');
      existing.end();
      await child.message((message) => message.event === 'open' && message.port === waiting.localPort);
      child.process.send('close');
      waiting.on('error', () => {});
      expect(await once(child.process, 'exit')).toEqual([0, null]);
    },
    deadlineMs,
  );
}

describe.skipIf(onWindows)('with few descriptors (Windows has no limit to set)', () => {
  onEachBackend(
    'descriptors exhausted',
    exhaustionTests,
    'when there are no descriptors left, libuv takes the waiting connections and closes them',
  );
});
