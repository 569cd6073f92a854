/** Requests that are nearly right, and what must come of each: a WebSocket or a refusal, an answer that says which, and nothing left. */

import assert from 'node:assert/strict';
import { Connection } from '@iocp/core/layer';
import { assertNoLeaks, MemoryNetwork, Random, randomSplit } from '@iocp/testkit';
import { handshakeSettings } from '../../src/server/handshake-options.js';
import { upgradeOver } from '../../src/server/upgrade-over.js';

export interface FuzzOptions {
  readonly seed: number;
  /** Asked before each round. */
  readonly enough: (round: number) => boolean;
}

const settings = handshakeSettings({
  paths: ['/', /^\/chat/],
  protocols: ['a', 'b'],
  origins: ['https://good.test'],
  deflate: true,
  heartbeat: false,
});

const fields: Readonly<Record<string, readonly string[]>> = {
  Host: ['server.test', '', '[::1]:80', 'a b'],
  Connection: ['Upgrade', 'keep-alive, upgrade', 'close', ',,'],
  Upgrade: ['websocket', 'h2c, WebSocket', 'h2c', 'websocket/13', ''],
  'Sec-WebSocket-Key': ['dGhlIHNhbXBsZSBub25jZQ==', 'AAAA', '', 'dGhlIHNhbXBsZSBub25jZQ==, x'],
  'Sec-WebSocket-Version': ['13', '8', '013', '13, 8', '-1'],
  'Sec-WebSocket-Protocol': ['a', 'x, b', 'a, a', '"a"', ', ,', 'a b'],
  'Sec-WebSocket-Extensions': [
    'permessage-deflate',
    'permessage-deflate; client_max_window_bits=99',
    'permessage-deflate; server_max_window_bits="9"; server_no_context_takeover',
    'x; y="\\"", ;',
    '=,=',
  ],
  Origin: ['https://good.test', 'null', 'https://evil.test', ' '],
  'Content-Length': ['0', '5', '-5'],
};
const targets = ['/', '/chat?x', '/none', '*', 'http://a/chat', 'http://?', '//', '/%00', '/\u00ff'];

function requestOf(random: Random): Buffer {
  const pick = (values: readonly string[]) =>
    values[random.integer(0, 2) > 0 ? 0 : random.integer(0, values.length - 1)] as string;
  const lines = [
    `${pick(['GET', 'POST', 'get', 'OPTIONS'])} ${pick(targets)} HTTP/${pick(['1.1', '1.0', '2.0'])}`,
  ];
  for (const [name, values] of Object.entries(fields)) {
    const optional = name === 'Content-Length' || name === 'Origin';
    const times = random.integer(0, 11);
    if (times === 0 || (optional && times < 8)) continue;
    for (let turn = 0; turn < (times === 1 ? 2 : 1); turn++) lines.push(`${name}: ${pick(values)}`);
  }
  const request = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  for (let flips = random.integer(0, 7) - 5; flips > 0; flips--) {
    request[random.integer(0, request.byteLength - 1)] = random.integer(0, 255);
  }
  return request;
}

/** @returns how many rounds there were, and how many of them opened a WebSocket */
export async function fuzzServerHandshake({
  seed,
  enough,
}: FuzzOptions): Promise<{ rounds: number; opened: number }> {
  let rounds = 0;
  let opened = 0;
  for (; !enough(rounds); rounds++) {
    const random = new Random(seed + rounds);
    const request = requestOf(random);
    try {
      if (await oneRound(random, request)) opened++;
    } catch (cause) {
      throw new Error(`Seed ${seed + rounds}: ${JSON.stringify(request.toString('latin1'))}`, { cause });
    }
  }
  return { rounds, opened };
}

async function oneRound(random: Random, request: Buffer): Promise<boolean> {
  const network = new MemoryNetwork();
  const { near, far } = network.pair();
  const client = new Connection(far);
  const setting = upgradeOver(near, settings).then(
    ({ lower }) => {
      lower.end();
      return true;
    },
    (error) => {
      assert.equal(error.code, 'ERR_WS_HANDSHAKE');
      return false;
    },
  );
  for (const piece of randomSplit(request, random)) client.write(piece);
  // Without this a request that is not finished would be waited for.
  client.end();
  const answer: Uint8Array[] = [];
  for await (const chunk of client) answer.push(chunk);
  const opened = await setting;
  const text = Buffer.concat(answer).toString('latin1');
  // It may leave without a word when the client ends before there is a request.
  if (text !== '' || opened) assert.match(text, opened ? /^HTTP\/1\.1 101 / : /^HTTP\/1\.1 [45]\d\d /);
  near.abort();
  await client.whenClosed();
  await assertNoLeaks(network);
  return opened;
}
