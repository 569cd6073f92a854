/** WebSocket suite, 0: opening handshakes that must be taken, and those that must not. RFC 6455, section 4. */

import assert from 'node:assert/strict';
import { itWith } from '../../runner.js';
import { close, ping, text } from './frame.js';
import {
  answerLines,
  type Head,
  headBytes,
  parseHead,
  readAnswer,
  readRequest,
  requestLines,
} from './opening.js';
import type { WebSocketPeer } from './peer.js';
import { conclude, dial, finish, open, pongBack, run, textBack, type WebSocketSuite } from './scene.js';

/** Replaces the line of a header; null takes it away. */
function withLine(lines: readonly string[], name: string, line: string | null): string[] {
  const index = lines.findIndex((one) => one.toLowerCase().startsWith(`${name.toLowerCase()}:`));
  return line === null ? lines.toSpliced(index, 1) : lines.with(index, line);
}

const tooMuch = `X-Padding: ${'a'.repeat(100 * 1024)}`;

export function openingSuite(suite: WebSocketSuite): void {
  if (suite.role === 'server') serverSuite(suite);
  else clientSuite(suite);
}

/** Registers one test with a connection whose handshake is up to the body. */
function itShakesHands(
  suite: WebSocketSuite,
  name: string,
  body: (peer: WebSocketPeer, opened: Promise<unknown>) => Promise<void>,
): void {
  itWith(suite.runner, suite.setup, `[0] ${name}`, async (subject) => {
    const { peer, opened } = await dial(suite, subject);
    await conclude(peer, () => body(peer, opened ?? Promise.resolve()));
  });
}

function serverSuite(suite: WebSocketSuite): void {
  const lines = requestLines();
  const taken: [string, Uint8Array, 'whole' | 1][] = [
    ['byte by byte', headBytes(lines), 1],
    [
      'with names and values in other letters',
      headBytes(
        lines
          .map((line, index) => (index < 2 ? line : line.toLowerCase().replace(/: websocket/, ': WebSocket')))
          .map((line) =>
            line.startsWith('sec-websocket-key') ? (lines[4] as string).replace('Key', 'KEY') : line,
          ),
      ),
      'whole',
    ],
    [
      'with more than one value in Connection',
      headBytes(withLine(lines, 'Connection', 'Connection: keep-alive, Upgrade')),
      'whole',
    ],
    [
      'with extensions that nobody knows',
      headBytes([...lines, 'Sec-WebSocket-Extensions: x-one, x-two; a; b="c, d"']),
      'whole',
    ],
    ['with a path and a query', headBytes([...requestLines('/?a=b&c=%20')]), 'whole'],
  ];
  for (const [name, request, cut] of taken) {
    itShakesHands(suite, `takes a request ${name}`, async (peer) => {
      await peer.send([request], cut);
      const answer = await readAnswer(peer);
      assert.equal(answer.headers.get('sec-websocket-extensions'), undefined);
      await run(peer, [{ send: [text('Hello')], back: [textBack('Hello')] }], open);
    });
  }
  itShakesHands(suite, 'takes frames that come with the request', async (peer) => {
    await peer.send([headBytes(lines), text('Hello'), ping('there')]);
    await readAnswer(peer);
    await run(peer, [{ send: [], back: [textBack('Hello'), pongBack('there')] }], open);
  });
  itShakesHands(suite, 'takes a close frame that comes with the request', async (peer) => {
    await peer.send([headBytes(lines), close(1001)]);
    await readAnswer(peer);
    await finish(peer, { type: 'closed', code: 1001 });
  });
  itShakesHands(suite, 'chooses among the subprotocols offered, or none', async (peer) => {
    await peer.send([headBytes([...lines, 'Sec-WebSocket-Protocol: one, two'])]);
    const answer = await readAnswer(peer);
    assert.ok([undefined, 'one', 'two'].includes(answer.headers.get('sec-websocket-protocol')));
    await finish(peer, open);
  });

  const wrong: [
    name: string,
    lines: readonly string[],
    statuses: readonly number[],
    check?: (answer: Head) => void,
  ][] = [
    ['a POST', lines.with(0, 'POST / HTTP/1.1'), [400, 405]],
    ['HTTP/1.0', lines.with(0, 'GET / HTTP/1.0'), [400, 426, 505]],
    ['no version', withLine(lines, 'Sec-WebSocket-Version', null), [400, 426]],
    [
      'version 12',
      withLine(lines, 'Sec-WebSocket-Version', 'Sec-WebSocket-Version: 12'),
      [400, 426],
      tellsVersion,
    ],
    [
      'a version that is no number',
      withLine(lines, 'Sec-WebSocket-Version', 'Sec-WebSocket-Version: 13, 8'),
      [400, 426],
      tellsVersion,
    ],
    ['no key', withLine(lines, 'Sec-WebSocket-Key', null), [400]],
    ['a short key', withLine(lines, 'Sec-WebSocket-Key', 'Sec-WebSocket-Key: c2hvcnQ='), [400]],
    [
      'a long key',
      withLine(lines, 'Sec-WebSocket-Key', `Sec-WebSocket-Key: ${Buffer.alloc(17).toString('base64')}`),
      [400],
    ],
    [
      'a key that is not base64',
      withLine(lines, 'Sec-WebSocket-Key', 'Sec-WebSocket-Key: !!!!!!!!!!!!!!!!!!!!!!=='),
      [400],
    ],
    ['two keys', [...lines, 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=='], [400]],
    ['another protocol to upgrade to', withLine(lines, 'Upgrade', 'Upgrade: h2c'), [400, 426]],
    [
      'nothing to upgrade to',
      [...withLine(withLine(lines, 'Upgrade', null), 'Connection', 'Connection: close')],
      [400, 426],
    ],
    ['100 KB of headers', [...lines, tooMuch], [431]],
  ];
  for (const [name, request, statuses, check] of wrong) {
    itShakesHands(suite, `refuses ${name}`, async (peer) => {
      await peer.send([headBytes(request)]);
      const answer = parseHead(await peer.readHead(true));
      const [, version, status] = /^HTTP\/(1\.[01]) (\d{3})/.exec(answer.startLine) ?? [];
      assert.ok(version !== undefined && statuses.includes(Number(status)), answer.startLine);
      check?.(answer);
      await peer.untilEnded();
      assert.equal(peer.closeError ?? null, null, 'the connection was reset');
      peer.end();
    });
  }
  itShakesHands(suite, 'refuses what is no HTTP', async (peer) => {
    await peer.send([
      Buffer.from('\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 'latin1'),
      Buffer.alloc(600, 'x'),
    ]);
    await peer.untilEnded();
    peer.end();
  });
  itShakesHands(suite, 'is left in the middle of a request', async (peer) => {
    await peer.send([headBytes(lines).subarray(0, 60)]);
    peer.end();
    await peer.untilEnded();
  });
  itShakesHands(suite, 'is reset behind a request', async (peer) => {
    await peer.send([headBytes(lines), text('Hello', { fin: false })]);
    await readAnswer(peer);
    peer.abort();
  });
}

/** RFC 6455, 4.4. */
function tellsVersion({ headers }: Head): void {
  assert.match(headers.get('sec-websocket-version') ?? '', /(^|,)\s*13\s*(,|$)/);
}

function clientSuite(suite: WebSocketSuite): void {
  type Answer = (request: Head) => Uint8Array;
  const answer =
    (change: (lines: string[]) => string[]): Answer =>
    (request) =>
      headBytes(change(answerLines(request)));
  const taken: [string, Answer, 'whole' | 1][] = [
    ['byte by byte', answer((lines) => lines), 1],
    [
      'with names and values in other letters',
      answer((lines) =>
        lines.map((line, index) => {
          const [name = '', value = ''] = line.split(': ');
          return index === 0 ? line : `${name.toUpperCase()}:${index === 3 ? value : value.toUpperCase()}  `;
        }),
      ),
      'whole',
    ],
    [
      'with other headers',
      answer((lines) => [...lines, 'Server: x', 'Set-Cookie: a=b', 'Set-Cookie: c=d', 'Empty:']),
      'whole',
    ],
    ['without a reason', answer((lines) => lines.with(0, 'HTTP/1.1 101 ')), 'whole'],
    [
      'after another that is provisional',
      (request) =>
        Buffer.concat([
          headBytes(['HTTP/1.1 103 Early Hints', 'Link: </>']),
          answer((lines) => lines)(request),
        ]),
      'whole',
    ],
  ];
  for (const [name, make, cut] of taken) {
    itShakesHands(suite, `takes an answer ${name}`, async (peer, opened) => {
      await peer.send([make(await readRequest(peer))], cut);
      await opened;
      await run(peer, [{ send: [text('Hello')], back: [textBack('Hello')] }], open);
    });
  }
  itShakesHands(suite, 'takes frames that come with the answer', async (peer, opened) => {
    const request = await readRequest(peer);
    await peer.send([headBytes(answerLines(request)), text('Hello'), ping('there')]);
    await opened;
    await run(peer, [{ send: [], back: [textBack('Hello'), pongBack('there')] }], open);
  });

  const wrong: [string, Answer][] = [
    ['200', answer((lines) => [...lines.with(0, 'HTTP/1.1 200 OK'), 'Content-Length: 0'])],
    [
      '404 with a body',
      () => Buffer.concat([headBytes(['HTTP/1.1 404 Not Found', 'Content-Length: 5']), Buffer.from('Where')]),
    ],
    [
      'a redirect',
      () => headBytes(['HTTP/1.1 302 Found', 'Location: ws://localhost:1/', 'Content-Length: 0']),
    ],
    ['no accept key', answer((lines) => withLine(lines, 'Sec-WebSocket-Accept', null))],
    [
      'the accept key of another request',
      answer((lines) =>
        withLine(lines, 'Sec-WebSocket-Accept', 'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo='),
      ),
    ],
    ['no Upgrade', answer((lines) => withLine(lines, 'Upgrade', null))],
    ['another Upgrade', answer((lines) => withLine(lines, 'Upgrade', 'Upgrade: h2c'))],
    ['a subprotocol that was not offered', answer((lines) => [...lines, 'Sec-WebSocket-Protocol: surprise'])],
    [
      'an extension that was not offered',
      answer((lines) => [...lines, 'Sec-WebSocket-Extensions: x-surprise']),
    ],
    [
      'compression that was not offered',
      answer((lines) => [...lines, 'Sec-WebSocket-Extensions: permessage-deflate']),
    ],
    ['100 KB of headers', answer((lines) => [...lines, tooMuch])],
    ['no HTTP', () => Buffer.from('SSH-2.0-OpenSSH_9.2p1\r\n\r\n')],
    ['a header without a name', answer((lines) => [...lines, ': nothing'])],
  ];
  for (const [name, make] of wrong) {
    itShakesHands(suite, `refuses ${name}`, async (peer, opened) => {
      await peer.send([make(await readRequest(peer))]);
      await assertRefused(opened);
      peer.end();
    });
  }
  itShakesHands(suite, 'refuses a stream that ends within the answer', async (peer, opened) => {
    const request = await readRequest(peer);
    await peer.send([headBytes(answerLines(request)).subarray(0, 50)]);
    peer.end();
    await assertRefused(opened);
  });
}

async function assertRefused(opened: Promise<unknown>): Promise<void> {
  const error = await opened.then(
    () => assert.fail('it takes the connection for open'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof Error);
}
