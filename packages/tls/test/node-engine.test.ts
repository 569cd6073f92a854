/** The engine over `node:tls`: what is special to it, and against TLSSockets of Node. The suite of the testkit has the rest. */

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import * as tls from 'node:tls';
import { captureUncaught, pattern, type TestCertificates, testCertificates } from '@iocp/testkit';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { SecureContextOptions } from '../src/context/secure-context-options.js';
import { createNodeEngine } from '../src/engine/node/node-engine.js';
import type { HandshakeSettings } from '../src/options/handshake-settings.js';
import { contextOf, EngineEnd, EnginePair, streamTo } from './support/engine-pair.js';

let certificates: TestCertificates;
let ends: EngineEnd[] = [];

beforeAll(async () => {
  certificates = await testCertificates();
});

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

afterEach(async () => {
  for (const end of ends) {
    end.engine.destroy();
    end.engine.destroy();
  }
  const events = ends.map((end) => end.events.length);
  await turns(6);
  expect(ends.map((end) => end.events.length)).toEqual(events);
  expect(process.getActiveResourcesInfo()).not.toContain('Immediate');
  ends = [];
});

interface PairOptions {
  readonly client?: Partial<HandshakeSettings>;
  readonly server?: Partial<HandshakeSettings>;
  readonly clientContext?: SecureContextOptions;
  readonly serverContext?: SecureContextOptions;
}

const clientContext = (more: SecureContextOptions = {}) =>
  contextOf({ ca: certificates.ca.cert, ...more }, 'node');
const serverContext = (more: SecureContextOptions = {}) =>
  contextOf({ ...certificates.server, ...more }, 'node');

function makePair(options: PairOptions = {}): EnginePair {
  const pair = new EnginePair(
    createNodeEngine,
    { context: clientContext(options.clientContext), settings: options.client ?? {} },
    { context: serverContext(options.serverContext), settings: options.server ?? {} },
  );
  ends.push(pair.client, pair.server);
  return pair.start();
}

async function connected(options?: PairOptions): Promise<EnginePair> {
  const pair = makePair(options);
  return pair.exchangeUntil(() => pair.client.handshaken && pair.server.handshaken);
}

/** Codes of the errors of both sides; the stream ends when one has failed. */
async function refused(options: PairOptions): Promise<{ client: unknown; server: unknown }> {
  const { client, server } = await until(makePair(options), ({ client, server }) =>
    Boolean(client.error ?? server.error),
  );
  if (client.error !== undefined) server.engine.receiveEnd();
  else client.engine.receiveEnd();
  await turns(4);
  return { client: client.error?.code, server: server.error?.code };
}

/** Goes on after errors. */
async function until(pair: EnginePair, done: (pair: EnginePair) => boolean): Promise<EnginePair> {
  while (!done(pair)) {
    pair.exchange();
    await turns(1);
  }
  await turns(4);
  return pair.exchange();
}

function engineEnd(
  role: 'client' | 'server',
  settings: Partial<HandshakeSettings>,
  context: SecureContextOptions = {},
) {
  const made = role === 'client' ? clientContext(context) : serverContext(context);
  const end = new EngineEnd(createNodeEngine, role, { context: made, settings });
  ends.push(end);
  end.engine.start();
  return end;
}

/** A TLSSocket of Node as the peer of a new engine, when both have shaken hands. */
async function withNodePeer(
  role: 'client' | 'server',
  version: tls.SecureVersion,
  settings: Partial<HandshakeSettings> = {},
  nodeOptions: tls.TlsOptions & tls.ConnectionOptions & { requestOCSP?: boolean } = {},
): Promise<{ engine: EngineEnd; peer: tls.TLSSocket }> {
  const versions = { minVersion: version, maxVersion: version } as SecureContextOptions;
  const engine = engineEnd(role, settings, versions);
  const stream = streamTo(engine);
  let peer: tls.TLSSocket;
  if (role === 'server') {
    const { ca } = certificates;
    peer = tls.connect({ socket: stream, ca: ca.cert, servername: 'localhost', ...nodeOptions });
    await once(peer, 'secureConnect');
  } else {
    const server = tls.createServer({ ...certificates.server, ...nodeOptions });
    server.emit('connection', stream);
    [peer] = (await once(server, 'secureConnection')) as [tls.TLSSocket];
  }
  while (!engine.handshaken) await turns(1);
  return { engine, peer };
}

const versions = ['TLSv1.2', 'TLSv1.3'] as const;

describe.each(versions)('%s', (version) => {
  const both = {
    clientContext: { minVersion: version, maxVersion: version },
    serverContext: { minVersion: version, maxVersion: version },
  } as const;

  describe.each(['client', 'server'] as const)('as %s of a TLSSocket', (role) => {
    test('carries data both ways, and ends direction by direction', async () => {
      const { engine, peer } = await withNodePeer(role, version);
      const sent = pattern(2_000_000);
      const received: Buffer[] = [];
      peer.on('data', (chunk: Buffer) => received.push(chunk));
      engine.send(sent);
      engine.end();
      await once(peer, 'end');
      expect(Buffer.concat(received).equals(sent)).toBe(true);
      expect(engine.events).not.toContain('end');
      peer.end(sent);
      await once(peer, 'close');
      while (!engine.events.includes('end')) await turns(1);
      expect(Buffer.concat(engine.received).equals(sent)).toBe(true);
      expect(engine.events).toEqual(expect.arrayContaining(['handshake', 'sent', 'ended', 'end']));
      expect(engine.error).toBeUndefined();
    });

    test.each([
      ['error', 'error', 'ERR_TLS_TRUNCATED'],
      ['end', 'end', undefined],
    ] as const)(
      'with truncation %s a stream without close_notify gives an %s',
      async (truncation, event, code) => {
        const { engine, peer } = await withNodePeer(role, version, { truncation });
        await new Promise<void>((resolve) => peer.write('half of it', () => resolve()));
        await turns(2);
        engine.engine.receiveEnd();
        await turns(3);
        expect(engine.plain).toBe('half of it');
        expect(engine.events.at(-1)).toBe(event);
        expect(engine.error?.code).toBe(code);
        peer.destroy();
      },
    );

    test('exports the same keying material, and knows the same finished messages', async () => {
      const { engine, peer } = await withNodePeer(role, version);
      const { facts } = engine.engine;
      const context = Buffer.from('context');
      const ours = facts.exportKeyingMaterial(40, 'label', context);
      expect(ours).toEqual(peer.exportKeyingMaterial(40, 'label', context));
      expect(facts.getFinished()).toEqual(peer.getPeerFinished());
      expect(facts.getPeerFinished()).toEqual(peer.getFinished());
      expect(facts.cipher).toEqual(peer.getCipher());
      engine.engine.destroy();
      expect(() => facts.exportKeyingMaterial(40, 'label')).toThrow(
        expect.objectContaining({ code: 'ERR_TLS_INVALID_STATE' }),
      );
      peer.destroy();
    });
  });

  test("staples a response for a client of Node, and shows a server's of Node", async () => {
    const response = Buffer.from('a response');
    const asked: (Buffer | undefined)[] = [];
    const ocspResponse = async (certificate: Buffer, issuer: Buffer | undefined) => {
      asked.push(certificate, issuer);
      await turns(3);
      return response;
    };
    const engine = engineEnd('server', { ocspResponse }, { ...both.serverContext, ca: certificates.ca.cert });
    const options = { ca: certificates.ca.cert, servername: 'localhost', requestOCSP: true };
    const peer = tls.connect({ socket: streamTo(engine), ...options } as tls.ConnectionOptions);
    const [[stapled]] = await Promise.all([once(peer, 'OCSPResponse'), once(peer, 'secureConnect')]);
    expect(stapled).toEqual(response);
    expect(asked.map((der) => der && tls.TLSSocket && der.byteLength > 100)).toEqual([true, true]);
    peer.destroy();

    const client = engineEnd('client', { requestOcsp: true }, both.clientContext);
    const server = tls.createServer(certificates.server);
    server.on('OCSPRequest', (_certificate, _issuer, callback) => callback(null, response));
    server.emit('connection', streamTo(client));
    const [socket] = (await once(server, 'secureConnection')) as [tls.TLSSocket];
    while (!client.handshaken) await turns(1);
    expect(client.engine.facts.ocspResponse).toEqual(response);
    socket.destroy();
  });

  test('facts stay when the engine has gone, and can be asked any number of times', async () => {
    const { client, server } = await connected({
      ...both,
      clientContext: { ...both.clientContext, ...certificates.client },
      serverContext: { ...both.serverContext, ca: certificates.ca.cert },
      server: { requestCert: true },
    });
    const read = ({ engine: { facts } }: EngineEnd) => ({
      peer: facts.getPeerCertificate(),
      issuer: facts.getPeerCertificate(true).issuerCertificate?.subject,
      peerX509: facts.getPeerX509Certificate()?.fingerprint256,
      own: facts.getCertificate(),
      ownX509: facts.getX509Certificate()?.fingerprint256,
      session: facts.getSession()?.byteLength,
      ephemeralKey: facts.getEphemeralKeyInfo(),
      sigalgs: facts.getSharedSigalgs(),
      finished: [facts.getFinished(), facts.getPeerFinished()],
      authorized: facts.authorized,
    });
    const before = [read(client), read(server)] as const;
    expect([read(client), read(server)]).toEqual(before);
    expect(before[0]).toMatchObject({
      authorized: true,
      peer: { subject: { CN: 'localhost' } },
      issuer: { CN: 'Test CA' },
    });
    expect(before[1]).toMatchObject({
      authorized: true,
      peer: { subject: { CN: 'client' } },
      issuer: { CN: 'Test CA' },
    });
    expect(before[0].peerX509).toBe(before[1].ownX509);
    expect(before[0].peer).toEqual(before[1].own);
    for (const end of [client, server]) end.engine.destroy();
    await turns(3);
    expect([read(client), read(server)]).toEqual(before);
  });

  test("is destroyed at any event of its own, and at any of the peer's", async () => {
    const script = async (who: 'client' | 'server', step: number): Promise<number> => {
      const pair = makePair({ ...both, client: { sessions: true, keylog: true }, server: { keylog: true } });
      let steps = 0;
      const counting = new Proxy(pair[who].events, {
        set(target, name, value) {
          if (name === 'length' && steps++ === step) pair[who].engine.destroy();
          return Reflect.set(target, name, value);
        },
      });
      Object.defineProperty(pair[who], 'events', { value: counting });
      for (const end of [pair.client, pair.server]) {
        end.whenHandshaken = () => {
          end.send('something');
          end.end();
        };
      }
      for (let turn = 0; turn < 12; turn++) {
        pair.exchange();
        await turns(1);
      }
      pair.destroy();
      return steps;
    };
    const uncaught = await captureUncaught(async () => {
      for (const who of ['client', 'server'] as const) {
        const steps = await script(who, -1);
        expect(steps).toBeGreaterThan(3);
        for (let step = 0; step < steps; step++) await script(who, step);
      }
    });
    expect(uncaught).toEqual([]);
  });

  test('a session is in the form of OpenSSL, names the server, and is offered in either form', async () => {
    const context = serverContext(both.serverContext);
    const join = async (settings: Partial<HandshakeSettings>) => {
      const pair = new EnginePair(
        createNodeEngine,
        { context: clientContext(both.clientContext), settings: { sessions: true, ...settings } },
        { context },
      );
      ends.push(pair.client, pair.server);
      pair.start();
      await pair.exchangeUntil(() => pair.client.handshaken && pair.server.handshaken);
      pair.server.send('x');
      const { client } = pair;
      const isNew = settings.session === undefined;
      return pair.exchangeUntil(() => client.plain === 'x' && (client.sessions.length > 0 || !isNew));
    };
    const first = await join({});
    const session = first.client.sessions.at(-1) as Buffer;
    expect(session[0]).toBe(0x30);
    const prefix = Buffer.from('\0nodejs:tls:session:1\0\0\x09localhost', 'latin1');
    for (const given of [session, Buffer.concat([prefix, session])]) {
      const { client } = await join({ session: given });
      expect(client.engine.facts).toMatchObject({ sessionReused: true, authorized: true });
      expect(client.engine.facts.getPeerCertificate().subject).toEqual({ CN: 'localhost' });
    }
    const elsewhere = join({ session, expectedHost: 'other.test' });
    await expect(elsewhere).rejects.toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
    await expect(join({ session: Buffer.from('no session') })).resolves.toMatchObject({
      client: { engine: { facts: { sessionReused: false } } },
    });
  });

  test('a client that has shown no certificate shakes hands in full where one is asked for', async () => {
    const ticketKeys = randomBytes(48);
    const context = serverContext({ ...both.serverContext, ca: certificates.ca.cert, ticketKeys });
    const own = clientContext({ ...both.clientContext, ...certificates.client });
    const join = async (session: Buffer | undefined, requestCert: boolean) => {
      const pair = new EnginePair(
        createNodeEngine,
        { context: own, settings: { sessions: true, ...(session && { session }) } },
        { context, settings: { requestCert } },
      );
      ends.push(pair.client, pair.server);
      await pair.start().exchangeUntil(() => pair.client.handshaken && pair.server.handshaken);
      const { facts } = pair.server.engine;
      if (!facts.sessionReused) await pair.exchangeUntil(() => pair.client.sessions.length > 0);
      expect(facts.authorized).toBe(requestCert);
      return { session: pair.client.sessions.at(-1), reused: facts.sessionReused };
    };
    const anonymous = await join(undefined, false);
    expect((await join(anonymous.session, false)).reused).toBe(true);
    const named = await join(anonymous.session, true);
    expect(named.reused).toBe(false);
    expect((await join(named.session, true)).reused).toBe(true);
  });

  test('ends from inside the first of several records that have come', async () => {
    const pair = await connected(both);
    const { client, server } = pair;
    client.whenData = () => {
      if (client.received.length === 0) client.end();
    };
    server.send('one');
    await turns(4);
    server.send('two');
    await turns(4);
    await until(pair, () => client.plain === 'onetwo' && server.events.includes('end'));
    server.end();
    await until(pair, () => client.events.includes('end'));
    expect([client.error, server.error]).toEqual([undefined, undefined]);
  });

  test('the alert comes before the error, also when the reason for it comes in the same turn', async () => {
    const client = engineEnd('client', {}, both.clientContext);
    const helloBytes = client.output.reduce((sum, each) => sum + each.byteLength, 0);
    // A ServerHello without anything in it.
    client.engine.receive(Buffer.of(22, 3, 3, 0, 4, 2, 0, 0, 0));
    while (client.error === undefined) await turns(1);
    expect(client.error.code).toBe('ERR_SSL_LENGTH_MISMATCH');
    const [contentType, , , , , level, description] = client.takeOutput().subarray(helloBytes);
    expect({ contentType, level, description }).toEqual({ contentType: 21, level: 2, description: 50 });
  });

  test('input is copied, and output comes before it is done', async () => {
    const pair = makePair(both);
    const order: string[] = [];
    pair.client.whenOutput = () => order.push('output');
    await pair.exchangeUntil(() => {
      // What was delivered by `exchange` is taken away.
      return pair.client.handshaken && pair.server.handshaken;
    });
    const poisoned = (records: Buffer): Uint8Array[] => [records];
    order.length = 0;
    pair.client.engine.send(pattern(100_000), () => order.push('done'));
    while (!order.includes('done')) await turns(1);
    expect(order.indexOf('output')).toBeLessThan(order.indexOf('done'));
    expect(order.at(-1)).toBe('done');
    const records = pair.client.takeOutput();
    for (let start = 0; start < records.byteLength; start += 3000) {
      const lent = Buffer.from(records.subarray(start, start + 3000));
      pair.server.engine.receive(lent);
      lent.fill(0xdb);
    }
    pair.exchange(poisoned);
    await turns(2);
    expect(Buffer.concat(pair.server.received).equals(pattern(100_000))).toBe(true);
  });

  test('what callbacks throw ends the handshake', async () => {
    const reason = Object.assign(new Error('no'), { code: 'ERR_NO' });
    const fail = () => {
      throw reason;
    };
    const later = () => Promise.reject(reason);
    const alpn = { alpnProtocols: ['a'] };
    const cases: [PairOptions, 'client' | 'server'][] = [
      [{ client: { checkServerIdentity: fail } }, 'client'],
      [{ server: { selectContext: fail } }, 'server'],
      [{ server: { selectContext: later } }, 'server'],
      [{ client: alpn, server: { selectProtocol: fail } }, 'server'],
      [{ client: { requestOcsp: true }, server: { ocspResponse: fail } }, 'server'],
      [{ client: { requestOcsp: true }, server: { ocspResponse: later } }, 'server'],
    ];
    for (const [options, who] of cases) {
      const codes = await refused({ ...both, ...options });
      expect(codes[who]).toBe('ERR_NO');
      expect(codes[who === 'client' ? 'server' : 'client']).toMatch(/ALERT|UNRECOGNIZED_NAME|TRUNCATED/);
    }
  });

  test('callbacks may destroy the engine', async () => {
    for (const name of ['selectContext', 'selectProtocol', 'ocspResponse'] as const) {
      const pair = makePair({
        ...both,
        client: { alpnProtocols: ['a'], requestOcsp: true },
        server: {
          alpnProtocols: ['a'],
          [name]: () => {
            pair.server.engine.destroy();
            return name === 'selectProtocol' ? 'a' : null;
          },
        },
      });
      await until(pair, () => true);
      expect(pair.server.events).toEqual([]);
    }
    const pair = makePair({
      ...both,
      client: {
        checkServerIdentity: () => {
          pair.client.engine.destroy();
          return undefined;
        },
      },
    });
    await until(pair, () => true);
    expect(pair.client.events).toEqual([]);
  });
});

test('every byte of a handshake may come apart from the rest', { timeout: 60_000 }, async () => {
  const contexts = {
    client: clientContext({ maxVersion: 'TLSv1.2' }),
    server: serverContext({ maxVersion: 'TLSv1.2' }),
  };
  const shakeHands = async (direction: 'client' | 'server' | undefined, place: number): Promise<number> => {
    const pair = new EnginePair(createNodeEngine, { context: contexts.client }, { context: contexts.server });
    ends = [pair.client, pair.server];
    pair.start();
    let bytes = 0;
    while (!pair.client.handshaken || !pair.server.handshaken) {
      for (const name of ['client', 'server'] as const) {
        const records = pair[name].takeOutput();
        const to = name === 'client' ? pair.server : pair.client;
        const at = name === direction ? place - bytes : -1;
        if (name === direction) bytes += records.byteLength;
        if (at > 0 && at < records.byteLength) {
          to.engine.receive(records.subarray(0, at));
          to.engine.receive(records.subarray(at));
        } else if (records.byteLength > 0) {
          to.engine.receive(records);
        }
      }
      const error = pair.client.error ?? pair.server.error;
      if (error !== undefined) throw error;
      await turns(1);
    }
    pair.destroy();
    return bytes;
  };
  for (const direction of ['client', 'server'] as const) {
    const bytes = await shakeHands(direction, -1);
    expect(bytes).toBeGreaterThan(100);
    for (let place = 1; place < bytes; place++) await shakeHands(direction, place);
  }
});
