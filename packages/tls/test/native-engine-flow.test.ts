/** The native engine: where its bytes lie, calls from inside its events, and peers of `node:tls`. */

import { once } from 'node:events';
import * as tls from 'node:tls';
import { type TestCertificates, testCertificates } from '@iocp/testkit';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { SecureContext } from '../src/context/secure-context.js';
import { loadAddon } from '../src/engine/native/addon.js';
import { createNativeEngine } from '../src/engine/native/native-engine.js';
import type { HandshakeSettings } from '../src/options/handshake-settings.js';
import { CountedMemory, contextOf, EngineEnd, EnginePair, streamTo } from './support/engine-pair.js';

let certificates: TestCertificates;
let clientContext: SecureContext;
let serverContext: SecureContext;
let ends: EngineEnd[] = [];

beforeAll(async () => {
  certificates = await testCertificates();
  const { ca, server } = certificates;
  clientContext = contextOf({ ca: ca.cert });
  serverContext = contextOf({ cert: server.cert, key: server.key });
});

afterEach(() => {
  for (const { engine } of ends) engine.destroy();
  ends = [];
  expect(loadAddon().counts().sessions).toBe(0);
});

function connected(memory: CountedMemory | null = null): EnginePair {
  const pair = new EnginePair(
    createNativeEngine,
    { context: clientContext, memory },
    { context: serverContext, memory },
  );
  ends.push(pair.client, pair.server);
  return pair.start().exchange();
}

describe('memory', () => {
  test.each([
    ['of the channel below', new CountedMemory(4)],
    ['of the channel below, in small blocks', new CountedMemory(4, 100)],
    ['of which there is too little', new CountedMemory(1)],
    ['of which there is none to spare', new CountedMemory(0)],
    ['of our own', null],
  ])('%s carries texts of every length, and comes back', (_what, memory) => {
    const pair = connected(memory);
    for (const length of [1, 100, 4096, 4097, 16_383, 16_384, 16_385, 70_000, 300_000]) {
      const text = Buffer.alloc(length, `${length} `);
      pair.client.send(text);
      pair.exchange();
      expect(Buffer.concat(pair.server.received.splice(0)).equals(text)).toBe(true);
    }
    pair.client.end();
    pair.server.end();
    pair.exchange();
    expect(pair.client.events.slice(-3)).toEqual(['sent', 'ended', 'end']);
    expect(memory?.taken ?? 0).toBe(0);
  });

  test('of our own is never used twice, for a receiver may keep it', () => {
    const { client, server } = connected();
    const kept: Uint8Array[] = [];
    server.whenData = (plain) => kept.push(plain);
    const texts = ['a', 'b', 'c'.repeat(5000), 'd'.repeat(5000)];
    for (const text of texts) {
      client.send(text);
      server.engine.receive(client.takeOutput());
    }
    expect(kept.map((bytes) => Buffer.from(bytes).toString())).toEqual(texts);
  });
});

describe('an event', () => {
  test('may send, and what it sends comes in order', () => {
    const pair = connected();
    pair.server.whenData = (plain) => {
      const text = Buffer.from(plain).toString();
      pair.server.send(`<${text}`);
      pair.server.send(`${text}>`);
    };
    for (const text of ['a', 'b', 'c']) pair.client.send(text);
    pair.exchange();
    expect(pair.client.plain).toBe('<abcabc>');
  });

  test('of output may send, behind what is being sent', () => {
    const pair = connected(new CountedMemory(8, 1000));
    let more = 3;
    pair.client.whenOutput = () => {
      if (more-- > 0) pair.client.send(`[${more}]`);
    };
    pair.client.send('x'.repeat(50_000));
    pair.exchange();
    expect(pair.server.plain).toBe(`${'x'.repeat(50_000)}[2][1][0]`);
    expect(pair.client.events.filter((name) => name === 'sent')).toHaveLength(4);
  });

  test('of output may end, behind what is being sent', () => {
    const pair = connected(new CountedMemory(8, 1000));
    pair.client.whenOutput = () => pair.client.end();
    pair.client.send('x'.repeat(50_000));
    pair.exchange();
    expect(pair.server.plain).toBe('x'.repeat(50_000));
    expect(pair.server.events.at(-1)).toBe('end');
  });

  test('of data may be given more input, which comes behind', () => {
    const pair = connected();
    const records = ['a', 'b', 'c'].map((text) => {
      pair.client.send(text);
      return pair.client.takeOutput();
    });
    pair.server.whenData = () => {
      const next = records.shift();
      if (next !== undefined) pair.server.engine.receive(next);
      if (records.length === 0) pair.server.engine.receiveEnd();
    };
    pair.server.engine.receive(records.shift() as Buffer);
    expect(pair.server.plain).toBe('abc');
    expect(pair.server.error?.code).toBe('ERR_TLS_TRUNCATED');
  });

  test.each(['whenData', 'whenHandshaken', 'whenOutput'] as const)('%s may destroy the engine', (name) => {
    const memory = new CountedMemory(4);
    const pair = new EnginePair(
      createNativeEngine,
      { context: clientContext, memory },
      { context: serverContext, memory },
    );
    ends.push(pair.client, pair.server);
    pair.server[name] = () => pair.server.engine.destroy();
    pair.client.whenHandshaken = () => pair.client.send('a');
    pair.start().exchange();
    pair.client.engine.destroy();
    expect(pair.server.error).toBeUndefined();
    expect(memory.taken).toBe(0);
    expect(loadAddon().counts().sessions).toBe(0);
  });
});

describe('the end', () => {
  test('of one direction leaves the other open', () => {
    const pair = connected();
    pair.client.end();
    pair.exchange();
    pair.server.send('still here');
    pair.exchange();
    expect(pair.client.plain).toBe('still here');
    pair.server.end();
    pair.exchange();
    expect(pair.client.events).toContain('end');
  });

  test('is not followed by anything', () => {
    const pair = connected();
    pair.client.end();
    pair.server.engine.receive(Buffer.concat([pair.client.takeOutput(), Buffer.from('garbage')]));
    pair.server.engine.receive(Buffer.from('more garbage'));
    pair.server.engine.receiveEnd();
    expect(pair.server.events.filter((name) => name === 'end' || name === 'error')).toEqual(['end']);
  });

  test('leaves what is known readable', () => {
    const pair = connected();
    const { facts } = pair.client.engine;
    const known = () => ({
      protocol: facts.protocol,
      cipher: facts.cipher,
      servername: facts.servername,
      peer: facts.getPeerCertificate(true).issuerCertificate.subject,
      x509: facts.getPeerX509Certificate()?.fingerprint256,
      own: facts.getCertificate(),
      session: facts.getSession(),
      ticket: facts.getTLSTicket(),
      key: facts.getEphemeralKeyInfo(),
      sigalgs: facts.getSharedSigalgs(),
      finished: facts.getFinished(),
      peerFinished: facts.getPeerFinished(),
      ocsp: facts.ocspResponse,
    });
    const before = known();
    expect(before.session).toBeInstanceOf(Buffer);
    pair.destroy();
    expect(known()).toEqual(before);
    expect(() => facts.exportKeyingMaterial(16, 'label')).toThrow(
      expect.objectContaining({ code: 'ERR_TLS_INVALID_STATE' }),
    );
  });
});

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('with node:tls over %s', (version) => {
  const versions = { minVersion: version, maxVersion: version };

  function serverEnd(settings: Partial<HandshakeSettings> = {}): EngineEnd {
    const { ca, server } = certificates;
    const context = contextOf({ cert: server.cert, key: server.key, ca: ca.cert, ...versions });
    const end = new EngineEnd(createNativeEngine, 'server', { context, settings });
    ends.push(end);
    end.engine.start();
    return end;
  }

  function clientEnd(settings: Partial<HandshakeSettings> = {}): EngineEnd {
    const { ca, client } = certificates;
    const context = contextOf({ ca: ca.cert, cert: client.cert, key: client.key, ...versions });
    const end = new EngineEnd(createNativeEngine, 'client', { context, settings });
    ends.push(end);
    end.engine.start();
    return end;
  }

  /** Facts that both ends have, by their names in TLSSocket. */
  function expectSameFacts({ engine: { facts } }: EngineEnd, socket: tls.TLSSocket): void {
    const context = Buffer.from('some context');
    for (const [length, label, given] of [
      [16, 'EXPORTER-one', undefined],
      [64, 'EXPORTER-one', context],
      [32, 'EXPORTER-two', Buffer.alloc(0)],
    ] as const) {
      const ours = facts.exportKeyingMaterial(length, label, given);
      expect(ours).toEqual(socket.exportKeyingMaterial(length, label, given as Buffer));
      expect(ours).toHaveLength(length);
    }
    expect(facts.getFinished()).toEqual(socket.getPeerFinished());
    expect(facts.getPeerFinished()).toEqual(socket.getFinished());
    expect(facts.protocol).toBe(socket.getProtocol());
    expect(facts.cipher).toEqual(socket.getCipher());
    expect(facts.alpnProtocol).toBe(socket.alpnProtocol);
  }

  test('a client of Node comes to our server', async () => {
    const { ca, client } = certificates;
    const end = serverEnd({ requestCert: true, alpnProtocols: ['a'] });
    const socket = tls.connect({
      socket: streamTo(end),
      servername: 'localhost',
      ca: ca.cert,
      cert: client.cert,
      key: client.key,
      ALPNProtocols: ['b', 'a'],
      ...versions,
    });
    await once(socket, 'secureConnect');
    socket.write('hello');
    const arrived = new Promise((resolve) => {
      end.whenData = resolve;
    });
    await arrived;
    expectSameFacts(end, socket);
    const { facts } = end.engine;
    // What Node would say of the very same certificates.
    const own = socket.getCertificate() as tls.PeerCertificate;
    expect(facts.getPeerCertificate()).toEqual(own);
    expect(facts.getCertificate()).toEqual(socket.getPeerCertificate());
    end.send('and good-bye');
    end.end();
    const [data] = await once(socket, 'data');
    expect(String(data)).toBe('and good-bye');
    socket.destroy();
  });

  test('our client comes to a server of Node', async () => {
    const { server, ca } = certificates;
    const end = clientEnd({ alpnProtocols: ['a'], sessions: true });
    const socket = new tls.TLSSocket(streamTo(end), {
      isServer: true,
      requestCert: true,
      rejectUnauthorized: false,
      secureContext: tls.createSecureContext({
        cert: server.cert,
        key: server.key,
        ca: ca.cert,
        ...versions,
      }),
      ALPNProtocols: ['a'],
    });
    socket.write('hello');
    await new Promise((resolve) => {
      end.whenData = resolve;
    });
    expectSameFacts(end, socket);
    const { facts } = end.engine;
    expect(facts.getPeerCertificate()).toEqual(socket.getCertificate());
    expect(facts.getCertificate()).toEqual(socket.getPeerCertificate());
    expect(end.sessions.length).toBeGreaterThan(0);
    socket.destroy();
  });

  if (version === 'TLSv1.3') return;
  test('a client of Node that renegotiates is told not to', async () => {
    const end = serverEnd();
    const socket = tls.connect({
      socket: streamTo(end),
      servername: 'localhost',
      ca: certificates.ca.cert,
      ...versions,
    });
    await once(socket, 'secureConnect');
    const [error] = await Promise.all([
      once(socket, 'error').then(([thrown]) => thrown as NodeJS.ErrnoException),
      socket.renegotiate({}, () => {}),
    ]);
    expect(error.code).toBe('ERR_SSL_NO_RENEGOTIATION');
    expect(end.error).toBeUndefined();
    socket.destroy();
  });
});

describe('a ticket that comes in pieces', () => {
  /** The server's, as records: long ones, as there is a certificate of the client in them. */
  async function withTicketRecords(): Promise<{ end: EngineEnd; records: Buffer[]; socket: tls.TLSSocket }> {
    const { ca, client, server } = certificates;
    const context = contextOf({ ca: ca.cert, cert: client.cert, key: client.key });
    const end = new EngineEnd(createNativeEngine, 'client', { context, settings: { sessions: true } });
    ends.push(end);
    end.engine.start();
    const records: Buffer[] = [];
    const receive = end.engine.receive.bind(end.engine);
    const stream = streamTo({
      takeOutput: () => end.takeOutput(),
      engine: {
        receive: (bytes: Uint8Array) => {
          if (!end.handshaken) receive(bytes);
          else records.push(Buffer.from(bytes));
        },
      },
    } as unknown as EngineEnd);
    end.whenOutput = () => stream.push(end.takeOutput());
    const socket = new tls.TLSSocket(stream, {
      isServer: true,
      requestCert: true,
      rejectUnauthorized: false,
      secureContext: tls.createSecureContext({ cert: server.cert, key: server.key, ca: ca.cert }),
    });
    socket.setMaxSendFragment(512);
    await once(socket, 'secure');
    while (records.length === 0) await new Promise((resolve) => setImmediate(resolve));
    return { end, records: recordsOf(Buffer.concat(records)), socket };
  }

  function recordsOf(bytes: Buffer): Buffer[] {
    const records: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += 5 + bytes.readUInt16BE(at + 3)) {
      records.push(bytes.subarray(at, at + 5 + bytes.readUInt16BE(at + 3)));
    }
    return records;
  }

  test('keeps what is sent, and the end, waiting', async () => {
    const { end, records, socket } = await withTicketRecords();
    expect(records.length).toBeGreaterThan(2);
    end.engine.receive(records.shift() as Buffer);
    expect(end.sessions).toEqual([]);
    end.send('first');
    end.send('second');
    end.end();
    expect(end.events).not.toContain('sent');
    for (const record of records) end.engine.receive(record);
    expect(end.events.filter((name) => name !== 'session').slice(-3)).toEqual(['sent', 'sent', 'ended']);
    expect(end.sessions).toHaveLength(2);
    const arrived: Buffer[] = [];
    socket.on('data', (data: Buffer) => arrived.push(data));
    await once(socket, 'end');
    expect(Buffer.concat(arrived).toString()).toBe('firstsecond');
    socket.destroy();
  });

  test('keeps only the end waiting, where nothing was sent', async () => {
    const { end, records, socket } = await withTicketRecords();
    end.engine.receive(records.shift() as Buffer);
    end.end();
    expect(end.events).not.toContain('ended');
    for (const record of records) end.engine.receive(record);
    expect(end.events).toContain('ended');
    socket.resume();
    await once(socket, 'end');
    socket.destroy();
  });
});
