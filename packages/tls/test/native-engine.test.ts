/** The native engine: handshakes of every kind with itself, and its part of the engine's contract. */

import { type TestCertificates, testCertificates } from '@iocp/testkit';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { SecureContextOptions } from '../src/context/secure-context-options.js';
import { loadAddon } from '../src/engine/native/addon.js';
import { createNativeEngine } from '../src/engine/native/native-engine.js';
import type { HandshakeSettings } from '../src/options/handshake-settings.js';
import { type CountedMemory, contextOf, type EngineEnd, EnginePair } from './support/engine-pair.js';

let certificates: TestCertificates;
let pairs: EnginePair[] = [];

beforeAll(async () => {
  certificates = await testCertificates();
});

afterEach(() => {
  for (const pair of pairs) pair.destroy();
  pairs = [];
  expect(loadAddon().counts().sessions).toBe(0);
});

interface PairOptions {
  readonly client?: Partial<HandshakeSettings>;
  readonly server?: Partial<HandshakeSettings>;
  readonly clientContext?: SecureContextOptions;
  readonly serverContext?: SecureContextOptions;
  readonly clientMemory?: CountedMemory;
  readonly serverMemory?: CountedMemory;
}

function makePair(options: PairOptions = {}): EnginePair {
  const { ca, server } = certificates;
  const pair = new EnginePair(
    createNativeEngine,
    {
      context: contextOf({ ca: ca.cert, ...options.clientContext }),
      settings: options.client ?? {},
      memory: options.clientMemory ?? null,
    },
    {
      context: contextOf({ cert: server.cert, key: server.key, ...options.serverContext }),
      settings: options.server ?? {},
      memory: options.serverMemory ?? null,
    },
  );
  pairs.push(pair);
  return pair;
}

/** After the handshake, or after it has failed. */
function connected(options?: PairOptions): EnginePair {
  return makePair(options).start().exchange();
}

/** What an end has been told by the other's alert. OpenSSL 3.5 has other words than 3.0: SSLV3 became SSL/TLS. */
function alertTo({ error }: EngineEnd): string | undefined {
  return error?.code?.replace(/^ERR_SSL_\S*?_(ALERT_)?/, '');
}

function expectTraffic({ client, server }: EnginePair): void {
  const pair = pairs.find((each) => each.client === client) as EnginePair;
  client.send('from the client');
  server.send('from the server');
  pair.exchange();
  expect({ server: server.plain, client: client.plain }).toEqual({
    server: 'from the client',
    client: 'from the server',
  });
}

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('%s', (version) => {
  const contexts = {
    clientContext: { minVersion: version, maxVersion: version },
    serverContext: { minVersion: version, maxVersion: version },
  } as const;
  const withCertificates = (more: SecureContextOptions = {}) => ({
    clientContext: { ca: certificates.ca.cert, ...contexts.clientContext, ...more },
    serverContext: contexts.serverContext,
  });

  test('shakes hands and carries data both ways', () => {
    const pair = connected(contexts);
    expect(pair.client.engine.facts).toMatchObject({
      protocol: version,
      authorized: true,
      authorizationError: null,
      sessionReused: false,
      alpnProtocol: false,
      servername: 'localhost',
    });
    expect(pair.server.engine.facts).toMatchObject({
      protocol: version,
      servername: 'localhost',
      authorized: false,
    });
    expectTraffic(pair);
  });

  test('chooses by the preference of the server', () => {
    const pair = connected({
      ...contexts,
      client: { alpnProtocols: ['a', 'b', 'c'] },
      server: { alpnProtocols: ['x', 'c', 'b'] },
    });
    expect(pair.client.engine.facts.alpnProtocol).toBe('c');
    expect(pair.server.engine.facts.alpnProtocol).toBe('c');
  });

  test('refuses a client with which it has no protocol in common', () => {
    const { client, server } = connected({
      ...contexts,
      client: { alpnProtocols: ['a'] },
      server: { alpnProtocols: ['b'] },
    });
    expect(server.error?.code).toBe('ERR_SSL_NO_APPLICATION_PROTOCOL');
    expect(alertTo(client)).toBe('NO_APPLICATION_PROTOCOL');
  });

  test('a side without ALPN does not mind that the other has it', () => {
    for (const [client, server] of [[['a'], []] as const, [[], ['a']] as const]) {
      const pair = connected({
        ...contexts,
        client: { alpnProtocols: client },
        server: { alpnProtocols: server },
      });
      expect(pair.client.engine.facts.alpnProtocol).toBe(false);
      expectTraffic(pair);
    }
  });

  test('resumes a session', () => {
    const server = contextOf({
      cert: certificates.server.cert,
      key: certificates.server.key,
      ...contexts.serverContext,
    });
    const client = contextOf({ ca: certificates.ca.cert, ...contexts.clientContext });
    const connect = (session: Buffer | undefined) => {
      const settings = { sessions: true, session };
      const pair = new EnginePair(createNativeEngine, { context: client, settings }, { context: server });
      pairs.push(pair);
      return pair.start().exchange();
    };
    const first = connect(undefined);
    expect(first.client.engine.facts.sessionReused).toBe(false);
    // Not before the peer is known to be who it should be.
    expect(first.client.events.indexOf('handshake')).toBeLessThan(first.client.events.indexOf('session'));

    const second = connect(first.client.sessions.at(-1));
    expect(second.client.engine.facts).toMatchObject({ sessionReused: true, authorized: true });
    expect(second.server.engine.facts).toMatchObject({ sessionReused: true, servername: 'localhost' });
    expect(second.client.engine.facts.getPeerCertificate().subject).toEqual({ CN: 'localhost' });
    expectTraffic(second);
  });

  test('a damaged session costs a full handshake', () => {
    const pair = connected({ ...contexts, client: { session: Buffer.from('no session at all') } });
    expect(pair.client.engine.facts.sessionReused).toBe(false);
    expectTraffic(pair);
  });

  test('asks for a certificate of the client', () => {
    const { client } = certificates;
    const pair = connected({
      clientContext: { ...withCertificates().clientContext, cert: client.cert, key: client.key },
      serverContext: { ...contexts.serverContext, ca: certificates.ca.cert },
      server: { requestCert: true },
    });
    expect(pair.server.engine.facts).toMatchObject({ authorized: true, authorizationError: null });
    expect(pair.server.engine.facts.getPeerCertificate().subject).toEqual({ CN: 'client' });
    expectTraffic(pair);
  });

  test('refuses a client of an unknown authority, with an alert', () => {
    const { clientOfOtherCa: stranger } = certificates;
    const { client, server } = connected({
      clientContext: { ...withCertificates().clientContext, cert: stranger.cert, key: stranger.key },
      serverContext: { ...contexts.serverContext, ca: certificates.ca.cert },
      server: { requestCert: true },
    });
    expect(server.error).toMatchObject({
      code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      message: 'unable to verify the first certificate',
    });
    expect(server.handshaken).toBe(false);
    expect(alertTo(client)).toBe('UNKNOWN_CA');
  });

  test('refuses a client without a certificate, with an alert', () => {
    const { client, server } = connected({
      ...contexts,
      serverContext: { ...contexts.serverContext, ca: certificates.ca.cert },
      server: { requestCert: true },
    });
    expect(server.error?.code).toBe('ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE');
    expect(alertTo(client)).toBe(version === 'TLSv1.3' ? 'CERTIFICATE_REQUIRED' : 'HANDSHAKE_FAILURE');
  });

  test('takes any client when it is told to, and says what is wrong with it', () => {
    const { clientOfOtherCa: stranger } = certificates;
    const server = { requestCert: true, rejectUnauthorized: false };
    const serverContext = { ...contexts.serverContext, ca: certificates.ca.cert };
    const unknown = connected({
      clientContext: { ...withCertificates().clientContext, cert: stranger.cert, key: stranger.key },
      serverContext,
      server,
    });
    expect(unknown.server.engine.facts).toMatchObject({
      authorized: false,
      authorizationError: { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' },
    });
    expectTraffic(unknown);
    const without = connected({ ...contexts, serverContext, server });
    expect(without.server.engine.facts).toMatchObject({
      authorized: false,
      authorizationError: { code: 'UNABLE_TO_GET_ISSUER_CERT' },
    });
    expect(without.server.engine.facts.getPeerCertificate()).toEqual({});
    expectTraffic(without);
  });

  test.each([
    ['selfSigned', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'UNKNOWN_CA'],
    ['expired', 'CERT_HAS_EXPIRED', 'CERTIFICATE_EXPIRED'],
    ['notYetValid', 'CERT_NOT_YET_VALID', 'BAD_CERTIFICATE'],
    ['unknownIssuer', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'UNKNOWN_CA'],
    ['client', 'INVALID_PURPOSE', 'UNSUPPORTED_CERTIFICATE'],
  ] as const)('refuses a server with the certificate %s', (name, code, alert) => {
    const { cert, key } = certificates[name];
    const { client, server } = connected({
      ...contexts,
      serverContext: { ...contexts.serverContext, cert, key },
    });
    expect(client.error?.code).toBe(code);
    expect(client.handshaken).toBe(false);
    expect(alertTo(server)).toBe(alert);
  });

  test('tells what is wrong with a server that it takes all the same', () => {
    const { cert, key } = certificates.selfSigned;
    const pair = connected({
      ...contexts,
      serverContext: { ...contexts.serverContext, cert, key },
      client: { rejectUnauthorized: false },
    });
    expect(pair.client.engine.facts).toMatchObject({
      authorized: false,
      authorizationError: { code: 'DEPTH_ZERO_SELF_SIGNED_CERT', message: 'self-signed certificate' },
    });
    expectTraffic(pair);
  });

  test('does not resume what was made with a server of any kind, where only good ones will do', () => {
    const { cert, key } = certificates.selfSigned;
    const server = contextOf({ ...contexts.serverContext, cert, key });
    const client = contextOf({ ca: certificates.ca.cert, ...contexts.clientContext });
    const connect = (settings: Partial<HandshakeSettings>) => {
      const pair = new EnginePair(createNativeEngine, { context: client, settings }, { context: server });
      pairs.push(pair);
      return pair.start().exchange();
    };
    const lax = connect({ sessions: true, rejectUnauthorized: false });
    const { client: strict } = connect({ session: lax.client.sessions.at(-1) });
    expect(strict.error?.code).toBe('DEPTH_ZERO_SELF_SIGNED_CERT');
    expect(strict.handshaken).toBe(false);
  });

  test('does not resume without a certificate, where the client has to have one', () => {
    const { cert, key } = certificates.server;
    const server = contextOf({ ...contexts.serverContext, cert, key, ca: certificates.ca.cert });
    const { client } = certificates;
    const clientContext = contextOf({
      ca: certificates.ca.cert,
      cert: client.cert,
      key: client.key,
      ...contexts.clientContext,
    });
    const connect = (session: Buffer | undefined, requestCert: boolean) => {
      const pair = new EnginePair(
        createNativeEngine,
        { context: clientContext, settings: { sessions: true, session } },
        { context: server, settings: { requestCert } },
      );
      pairs.push(pair);
      return pair.start().exchange();
    };
    const open = connect(undefined, false);
    const closed = connect(open.client.sessions.at(-1), true);
    expect(closed.server.engine.facts).toMatchObject({ sessionReused: false, authorized: true });
    const again = connect(closed.client.sessions.at(-1), true);
    expect(again.server.engine.facts).toMatchObject({ sessionReused: true, authorized: true });
    expect(again.server.engine.facts.getPeerCertificate().subject).toEqual({ CN: 'client' });
  });

  test('refuses a certificate for another name', () => {
    const { cert, key } = certificates.otherHost;
    const options = { ...contexts, serverContext: { ...contexts.serverContext, cert, key } };
    const { client } = connected(options);
    expect(client.error).toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID', host: 'localhost' });
    expect(client.handshaken).toBe(false);
    const lax = connected({ ...options, client: { rejectUnauthorized: false } });
    expect(lax.client.engine.facts).toMatchObject({
      authorized: false,
      authorizationError: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' },
    });
  });

  test('writes the key log', () => {
    const pair = connected({ ...contexts, client: { keylog: true }, server: { keylog: true } });
    const label = version === 'TLSv1.3' ? 'CLIENT_HANDSHAKE_TRAFFIC_SECRET' : 'CLIENT_RANDOM';
    expect(pair.client.keylog.join('')).toMatch(new RegExp(`^${label} [0-9a-f]{64} [0-9a-f]+\\n`, 'm'));
    expect([...pair.client.keylog].sort()).toEqual([...pair.server.keylog].sort());
  });

  test('keeps the key log from connections that did not ask for it', () => {
    const context = contextOf({ cert: certificates.server.cert, key: certificates.server.key });
    for (const keylog of [true, false]) {
      const pair = new EnginePair(
        createNativeEngine,
        { context: contextOf({ ca: certificates.ca.cert, ...contexts.clientContext }) },
        { context, settings: { keylog } },
      );
      pairs.push(pair);
      expect(pair.start().exchange().server.keylog.length > 0).toBe(keylog);
    }
  });

  test('staples an OCSP response', async () => {
    const response = Buffer.from('as good as any');
    const asked: unknown[] = [];
    const pair = makePair({
      ...contexts,
      client: { requestOcsp: true },
      server: {
        ocspResponse: async (certificate, issuer) => {
          asked.push(certificate, issuer);
          return response;
        },
      },
      serverContext: { ...contexts.serverContext, ca: certificates.ca.cert },
    }).start();
    await pair.exchangeUntil(() => pair.client.handshaken);
    expect(pair.client.engine.facts.ocspResponse).toEqual(response);
    expect(asked).toEqual([
      pair.server.engine.facts.getX509Certificate()?.raw,
      pair.client.engine.facts.getPeerCertificate(true).issuerCertificate.raw,
    ]);
  });

  test('asks for no OCSP response when the client wants none, and does without one', () => {
    const silent = connected({
      ...contexts,
      server: {
        ocspResponse: () => {
          throw new Error('was asked');
        },
      },
    });
    expectTraffic(silent);
    const none = connected({
      ...contexts,
      client: { requestOcsp: true },
      server: { ocspResponse: () => null },
    });
    expect(none.client.engine.facts.ocspResponse).toBeNull();
    expectTraffic(none);
  });
});

describe('the ClientHello', () => {
  test('leads to another context, with all that belongs to it', async () => {
    const { wildcard, otherCa, clientOfOtherCa, ca } = certificates;
    const named = contextOf({
      cert: wildcard.cert,
      key: wildcard.key,
      ca: otherCa.cert,
      maxVersion: 'TLSv1.2',
      ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384',
      ecdhCurve: 'P-384:P-256',
    });
    const asked: unknown[] = [];
    const pair = makePair({
      client: { servername: 'A.Example.Test', expectedHost: 'a.example.test', alpnProtocols: ['b', 'a'] },
      clientContext: { ca: ca.cert, cert: clientOfOtherCa.cert, key: clientOfOtherCa.key },
      serverContext: { ecdhCurve: 'X25519' },
      server: {
        requestCert: true,
        alpnProtocols: ['a'],
        selectContext: async (hello) => {
          asked.push({ servername: hello.servername, protocols: hello.protocols });
          return named;
        },
      },
    }).start();
    await pair.exchangeUntil(() => pair.server.handshaken);
    expect(asked).toEqual([{ servername: 'a.example.test', protocols: ['b', 'a'] }]);
    const { facts } = pair.client.engine;
    expect(facts).toMatchObject({
      protocol: 'TLSv1.2',
      cipher: { name: 'ECDHE-ECDSA-AES256-GCM-SHA384' },
      alpnProtocol: 'a',
    });
    expect(facts.getPeerCertificate().subjectaltname).toBe('DNS:*.example.test');
    expect(facts.getEphemeralKeyInfo()).toEqual({ type: 'ECDH', name: 'secp384r1', size: 384 });
    expect(pair.server.engine.facts).toMatchObject({ authorized: true });
    expect(pair.server.events.slice(0, 2)).toEqual(['busy', 'free']);
    expectTraffic(pair);
  });

  test('is answered at once by who knows the answer', () => {
    const { wildcard } = certificates;
    const named = contextOf({ cert: wildcard.cert, key: wildcard.key });
    const pair = connected({
      client: { servername: 'a.example.test', expectedHost: 'a.example.test' },
      server: { selectContext: () => named },
    });
    expect(pair.server.events).not.toContain('busy');
    expectTraffic(pair);
    const preset = connected({ server: { selectContext: () => null } });
    expect(preset.client.engine.facts.getPeerCertificate().subject).toEqual({ CN: 'localhost' });
  });

  test('resumes by the ticket of the context that it leads to', () => {
    const { wildcard, server, ca } = certificates;
    const named = contextOf({ cert: wildcard.cert, key: wildcard.key });
    const preset = contextOf({ cert: server.cert, key: server.key });
    const client = contextOf({ ca: ca.cert });
    const connect = (servername: string, session?: Buffer) => {
      const pair = new EnginePair(
        createNativeEngine,
        { context: client, settings: { servername, expectedHost: servername, session, sessions: true } },
        {
          context: preset,
          settings: { selectContext: (hello) => (hello.servername === 'localhost' ? null : named) },
        },
      );
      pairs.push(pair);
      return pair.start().exchange();
    };
    const first = connect('a.example.test');
    const session = first.client.sessions.at(-1);
    expect(connect('a.example.test', session).client.engine.facts.sessionReused).toBe(true);
    // Another context's tickets are none of this one's.
    expect(connect('localhost', session).client.engine.facts.sessionReused).toBe(false);
  });

  test('may choose the protocol', () => {
    const offers: unknown[] = [];
    const pair = connected({
      client: { alpnProtocols: ['a', 'b'] },
      server: {
        selectProtocol: ({ servername, protocols }) => {
          offers.push({ servername, protocols });
          return 'b';
        },
      },
    });
    expect(offers).toEqual([{ servername: 'localhost', protocols: ['a', 'b'] }]);
    expect(pair.client.engine.facts.alpnProtocol).toBe('b');
  });

  test('may have no protocol that is wanted', () => {
    const { client, server } = connected({
      client: { alpnProtocols: ['a'] },
      server: { selectProtocol: () => undefined },
    });
    expect(server.error?.code).toBe('ERR_SSL_NO_APPLICATION_PROTOCOL');
    expect(alertTo(client)).toBe('NO_APPLICATION_PROTOCOL');
  });

  test.each([
    ['selectContext', 'UNRECOGNIZED_NAME'],
    ['selectProtocol', 'NO_APPLICATION_PROTOCOL'],
  ] as const)('ends with what %s has thrown', (name, alert) => {
    const reason = new Error('not today');
    const { client, server } = connected({
      client: { alpnProtocols: ['a'] },
      server: {
        [name]: () => {
          throw reason;
        },
      },
    });
    expect(server.error).toBe(reason);
    expect(server.events).toEqual(['error']);
    expect(alertTo(client)).toBe(alert);
  });

  test('ends with what the application has rejected, now or later', async () => {
    const reason = new Error('not today');
    const pair = makePair({ server: { selectContext: () => Promise.reject(reason) } }).start();
    await pair.exchangeUntil(() => pair.client.error !== undefined);
    expect(pair.server.error).toBe(reason);
    expect(pair.server.events).toEqual(['busy', 'free', 'error']);
    expect(alertTo(pair.client)).toBe('UNRECOGNIZED_NAME');
  });

  test('waits for an answer that comes too late for a peer that has gone', async () => {
    let answer: (context: null) => void = () => {};
    const pair = makePair({
      server: {
        selectContext: () =>
          new Promise((resolve) => {
            answer = resolve;
          }),
      },
    }).start();
    pair.exchange();
    expect(pair.server.events).toEqual(['busy']);
    pair.server.engine.receiveEnd();
    expect(pair.server.error?.code).toBe('ERR_TLS_TRUNCATED');
    answer(null);
    await new Promise((resolve) => setImmediate(resolve));
    expect(pair.server.events).toEqual(['busy', 'error']);
  });

  test('and what comes behind it wait for the answer', async () => {
    let answer: (context: null) => void = () => {};
    const pair = makePair({
      server: {
        selectContext: () =>
          new Promise((resolve) => {
            answer = resolve;
          }),
      },
    }).start();
    pair.exchange();
    // Never sent before the server's hello by a client that keeps to the protocol, and here to be told apart.
    pair.server.engine.receive(Buffer.from([21, 3, 3, 0, 2, 2, 40]));
    expect(pair.server.events).toEqual(['busy']);
    answer(null);
    await pair.exchangeUntil(() => pair.server.error !== undefined);
    expect(alertTo(pair.server)).toBe('HANDSHAKE_FAILURE');
  });
});
