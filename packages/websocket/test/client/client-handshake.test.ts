/** The client's handshake without a connection: every split, every limit, and answers that are no good. */

import { byteByByte, concatenate, everySplitInTwo, Random, randomSplit } from '@iocp/testkit';
import { describe, expect, test } from 'vitest';
import { deflateSettings } from '../../src/deflate/settings.js';
import {
  ClientHandshake,
  type ClientHandshakeSettings,
  type HandshakeOutcome,
  type Upgraded,
} from '../../src/handshake/client-handshake.js';
import { HandshakeError } from '../../src/handshake/handshake-error.js';
import { headerFields } from '../../src/handshake/request-head.js';
import { headBytesMax } from '../../src/handshake/response-head.js';

/** The example of RFC 6455 section 1.3. */
const key = 'dGhlIHNhbXBsZSBub25jZQ==';
const accept = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';

function handshake(settings: Partial<ClientHandshakeSettings> = {}): ClientHandshake {
  return new ClientHandshake(
    {
      host: 'server.example.com',
      target: '/chat',
      headers: [],
      protocols: [],
      protocolRequired: true,
      deflate: null,
      followsRedirects: false,
      ...settings,
    },
    key,
  );
}

const good = [
  'HTTP/1.1 101 Switching Protocols',
  'Upgrade: websocket',
  'Connection: Upgrade',
  `Sec-WebSocket-Accept: ${accept}`,
];

function answer(lines: readonly string[] = good, body: Uint8Array | string = ''): Buffer {
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), Buffer.from(body as string)]);
}

/** `good` with one field replaced, added or, without a value, left out. */
function goodBut(field: string, value?: string): string[] {
  const others = good.filter((line) => !line.toLowerCase().startsWith(`${field.toLowerCase()}:`));
  return value === undefined ? others : [...others, `${field}: ${value}`];
}

/** Feeds bytes until there is an outcome; what is left of them is part of its head. */
function feed(subject: ClientHandshake, parts: readonly Uint8Array[]): HandshakeOutcome | null {
  for (const [index, part] of parts.entries()) {
    const outcome = subject.receive(part);
    if (outcome === null) continue;
    if (outcome.kind === 'redirected') return outcome;
    const head = concatenate([outcome.head, ...parts.slice(index + 1)]);
    return { ...outcome, head };
  }
  return null;
}

function open(bytes: Uint8Array, settings: Partial<ClientHandshakeSettings> = {}): Upgraded {
  const outcome = handshake(settings).receive(bytes);
  if (outcome?.kind !== 'upgraded') throw new Error('no WebSocket was opened');
  return outcome;
}

function failure(bytes: readonly Uint8Array[] | Uint8Array, settings: Partial<ClientHandshakeSettings> = {}) {
  const subject = handshake(settings);
  try {
    feed(subject, bytes instanceof Uint8Array ? [bytes] : bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(HandshakeError);
    expect((error as HandshakeError).code).toBe('ERR_WS_HANDSHAKE');
    return error as HandshakeError;
  }
  throw new Error('was taken');
}

describe('the request', () => {
  test('is that of RFC 6455', () => {
    expect(handshake().request.toString()).toBe(
      'GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
        `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    );
  });

  test('has protocols, extensions and further fields', () => {
    const text = handshake({
      protocols: ['chat', 'superchat'],
      deflate: deflateSettings(true),
      headers: [
        ['Origin', 'https://example.com'],
        ['X-Name', 'caf\xe9'],
      ],
    }).request.toString('latin1');
    expect(text).toContain('\r\nSec-WebSocket-Protocol: chat, superchat\r\n');
    expect(text).toContain('\r\nSec-WebSocket-Extensions: permessage-deflate');
    expect(text).toContain('\r\nOrigin: https://example.com\r\nX-Name: caf\xe9\r\n\r\n');
  });

  test('has one field Host', () => {
    const text = handshake({ headers: [['host', 'other.example']] }).request.toString();
    expect(text.match(/host:/gi)).toEqual(['host:']);
    expect(text).toContain('host: other.example');
  });

  test('has a new key each time', () => {
    const settings = {
      host: 'h',
      target: '/',
      headers: [],
      protocols: [],
      protocolRequired: true,
      deflate: null,
    };
    const keys = [1, 2].map(() => {
      const text = new ClientHandshake({ ...settings, followsRedirects: false }).request.toString();
      return /Key: (.*)\r\n/.exec(text)?.[1] as string;
    });
    expect(keys[0]).not.toBe(keys[1]);
    expect(Buffer.from(keys[0] as string, 'base64')).toHaveLength(16);
  });
});

describe('header fields', () => {
  test.each([
    [{ a: '1', b: ['2', '3'], c: undefined }],
    [new Map([['a', '1']]).set('b', '2')],
    [new Headers({ a: '1', b: '2' })],
  ])('are taken from %o', (given) => {
    const fields = headerFields(given, 'headers');
    expect(fields.slice(0, 2)).toEqual([
      ['a', '1'],
      ['b', '2'],
    ]);
  });

  test.each([
    [{ 'a b': '1' }, 'ERR_INVALID_ARG_VALUE'],
    [{ '': '1' }, 'ERR_INVALID_ARG_VALUE'],
    [{ a: '1\r\nb: 2' }, 'ERR_INVALID_ARG_VALUE'],
    [{ a: '\0' }, 'ERR_INVALID_ARG_VALUE'],
    [{ a: '\u20ac' }, 'ERR_INVALID_ARG_VALUE'],
    [{ Connection: 'close' }, 'ERR_INVALID_ARG_VALUE'],
    [{ 'sec-websocket-KEY': 'x' }, 'ERR_INVALID_ARG_VALUE'],
    [{ a: 1 as never }, 'ERR_INVALID_ARG_TYPE'],
    ['a: 1' as never, 'ERR_INVALID_ARG_TYPE'],
  ])('%o are refused', (given, code) => {
    expect(() => headerFields(given, 'headers')).toThrow(expect.objectContaining({ code }));
  });
});

describe('an answer that opens', () => {
  const head = new Uint8Array([0x81, 1, 0x41, 0x81, 0]);
  const whole = answer([...good, 'X-More:  \tof this \t', 'Sec-WebSocket-Protocol: chat'], head);
  const settings = { protocols: ['chat'] };
  const expected = {
    kind: 'upgraded',
    protocol: 'chat',
    extensions: '',
    deflate: null,
    head: Uint8Array.from(head),
  };

  test('is taken, with what comes behind', () => {
    const outcome = open(whole, settings);
    expect({ ...outcome, head: Uint8Array.from(outcome.head) }).toMatchObject(expected);
    expect(outcome.response).toMatchObject({
      statusCode: 101,
      statusMessage: 'Switching Protocols',
      minorVersion: 1,
    });
    expect(outcome.response.headers['x-more']).toBe('of this');
  });

  test('however it is cut', () => {
    const random = new Random(1);
    const cuts = [
      byteByByte(whole),
      ...everySplitInTwo(whole),
      ...Array.from({ length: 100 }, () => randomSplit(whole, random)),
    ];
    for (const parts of cuts) {
      const scratch = parts.map((part) => Buffer.from(part));
      expect(feed(handshake(settings), scratch)).toMatchObject(expected);
    }
  });

  test('from memory that is used again', () => {
    const subject = handshake(settings);
    const slot = Buffer.alloc(7);
    for (let at = 0; at < whole.byteLength - head.byteLength; at += 7) {
      const length = whole.copy(slot, 0, at, at + 7);
      const outcome = subject.receive(slot.subarray(0, length));
      slot.fill(0xff, 0, 7);
      if (outcome !== null) return expect(outcome).toMatchObject({ protocol: 'chat' });
    }
    throw new Error('no outcome');
  });

  test('behind informational ones', () => {
    const before = answer(['HTTP/1.1 100 Continue']);
    const hints = answer(['HTTP/1.1 103 Early Hints', 'Link: </style.css>']);
    for (const parts of [[concatenate([before, hints, whole])], [before, hints, whole]]) {
      expect(feed(handshake(settings), parts)).toMatchObject(expected);
      expect(feed(handshake(settings), byteByByte(concatenate(parts)))).toMatchObject(expected);
    }
  });

  test.each([
    goodBut('Upgrade', 'WebSocket'),
    goodBut('Connection', 'keep-alive, upgrade'),
    ['HTTP/1.1 101', ...good.slice(1)],
    ['HTTP/1.1 101 ', ...good.slice(1)],
    [...good, 'Empty:'],
    goodBut('sec-websocket-accept', accept),
  ])('is one also with %s', (...lines) => {
    expect(open(answer(lines)).protocol).toBe('');
  });

  test('with compression', () => {
    const header = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover';
    const opened = open(answer([...good, `Sec-WebSocket-Extensions: ${header}`]), {
      deflate: deflateSettings(true),
    });
    expect(opened.extensions).toBe(header);
    expect(opened.deflate).toMatchObject({ contextTakeover: false, peerContextTakeover: false });
    expect(open(answer(), { deflate: deflateSettings(true) }).deflate).toBeNull();
  });

  test('without a subprotocol where none is required', () => {
    expect(open(answer(), { protocols: ['chat'], protocolRequired: false }).protocol).toBe('');
  });
});

describe('an answer that is wrong', () => {
  test.each<[string, readonly string[], Partial<ClientHandshakeSettings>?]>([
    ['has no Upgrade', goodBut('Upgrade')],
    ['upgrades to something else', goodBut('Upgrade', 'h2c')],
    ['upgrades to a list', goodBut('Upgrade', 'websocket, h2c')],
    ['has no Connection', goodBut('Connection')],
    ['has another Connection', goodBut('Connection', 'keep-alive')],
    ['has no accept key', goodBut('Sec-WebSocket-Accept')],
    ['has a wrong accept key', goodBut('Sec-WebSocket-Accept', accept.toLowerCase())],
    ['has the accept key twice', [...good, `Sec-WebSocket-Accept: ${accept}`]],
    ['is HTTP/1.0', ['HTTP/1.0 101 Switching Protocols', ...good.slice(1)]],
    ['chooses a subprotocol of its own', [...good, 'Sec-WebSocket-Protocol: other'], { protocols: ['chat'] }],
    ['chooses one though none was offered', [...good, 'Sec-WebSocket-Protocol: chat']],
    ['chooses two', [...good, 'Sec-WebSocket-Protocol: a, b'], { protocols: ['a', 'b'] }],
    ['chooses one twice', [...good, ...Array(2).fill('Sec-WebSocket-Protocol: a')], { protocols: ['a'] }],
    ['chooses none', good, { protocols: ['chat'] }],
    ['has extensions nobody offered', [...good, 'Sec-WebSocket-Extensions: permessage-deflate']],
    [
      'has other extensions',
      [...good, 'Sec-WebSocket-Extensions: x-webkit-deflate-frame'],
      { deflate: deflateSettings(true) },
    ],
    [
      'has extensions without grammar',
      [...good, 'Sec-WebSocket-Extensions: ;;'],
      { deflate: deflateSettings(true) },
    ],
  ])('%s', (_, lines, settings) => {
    expect(failure(answer(lines), settings)).toMatchObject({ statusCode: 101 });
    expect(failure(byteByByte(answer(lines)), settings).message).toBe(
      failure(answer(lines), settings).message,
    );
  });
});

describe('what is no answer of HTTP/1.1', () => {
  test.each([
    ['SSH-2.0-OpenSSH_9.2\r\n'],
    ['\x15\x03\x01\x00\x02\x02\x46'],
    ['HTTP/2 101\r\n\r\n'],
    ['HTTP/1.2 101 x\r\n\r\n'],
    ['HTTP/1.1 1001 x\r\n\r\n'],
    ['HTTP/1.1  101 x\r\n\r\n'],
    ['HTTP/1.1 099 x\r\n\r\n'],
    ['http/1.1 101 x\r\n\r\n'],
    ['HTTP/1.1 101 a\0b\r\n\r\n'],
    [' HTTP/1.1 101 x\r\n\r\n'],
    ['\r\nHTTP/1.1 101 x\r\n\r\n'],
    ['HTTP/1.1 101 x\nUpgrade: websocket\r\n\r\n'],
    ['HTTP/1.1 101 x\r\nUpgrade websocket\r\n\r\n'],
    ['HTTP/1.1 101 x\r\nUpgrade : websocket\r\n\r\n'],
    ['HTTP/1.1 101 x\r\n: websocket\r\n\r\n'],
    ['HTTP/1.1 101 x\r\nA: b\r\n folded\r\n\r\n'],
    ['HTTP/1.1 101 x\r\nA: b\r\n\tfolded: c\r\n\r\n'],
    ['HTTP/1.1 101 x\r\nA: b\rc\r\n\r\n'],
    ['HTTP/1.1 101 x\r\nA: b\nC: d\r\n\r\n'],
    ['HTTP/1.1 101 x\r\nA: \x7f\r\n\r\n'],
  ])('%j is refused', (text) => {
    const bytes = Buffer.from(text, 'latin1');
    expect(failure(bytes)).toMatchObject({ statusCode: undefined, headers: {} });
    failure(byteByByte(bytes));
  });

  test('is refused at the first byte that does not fit', () => {
    failure(Buffer.from('HTTX'));
    expect(() => handshake().receive(Buffer.from('HTTP/1.'))).not.toThrow();
  });
});

describe('the length of the head', () => {
  /** A head of this many bytes. */
  const headOf = (bytes: number) => {
    const padding = bytes - answer([...good, 'X: ']).byteLength;
    return answer([...good, `X: ${'x'.repeat(padding)}`]);
  };

  test(`may be ${headBytesMax}`, () => {
    expect(headOf(headBytesMax)).toHaveLength(headBytesMax);
    expect(open(headOf(headBytesMax)).kind).toBe('upgraded');
    expect(feed(handshake(), byteByByte(headOf(headBytesMax)))).toMatchObject({ kind: 'upgraded' });
  });

  test('may not be more', () => {
    failure(headOf(headBytesMax + 1));
    failure(byteByByte(headOf(headBytesMax + 1)));
    failure(headOf(headBytesMax + 1).subarray(0, headBytesMax));
    failure(headOf(100_000));
    failure(randomSplit(headOf(100_000), new Random(2), { partBytesMax: 5000 }));
  });

  test('counts informational answers, too', () => {
    const hint = answer(['HTTP/1.1 103 Early Hints', `X: ${'x'.repeat(1000)}`]);
    const endless = Array.from({ length: 20 }, () => hint);
    failure(endless);
    failure(concatenate(endless));
  });
});

describe('a refusal', () => {
  test.each<[string, string[], Uint8Array | string, string]>([
    ['with a length', ['Content-Length: 5'], 'wrongmore', 'wrong'],
    ['in chunks', ['Transfer-Encoding: chunked'], '3\r\nwro\r\n2;ext=1\r\nng\r\n0\r\n\r\n', 'wrong'],
    ['without a body', ['Content-Length: 0'], '', ''],
    ['with a length that is no number', ['Content-Length: 5, 5'], '12345', ''],
    ['in chunks that are none', ['Transfer-Encoding: chunked'], 'xyz\r\n', ''],
    ['in chunks with an endless line', ['Transfer-Encoding: chunked'], `3;${'x'.repeat(5000)}`, ''],
  ])('%s', (_, fields, body, text) => {
    const whole = answer(['HTTP/1.1 403 Forbidden', 'X-Why: because', ...fields], body);
    for (const parts of [[whole], byteByByte(whole), ...everySplitInTwo(whole)]) {
      const error = failure(parts);
      expect(error).toMatchObject({ statusCode: 403, headers: { 'x-why': 'because' } });
      expect(error.body.toString()).toBe(text);
      expect(error.message).toContain('403 Forbidden');
    }
  });

  test('is told with what has come when the stream ends', () => {
    const subject = handshake();
    expect(subject.ended().message).toContain('without an answer');
    expect(subject.refusal).toBeNull();
    subject.receive(Buffer.from('HTTP/1.1 500 '));
    expect(subject.ended().message).toContain('in the middle');
    subject.receive(Buffer.from('Oops\r\n\r\nit '));
    expect(subject.refusal?.body.toString()).toBe('it ');
    subject.receive(Buffer.from('broke'));
    expect(subject.ended()).toMatchObject({ statusCode: 500 });
    expect(subject.ended().body.toString()).toBe('it broke');
  });

  test.each(['HTTP/1.1 204 No Content', 'HTTP/1.1 304 Not Modified'])('%s has no body', (line) => {
    expect(failure(answer([line])).body).toHaveLength(0);
  });

  test('brings 64 KiB of its body, and is not waited for any longer', () => {
    const body = 'y'.repeat(64 * 1024);
    const lines = ['HTTP/1.1 404 Not Found'];
    expect(handshake().receive(answer(lines, body.slice(1)))).toBeNull();
    expect(failure(answer(lines, body)).body).toHaveLength(64 * 1024);
    expect(failure(answer([...lines, 'Content-Length: 100000'], `${body}yy`)).body).toHaveLength(64 * 1024);
  });

  test('is also an answer of HTTP/1.0, and 200', () => {
    expect(failure(answer(['HTTP/1.0 200 OK', 'Content-Length: 0'])).statusCode).toBe(200);
  });
});

describe('a redirect', () => {
  const lines = ['HTTP/1.1 302 Found', 'Location: wss://elsewhere.example/'];

  test('is an outcome for those who follow it', () => {
    for (const status of [301, 302, 303, 307, 308]) {
      const bytes = answer([`HTTP/1.1 ${status} Away`, ...lines.slice(1)]);
      const outcome = feed(handshake({ followsRedirects: true }), byteByByte(bytes));
      expect(outcome).toMatchObject({ kind: 'redirected', location: 'wss://elsewhere.example/' });
    }
  });

  test('is a refusal for others, as are other answers with a location', () => {
    expect(failure(answer([...lines, 'Content-Length: 0'])).statusCode).toBe(302);
    const created = answer(['HTTP/1.1 201 Created', ...lines.slice(1), 'Content-Length: 0']);
    expect(failure(created, { followsRedirects: true }).statusCode).toBe(201);
    const nowhere = answer([...lines.slice(0, 1), 'Content-Length: 0']);
    expect(failure(nowhere, { followsRedirects: true }).statusCode).toBe(302);
  });
});

test('rubbish never gets through, and every error is one of ours', () => {
  const random = new Random(3);
  for (let round = 0; round < 2000; round++) {
    const bytes = answer();
    for (let count = random.integer(1, 4); count > 0; count--) {
      bytes[random.integer(0, bytes.byteLength - 1)] = random.integer(0, 255);
    }
    const one = outcomeOf([bytes]);
    expect(outcomeOf(randomSplit(bytes, random))).toBe(one);
  }
});

function outcomeOf(parts: readonly Uint8Array[]): string {
  const subject = handshake();
  try {
    const outcome = feed(subject, parts);
    return outcome === null ? subject.ended().message : outcome.kind;
  } catch (error) {
    expect(error).toBeInstanceOf(HandshakeError);
    return (error as Error).message;
  }
}
