/** Sessions of the addon by themselves: what hostile bytes, small memory and calls at the wrong time do to them. */

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { type TestCertificates, testCertificates, withSeed } from '@iocp/testkit';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { readSecureContextOptions } from '../src/context/secure-context-options.js';
import { loadAddon, words } from '../src/engine/native/addon.js';
import {
  type ClientHello,
  type NativeContext,
  type NativeSession,
  type NativeSessionOptions,
  Status,
  Word,
} from '../src/engine/native/binding.js';
import { nativeContextOptions } from '../src/engine/native/native-context.js';
import { contextOf } from './support/engine-pair.js';
import { addonPath, NativePairs, sessionDefaults } from './support/native-sessions.js';

const pairs = new NativePairs();
const sessions: NativeSession[] = [];
let certificates: TestCertificates;
let serverContext: NativeContext;
let clientContext: NativeContext;

beforeAll(async () => {
  certificates = await testCertificates();
  const { ca, server } = certificates;
  serverContext = contextOf({ cert: server.cert, key: server.key }).forNative();
  clientContext = contextOf({ ca: ca.cert }).forNative();
});

afterEach(() => {
  pairs.free();
  for (const session of sessions.splice(0)) session.free();
  expect(loadAddon().counts().sessions).toBe(0);
});

const is = (bit: Status): boolean => ((words[Word.STATUS] as number) & bit) !== 0;

function serverAtHello(options: Partial<NativeSessionOptions> = {}): NativeSession {
  const session = loadAddon().createSession(serverContext, {
    ...sessionDefaults,
    server: true,
    stopAtHello: true,
    ...options,
  });
  sessions.push(session);
  return session;
}

/** A length of `lengthBytes` before it (RFC 8446 section 3.4). */
function vector(lengthBytes: number, content: Uint8Array): Buffer {
  const length = Buffer.alloc(lengthBytes);
  length.writeUIntBE(content.length, 0, lengthBytes);
  return Buffer.concat([length, content]);
}

const serverName = 0;
const statusRequest = 5;
const applicationLayerProtocols = 16;

/** What every ClientHello of TLS 1.2 needs: groups and signature algorithms. */
const usualExtensions: readonly (readonly [type: number, content: Buffer])[] = [
  [10, vector(2, Buffer.of(0, 0x17))],
  [13, vector(2, Buffer.of(4, 3))],
];

function clientHello(extensions: readonly (readonly [type: number, content: Uint8Array])[]): Buffer {
  const list = [...extensions, ...usualExtensions].map(([type, content]) =>
    Buffer.concat([Buffer.of(type >> 8, type & 0xff), vector(2, content)]),
  );
  const hello = Buffer.concat([
    Buffer.of(3, 3),
    Buffer.alloc(32, 7),
    vector(1, Buffer.from('a session id')),
    vector(2, Buffer.of(0xc0, 0x2b)),
    vector(1, Buffer.of(0)),
    vector(2, Buffer.concat(list)),
  ]);
  const message = Buffer.concat([Buffer.of(1), vector(3, hello)]);
  return Buffer.concat([Buffer.of(22, 3, 1), vector(2, message)]);
}

const block = Buffer.alloc(16_384);

function hear(extensions: readonly (readonly [type: number, content: Uint8Array])[]): ClientHello {
  const session = serverAtHello();
  session.receive(clientHello(extensions), 0, block);
  expect(is(Status.HELLO)).toBe(true);
  const hello = session.clientHello();
  session.continueHello({});
  session.receive(Buffer.alloc(0), 0, block);
  expect(is(Status.HELLO)).toBe(false);
  return hello;
}

const hostName = (name: string | Uint8Array) =>
  vector(2, Buffer.concat([Buffer.of(0), vector(2, Buffer.from(name))]));
const protocolNames = (...names: string[]) =>
  vector(2, Buffer.concat(names.map((name) => vector(1, Buffer.from(name, 'latin1')))));

describe('the ClientHello', () => {
  test('tells what it asks for', () => {
    expect(
      hear([
        [serverName, hostName('WWW.Example.COM')],
        [applicationLayerProtocols, protocolNames('h2', 'http/1.1', '\xff\0')],
        [statusRequest, Buffer.of(1, 0, 0, 0, 0)],
      ]),
    ).toEqual({
      servername: 'www.example.com',
      protocols: ['h2', 'http/1.1', '\xff\0'],
      wantsOcsp: true,
      sessionId: Buffer.from('a session id'),
    });
  });

  test('asks for nothing that it does not name', () => {
    expect(hear([])).toMatchObject({ servername: undefined, protocols: [], wantsOcsp: false });
  });

  test.each<[string, number, Buffer]>([
    ['a name that is cut', serverName, hostName('example.com').subarray(0, 8)],
    ['a name of no length', serverName, hostName('')],
    ['a name with a zero in it', serverName, hostName('exam\0ple.com')],
    ['a name that is too long', serverName, hostName('a'.repeat(256))],
    ['a name of another kind', serverName, vector(2, Buffer.of(1, 0, 1, 97))],
    ['two names', serverName, vector(2, Buffer.of(0, 0, 1, 97, 0, 0, 1, 98))],
    ['something behind the names', serverName, Buffer.concat([hostName('a'), Buffer.of(0)])],
    ['an empty list of names', serverName, Buffer.of(0, 0)],
    ['nothing where names should be', serverName, Buffer.alloc(0)],
    ['a protocol that is cut', applicationLayerProtocols, vector(2, Buffer.of(5, 97))],
    ['a protocol of no length', applicationLayerProtocols, vector(2, Buffer.of(1, 97, 0))],
    ['half a length', applicationLayerProtocols, Buffer.of(0)],
    ['more protocols than there are', applicationLayerProtocols, Buffer.of(0, 9, 1, 97)],
    ['something behind the protocols', applicationLayerProtocols, Buffer.of(0, 2, 1, 97, 0)],
    ['a status of another kind', statusRequest, Buffer.of(2, 0, 0, 0, 0)],
    ['nothing where a status should be', statusRequest, Buffer.alloc(0)],
  ])('passes over %s', (_what, type, content) => {
    expect(hear([[type, content]])).toMatchObject({ servername: undefined, protocols: [], wantsOcsp: false });
  });

  test('of any bytes does no harm', async () => {
    await withSeed(async (random) => {
      const good = clientHello([
        [serverName, hostName('example.com')],
        [applicationLayerProtocols, protocolNames('h2', 'http/1.1')],
        [statusRequest, Buffer.of(1, 0, 0, 0, 0)],
      ]);
      for (let round = 0; round < 3000; round++) {
        const bytes = Buffer.from(good);
        for (let changes = random.integer(1, 4); changes > 0; changes--) {
          bytes[random.integer(5, bytes.length - 1)] = random.integer(0, 255);
        }
        const session = serverAtHello();
        session.receive(bytes, 0, block);
        if (is(Status.HELLO)) {
          expect(session.clientHello().protocols.every((name) => name.length > 0)).toBe(true);
          session.continueHello({});
          session.receive(Buffer.alloc(0), 0, block);
        }
        expect(is(Status.HANDSHAKEN)).toBe(false);
        session.free();
      }
    });
  });

  test('is asked for only while it waits', () => {
    const session = serverAtHello();
    expect(() => session.clientHello()).toThrow('No ClientHello waits');
    session.receive(clientHello([]), 0, block);
    session.continueHello({});
    expect(() => session.clientHello()).toThrow('No ClientHello waits');
  });

  test('keeps what comes behind it waiting', () => {
    const session = serverAtHello();
    session.receive(clientHello([]), 0, block);
    session.receive(Buffer.from('anything'), 0, block);
    expect(words[Word.CONSUMED]).toBe(0);
    expect(is(Status.HELLO)).toBe(true);
  });

  test('asks for the same name after a HelloRetryRequest', () => {
    const { ca, server } = certificates;
    const session = loadAddon().createSession(
      contextOf({ cert: server.cert, key: server.key, ecdhCurve: 'P-384' }).forNative(),
      { ...sessionDefaults, server: true, stopAtHello: true },
    );
    const client = loadAddon().createSession(
      contextOf({ ca: ca.cert, ecdhCurve: 'P-256:P-384' }).forNative(),
      {
        ...sessionDefaults,
        servername: 'localhost',
      },
    );
    sessions.push(session, client);
    client.start();
    session.receive(spilledBy(client), 0, block);
    session.continueHello({});
    session.receive(Buffer.alloc(0), 0, block);
    client.receive(spilledBy(session), 0, block);
    const second = spilledBy(client);
    const at = second.indexOf('localhost');
    expect(at).toBeGreaterThan(0);
    second.write('elsewhere', at);
    session.receive(second, 0, block);
    expect(session.takeError().code).toBe('ERR_SSL_CALLBACK_FAILED');
    client.receive(spilledBy(session), 0, block);
    expect(client.takeError().code).toMatch(/ALERT_ILLEGAL_PARAMETER$/);
  });
});

function spilledBy(session: NativeSession): Buffer {
  const output = Buffer.alloc(32_768);
  session.takeOutput(output, 0);
  return output.subarray(0, words[Word.OUTPUT]);
}

describe('memory', () => {
  test('of any size takes plain text piece by piece', () => {
    const { client, server } = pairs.connect(clientContext, serverContext);
    const records = client.send('0123456789'.repeat(1000));
    const small = Buffer.alloc(333);
    const pieces: Buffer[] = [];
    let offset = 0;
    do {
      server.session.receive(records, offset, small);
      offset += words[Word.CONSUMED] as number;
      pieces.push(Buffer.from(small.subarray(0, words[Word.PLAIN])));
    } while (is(Status.MORE));
    expect(offset).toBe(records.length);
    expect(Buffer.concat(pieces).toString()).toBe('0123456789'.repeat(1000));
  });

  test('that is full gets no record that does not fit, and the rest of one that was begun later', () => {
    const { client, server } = pairs.connect(clientContext, serverContext);
    const plain = Buffer.alloc(40_000, 'a');
    const output = Buffer.alloc(20_000);
    const records: Buffer[] = [];
    let offset = 0;
    while (offset < plain.length) {
      client.session.send(plain, offset, output, 7);
      offset += words[Word.CONSUMED] as number;
      records.push(Buffer.from(output.subarray(7, words[Word.OUTPUT])));
    }
    // One record at a time where only one fits; whole, so nothing was spilled.
    expect(records).toHaveLength(3);
    expect(words[Word.SPILLED]).toBe(0);

    client.session.send(Buffer.from('some more'), 0, output.subarray(0, 10), 0);
    expect(words[Word.OUTPUT]).toBe(10);
    const spilled = words[Word.SPILLED] as number;
    expect(spilled).toBeGreaterThan(0);
    records.push(Buffer.from(output.subarray(0, 10)));
    for (let left = spilled; left > 0; left = words[Word.SPILLED] as number) {
      client.session.takeOutput(output.subarray(0, 13), 5);
      records.push(Buffer.from(output.subarray(5, words[Word.OUTPUT])));
    }
    server.plain = Buffer.alloc(0);
    server.receive(Buffer.concat(records));
    expect(server.plain.toString()).toBe(`${'a'.repeat(40_000)}some more`);
  });

  test('that is not a Uint8Array of the right length is refused', () => {
    const { session } = pairs.connect(clientContext, serverContext).client;
    const bytes = Buffer.alloc(10);
    const wrong: readonly (() => void)[] = [
      () => session.receive('text' as unknown as Buffer, 0, bytes),
      () => session.receive(bytes, 11, bytes),
      () => session.receive(bytes, -1, bytes),
      () => session.receive(bytes, 0, undefined as unknown as Buffer),
      () => session.send(bytes, 0, bytes, 11),
      () => session.takeOutput(bytes, 11),
      () => session.receive.call({} as NativeSession, bytes, 0, bytes),
    ];
    for (const call of wrong) expect(call).toThrow(TypeError);
  });
});

describe('a session', () => {
  test('sends nothing before its handshake is done', () => {
    const session = serverAtHello({ stopAtHello: false });
    session.send(Buffer.from('too early'), 0, block, 0);
    expect([words[Word.CONSUMED], words[Word.OUTPUT], words[Word.STATUS]]).toEqual([0, 0, 0]);
    session.end();
    expect(words[Word.SPILLED]).toBe(0);
  });

  test('that has failed stays so, and swallows what comes', () => {
    const session = serverAtHello();
    session.receive(Buffer.from('GET / HTTP/1.1\r\n\r\n'), 0, block);
    expect(is(Status.FAILED)).toBe(true);
    expect(session.takeError()).toMatchObject({ code: 'ERR_SSL_HTTP_REQUEST', reason: 'http request' });
    session.receive(Buffer.from('more'), 0, block);
    expect(words[Word.CONSUMED]).toBe(4);
    session.send(Buffer.from('more'), 0, block, 0);
    expect(words[Word.OUTPUT]).toBe(0);
    expect(session.takeError().code).toBe('ERR_SSL_HTTP_REQUEST');
  });

  test('that was freed does nothing any more', () => {
    const { client } = pairs.connect(clientContext, serverContext);
    const { session } = client;
    session.free();
    session.free();
    const bytes = Buffer.alloc(1);
    const calls = [
      () => session.start(),
      () => session.receive(bytes, 0, bytes),
      () => session.send(bytes, 0, bytes, 0),
      () => session.end(),
      () => session.takeOutput(bytes, 0),
      () => session.clientHello(),
      () => session.continueHello({}),
      () => session.takeError(),
      () => session.takeSessions(),
      () => session.takeKeylog(),
      () => session.exportKeyingMaterial(1, 'label', undefined),
    ];
    for (const call of calls) {
      expect(call).toThrow(expect.objectContaining({ code: 'ERR_TLS_FREED' }));
    }
  });

  test('is asked before its handshake, and says that it does not know', () => {
    const session = serverAtHello();
    expect({
      protocol: session.protocol(),
      cipher: session.cipher(),
      alpnProtocol: session.alpnProtocol(),
      servername: session.servername(),
      sessionReused: session.sessionReused(),
      verification: session.verification(),
      peerCertificates: session.peerCertificates(),
      session: session.session(),
      ticket: session.ticket(),
      ephemeralKey: session.ephemeralKey(),
      sharedSigalgs: session.sharedSigalgs(),
      finished: session.finished(),
      peerFinished: session.peerFinished(),
      ocspResponse: session.ocspResponse(),
    }).toEqual({
      protocol: null,
      cipher: null,
      alpnProtocol: null,
      servername: null,
      sessionReused: false,
      verification: null,
      peerCertificates: [],
      session: undefined,
      ticket: undefined,
      ephemeralKey: null,
      sharedSigalgs: [],
      finished: undefined,
      peerFinished: undefined,
      ocspResponse: undefined,
    });
    expect(() => session.exportKeyingMaterial(16, 'label', undefined)).toThrow();
    expect(() => session.takeError()).toThrow('has not failed');
  });
});

describe('a server takes the protection of records over from OpenSSL', () => {
  test.each([
    ['TLS 1.3', {}, true],
    ['TLS 1.2', { maxVersion: 'TLSv1.2' } as const, false],
  ])('%s', (_version, options, expected) => {
    const { cert, key } = certificates.server;
    const context = contextOf({ cert, key, ...options }).forNative();
    const { client, server } = pairs.connect(clientContext, context);
    for (let round = 0; round < 20; round++) {
      if (round < 5) expect(server.session.protectsRecords()).toBe(false);
      client.receive(server.send(`to the client ${round}`));
      server.receive(client.send(`to the server ${round}`));
    }
    expect(server.session.protectsRecords()).toBe(expected);
    expect(client.session.protectsRecords()).toBe(false);
    expect(server.plain.toString()).toMatch(/to the server 19$/);
    expect(client.plain.toString()).toMatch(/to the client 19$/);
  });
});

test('a thread has its own sessions, and leaves those of others alone when it ends', async () => {
  const { client, server } = pairs.connect(clientContext, serverContext);
  const worker = new Worker(
    `const { parentPort, workerData: { path, context, options } } = require('node:worker_threads');
    const addon = require(path);
    const words = new Int32Array(8);
    addon.setWords(words);
    addon.setRoots([]);
    const made = addon.createContext(context);
    const [client, server] = [false, true].map((server) => addon.createSession(made, { ...options, server }));
    client.start();
    const hello = Buffer.alloc(words[4]);
    client.takeOutput(hello, 0);
    server.receive(hello, 0, hello);
    globalThis.sessions = [client, server];
    addon.createSession(made, options).free();
    parentPort.postMessage(addon.counts());
    setInterval(() => {}, 1000);`,
    {
      eval: true,
      workerData: {
        path: addonPath(),
        context: nativeContextOptions(readSecureContextOptions(certificates.server)),
        options: sessionDefaults,
      },
    },
  );
  const [counts] = await once(worker, 'message');
  expect(counts).toEqual({ contexts: 1, sessions: 2 });
  await worker.terminate();
  server.plain = Buffer.alloc(0);
  server.receive(client.send('still here'));
  expect(server.plain.toString()).toBe('still here');
});
