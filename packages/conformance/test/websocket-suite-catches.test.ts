/** The WebSocket suite finds what is wrong: `ws` with one mistake each, which has to fail in the area that is about it. */

import type { TestRunner, TestSetup, WebSocketSubject } from '@iocp/testkit';
import { webSocketSuite } from '@iocp/testkit';
import { expect, test } from 'vitest';
import { underWine } from '../../../system.shared.js';
import { controlServerWith } from './support/websocket-control.js';

/** Runs the tests whose names begin so. @returns the beginnings of the names of those that fail, each once */
async function failing(
  setup: TestSetup<WebSocketSubject>,
  areas: readonly string[],
  demanding = false,
): Promise<string[]> {
  const tests: { name: string; body: () => Promise<void> }[] = [];
  const collector: TestRunner = {
    describe: (_name, body) => body(),
    it: (name, body) => void tests.push({ name, body }),
  };
  webSocketSuite(
    collector,
    'server',
    setup,
    demanding ? {} : { invalidText: 'at the end', minimalLengths: false },
  );
  const failed = new Set<string>();
  for (const { name, body } of tests) {
    const area = areas.find((beginning) => name.startsWith(`[${beginning}`));
    if (area !== undefined) await body().catch(() => failed.add(area));
  }
  return [...failed];
}

const mistakes: [name: string, setup: TestSetup<WebSocketSubject>, caught: string[], fine: string[]][] = [
  [
    'text that is not looked at',
    controlServerWith({ skipUTF8Validation: true }),
    ['6.3.1', '6.16', '7.5.1'],
    ['6.2.1]', '3.1'],
  ],
  [
    'a limit that is too high',
    controlServerWith({ maxPayload: 64 * 1024 * 1024 }),
    ['1.5', '12.6'],
    ['1.1.1]', '2.1'],
  ],
  ['a limit that is too low', controlServerWith({ maxPayload: 65_535 }), ['1.1.7', '9.1.1'], ['1.1.6']],
  [
    'pings without an answer',
    controlServerWith({ autoPong: false }),
    ['2.1]', '5.6', '5.19'],
    ['2.7', '5.3'],
  ],
  [
    'everything as text',
    controlServerWith({}, (socket, data) => socket.send(String(data))),
    ['1.2.2'],
    ['1.1.2'],
  ],
  [
    'an answer too many',
    controlServerWith({}, (socket, data, binary) => {
      socket.send(data, { binary });
      socket.ping();
    }),
    ['1.1.1]', '7.1.1'],
    ['7.3.3', '2.1]'],
  ],
  ['no answer at all', controlServerWith({}, () => {}), ['1.1.1]', '9.7.1', '12.1.1]'], ['7.7', '2.9']],
  [
    'a close instead of an answer',
    controlServerWith({}, (socket) => socket.close(1001)),
    ['1.1.1]'],
    ['7.3.1'],
  ],
  [
    'a connection that is torn',
    controlServerWith({}, (socket) => socket.terminate()),
    ['1.1.1]', '7.1.1'],
    ['7.3.1'],
  ],
];

test.skipIf(underWine).each(mistakes)('%s', { timeout: 60_000 }, async (_name, setup, caught, fine) => {
  expect(await failing(setup, [...caught, ...fine])).toEqual(expect.arrayContaining(caught));
  expect(await failing(setup, fine)).toEqual([]);
});

test.skipIf(underWine)(
  'text that is refused late, and lengths that are too long',
  { timeout: 60_000 },
  async () => {
    const late = ['6.4.1', '6.4.2', '6.4.3', '6.4.4', '1.5] 125'];
    expect(await failing(controlServerWith({}), late, true)).toEqual(expect.arrayContaining(late));
  },
);
