/** The context half of the addon: what it takes, what it says no to, and what it makes of its connections. */

import { generatePrimeSync, randomBytes, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tls from 'node:tls';
import { Worker } from 'node:worker_threads';
import {
  type Credentials,
  makeCertificate,
  makeRevocationList,
  type TestCertificates,
  testCertificates,
} from '@iocp/testkit';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  readSecureContextOptions,
  type SecureContextOptions,
} from '../src/context/secure-context-options.js';
import { loadAddon } from '../src/engine/native/addon.js';
import type { NativeContext } from '../src/engine/native/binding.js';
import { extraRoots } from '../src/engine/native/default-roots.js';
import { createNativeContext, nativeContextOptions } from '../src/engine/native/native-context.js';
import { sessionDer } from '../src/engine/session-form.js';
import { addonPath, NativePairs } from './support/native-sessions.js';

const pairs = new NativePairs();
let certificates: TestCertificates;

beforeAll(async () => {
  certificates = await testCertificates();
});

afterEach(() => pairs.free());

function make(options: SecureContextOptions): NativeContext {
  return createNativeContext(readSecureContextOptions(options));
}

/** What an error says, as far as programs look at it. */
function refusal(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    const { code, message, library, reason } = error as Record<string, unknown>;
    return { code, message, library, reason };
  }
  return undefined;
}

/** Whose certificates a server sends. */
function sentBy(server: NativeContext): string[] {
  // To one who trusts nobody, and so can add none of its own.
  const { client } = pairs.connect(make({ ca: [] }), server, { client: { rejectUnauthorized: false } });
  return client.session.peerCertificates().map((der) => new X509Certificate(der).subject);
}

function derInteger(value: Buffer): Buffer {
  return Buffer.concat([Buffer.of(0x02, 0x81, value.length + 1, 0), value]);
}

function dhParameters(bits: number): string {
  const content = Buffer.concat([
    derInteger(Buffer.from(generatePrimeSync(bits))),
    Buffer.of(0x02, 0x01, 0x02),
  ]);
  const der = Buffer.concat([Buffer.of(0x30, 0x81, content.length), content]);
  return `-----BEGIN DH PARAMETERS-----\n${der.toString('base64')}\n-----END DH PARAMETERS-----\n`;
}

const garbage = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';

describe('refuses with the very words of node:tls', () => {
  const cases: Record<string, (given: TestCertificates) => SecureContextOptions & tls.SecureContextOptions> =
    {
      'a text without a certificate': () => ({ cert: 'nothing' }),
      'an empty buffer for a certificate': () => ({ cert: Buffer.alloc(0) }),
      'a broken certificate': () => ({ cert: garbage }),
      'a broken certificate in a chain': ({ server }) => ({ cert: server.cert + garbage }),
      'a text without a key': ({ server }) => ({ cert: server.cert, key: 'nothing' }),
      'the key of another certificate': ({ server, selfSigned }) => ({
        cert: server.cert,
        key: selfSigned.key,
      }),
      'a wrong passphrase': ({ encrypted }) => ({
        cert: encrypted.cert,
        key: encrypted.key,
        passphrase: 'wrong',
      }),
      'no passphrase': ({ encrypted }) => ({ cert: encrypted.cert, key: encrypted.key }),
      'a passphrase beyond all measure': ({ encrypted }) => ({
        cert: encrypted.cert,
        key: encrypted.key,
        passphrase: 'x'.repeat(5000),
      }),
      'a broken revocation list': () => ({ crl: 'nothing' }),
      'an unknown cipher': () => ({ ciphers: 'NO-SUCH-CIPHER' }),
      'an unknown suite of TLS 1.3': () => ({ ciphers: 'TLS_NO_SUCH_SUITE' }),
      'an unknown group': () => ({ ecdhCurve: 'no-such-group' }),
      'parameters for DH that are too small': () => ({ dhparam: dhParameters(512) }),
    };

  test.each(Object.keys(cases))('%s', (name) => {
    const options = cases[name]?.(certificates) ?? {};
    const expected = refusal(() => tls.createSecureContext(options));
    expect(expected).toMatchObject({ code: expect.stringMatching(/^ERR_/) });
    expect(refusal(() => make(options))).toEqual(expected);
  });
});

describe('refuses what node:tls lets pass', () => {
  test('a key of another kind than the certificate', () => {
    const { server, serverRsa } = certificates;
    const error = refusal(() => make({ cert: serverRsa.cert, key: server.key }));
    expect(error).toMatchObject({ code: 'ERR_OSSL_EVP_DIFFERENT_KEY_TYPES' });
  });

  test('a certificate that another has taken the place of', async () => {
    const other = await makeCertificate({ names: ['localhost'] });
    const { server } = certificates;
    const error = refusal(() => make({ cert: [other.cert, server.cert], key: server.key }));
    expect(error).toMatchObject({ code: 'ERR_OSSL_X509_KEY_VALUES_MISMATCH' });
  });

  test('authorities without a certificate', () => {
    expect(refusal(() => make({ ca: 'nothing' }))).toMatchObject({ code: 'ERR_OSSL_PEM_NO_START_LINE' });
  });

  test('parameters for DH that are none', () => {
    expect(refusal(() => make({ dhparam: 'nothing' }))).toMatchObject({ code: 'ERR_OSSL_UNSUPPORTED' });
  });
});

test('the default roots include those of a file, when all of it is good', () => {
  const folder = mkdtempSync(join(tmpdir(), 'iocp-tls-roots-'));
  const roots = (text: string) => {
    const file = join(folder, 'roots.pem');
    writeFileSync(file, text);
    return extraRoots(file).map((pem) => new X509Certificate(pem).subject);
  };
  try {
    const { ca, otherCa } = certificates;
    expect(roots(`# ours\n${ca.cert}\n# theirs\n${otherCa.cert}`)).toEqual(['CN=Test CA', 'CN=Other CA']);
    expect(roots(ca.cert + garbage)).toEqual([]);
    expect(extraRoots(join(folder, 'missing.pem'))).toEqual([]);
    expect(extraRoots(undefined)).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('says of PKCS #12 what is wrong, with a code', () => {
  const { pfx } = certificates.pfx;
  expect(refusal(() => make({ pfx, passphrase: 'wrong' }))).toMatchObject({
    code: 'ERR_OSSL_PKCS12_MAC_VERIFY_FAILURE',
    reason: 'mac verify failure',
  });
  expect(refusal(() => make({ pfx: 'nothing' }))).toMatchObject({
    code: expect.stringMatching(/^ERR_OSSL_ASN1_/),
  });
});

describe('shows certificates', () => {
  let client: NativeContext;

  beforeAll(() => {
    client = make({ ca: certificates.ca.cert });
  });

  test('from PEM and from PKCS #12, with their issuer', () => {
    const { server, ca, pfx } = certificates;
    for (const options of [{ cert: server.cert, key: server.key, ca: ca.cert }, pfx]) {
      const context = make(options);
      const { client: peer } = pairs.connect(client, context);
      expect(peer.error).toBeUndefined();
      const { raw } = new X509Certificate(server.cert);
      expect(Buffer.from(peer.session.peerCertificates()[0] as Uint8Array)).toEqual(raw);
      expect(Buffer.from(context.certificate() as Uint8Array)).toEqual(raw);
      expect(Buffer.from(context.issuer() as Uint8Array)).toEqual(new X509Certificate(ca.cert).raw);
    }
  });

  test('and none when there is none', () => {
    const context = make({});
    expect(context.certificate()).toBeUndefined();
    expect(context.issuer()).toBeUndefined();
  });

  test('whose key is encrypted', () => {
    const { encrypted } = certificates;
    const { client: peer } = pairs.connect(client, make(encrypted));
    expect(peer.error).toBeUndefined();
    expect(peer.plain.toString()).toBe('from the server');
  });

  test.each([
    ['in one order', false],
    ['in the other order', true],
  ])('of two kinds, with their keys %s', (_, reversed) => {
    const { server, serverRsa } = certificates;
    const keys = [server.key, serverRsa.key];
    const context = make({ cert: [serverRsa.cert, server.cert], key: reversed ? keys.reverse() : keys });
    for (const [sigalgs, shown] of [
      ['ECDSA+SHA256', server],
      ['RSA-PSS+SHA256', serverRsa],
    ] as const) {
      // The authority's own signature, which is ECDSA, may be checked in any case.
      const picky = make({ ca: certificates.ca.cert, sigalgs, ciphers: 'TLS_AES_128_GCM_SHA256' });
      const { client: peer } = pairs.connect(picky, context, { client: { rejectUnauthorized: false } });
      const [leaf] = peer.session.peerCertificates();
      expect(Buffer.from(leaf as Uint8Array)).toEqual(new X509Certificate(shown.cert).raw);
    }
  });

  test('with the chain that was given', () => {
    const { chained } = certificates;
    const server = make({ cert: chained.chain, key: chained.key });
    expect(pairs.connect(client, server).client.error).toBeUndefined();
    expect(sentBy(server)).toEqual(['CN=localhost', 'CN=Test CA in between']);
  });

  test('with a chain made from the authorities, without the root', () => {
    const { chained, ca } = certificates;
    const between = chained.chain.slice(chained.cert.length);
    const server = make({ cert: chained.cert, key: chained.key, ca: [ca.cert, between] });
    expect(pairs.connect(client, server).client.error).toBeUndefined();
    expect(sentBy(server)).toEqual(['CN=localhost', 'CN=Test CA in between']);
  });

  test('alone when nobody knows the rest', () => {
    const { chained } = certificates;
    const { client: peer } = pairs.connect(client, make({ cert: chained.cert, key: chained.key }));
    expect(peer.error).toMatchObject({ code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' });
  });
});

describe('trusts', () => {
  const serve = ({ cert, key }: Credentials) => make({ cert, key });

  function refusedBy(client: SecureContextOptions, credentials: Credentials): string | undefined {
    return pairs.connect(make(client), serve(credentials)).client.error?.code;
  }

  test('nobody but the authorities given', () => {
    const { ca, server, unknownIssuer, selfSigned, expired, notYetValid } = certificates;
    const client = { ca: ca.cert };
    expect(refusedBy(client, server)).toBeUndefined();
    expect(refusedBy(client, unknownIssuer)).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE');
    expect(refusedBy(client, selfSigned)).toBe('DEPTH_ZERO_SELF_SIGNED_CERT');
    expect(refusedBy(client, expired)).toBe('CERT_HAS_EXPIRED');
    expect(refusedBy(client, notYetValid)).toBe('CERT_NOT_YET_VALID');
  });

  test('several in one text, several texts, and DER', () => {
    const { ca, otherCa, server, unknownIssuer } = certificates;
    const der = new X509Certificate(otherCa.cert).raw;
    for (const authorities of [ca.cert + otherCa.cert, [ca.cert, otherCa.cert], [ca.cert, der]]) {
      expect(refusedBy({ ca: authorities }, server)).toBeUndefined();
      expect(refusedBy({ ca: authorities }, unknownIssuer)).toBeUndefined();
    }
  });

  test('nobody with an empty list', () => {
    expect(refusedBy({ ca: [] }, certificates.server)).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE');
  });

  test('the roots of Node.js by default, and what is in a bundle only where that was given', () => {
    const { pfx, server, ca } = certificates;
    expect(refusedBy({}, server)).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE');
    expect(refusedBy(pfx, server)).toBeUndefined();
    expect(refusedBy({}, server)).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE');
    // A root of Node.js finds the store of a context made so; `ca` alone would not know it.
    const [root = ''] = tls.rootCertificates;
    expect(make({ cert: root }).issuer()).toEqual(new X509Certificate(root).raw);
    expect(make({ cert: root, ca: ca.cert }).issuer()).toBeUndefined();
  });

  test('nobody whom a list has revoked', () => {
    const { ca, crl, revoked, server } = certificates;
    expect(refusedBy({ ca: ca.cert, crl }, server)).toBeUndefined();
    expect(refusedBy({ ca: ca.cert, crl }, revoked)).toBe('CERT_REVOKED');
    const der = Buffer.from(crl.replace(/-----.*-----/g, ''), 'base64');
    expect(refusedBy({ ca: ca.cert, crl: [der] }, revoked)).toBe('CERT_REVOKED');
  });

  test('nobody for whom there is no list, when there are others', async () => {
    const { ca, otherCa, server } = certificates;
    const crl = await makeRevocationList(otherCa, []);
    expect(refusedBy({ ca: ca.cert, crl }, server)).toBe('UNABLE_TO_GET_CRL');
  });

  test('an authority in between when that is asked for', () => {
    const { chained } = certificates;
    const ca = chained.chain.slice(chained.cert.length);
    expect(refusedBy({ ca }, chained)).toBe('UNABLE_TO_GET_ISSUER_CERT');
    expect(refusedBy({ ca, allowPartialTrustChain: true }, chained)).toBeUndefined();
  });

  test('clients by the same rules', () => {
    const { ca, server, client, clientOfOtherCa } = certificates;
    const context = make({ ...server, ca: ca.cert });
    const asking = { requestCert: true };
    const codeFor = (credentials: SecureContextOptions) =>
      pairs.connect(make({ ca: ca.cert, ...credentials }), context, { server: asking }).server.error?.code;
    expect(codeFor(client)).toBeUndefined();
    expect(codeFor(clientOfOtherCa)).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE');
    expect(codeFor({})).toBe('ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE');
  });
});

describe('protocol', () => {
  const { ciphers: defaultCiphers } = readSecureContextOptions({});

  function agreed(client: SecureContextOptions, server: SecureContextOptions = {}) {
    const { ca, server: credentials } = certificates;
    const pair = pairs.connect(make({ ca: ca.cert, ...client }), make({ ...credentials, ...server }));
    const { session, error } = pair.client;
    return {
      version: session.protocol(),
      cipher: session.cipher()?.name,
      refused: pair.server.error?.code,
      error,
    };
  }

  test('versions', () => {
    expect(agreed({}).version).toBe('TLSv1.3');
    expect(agreed({ maxVersion: 'TLSv1.2' }).version).toBe('TLSv1.2');
    expect(agreed({}, { maxVersion: 'TLSv1.2' }).version).toBe('TLSv1.2');
    expect(agreed({ maxVersion: 'TLSv1.2' }, { minVersion: 'TLSv1.3' }).refused).toBe(
      'ERR_SSL_UNSUPPORTED_PROTOCOL',
    );
  });

  test('ciphers of one version leave the other as it is, and none of TLS 1.2 rules it out', () => {
    expect(agreed({ ciphers: 'TLS_CHACHA20_POLY1305_SHA256' })).toMatchObject({
      version: 'TLSv1.3',
      cipher: 'TLS_CHACHA20_POLY1305_SHA256',
    });
    expect(agreed({ ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' }).version).toBe('TLSv1.3');
    expect(agreed({ ciphers: 'TLS_AES_128_GCM_SHA256' }, { maxVersion: 'TLSv1.2' }).error).toBeDefined();
    expect(agreed({ ciphers: defaultCiphers, maxVersion: 'TLSv1.2' }).cipher).toMatch(/^ECDHE-ECDSA-/);
  });

  test('the order of the server, or else of the client', () => {
    const version = { maxVersion: 'TLSv1.2' } as const;
    const client = { ...version, ciphers: 'ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256' };
    const ciphers = 'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305';
    expect(agreed(client, { ciphers }).cipher).toBe('ECDHE-ECDSA-AES128-GCM-SHA256');
    expect(agreed(client, { ciphers, honorCipherOrder: false }).cipher).toBe('ECDHE-ECDSA-CHACHA20-POLY1305');
  });

  test('groups', () => {
    const { ca, server } = certificates;
    const keyOf = (ecdhCurve: string) => {
      const { client } = pairs.connect(
        make({ ca: ca.cert, maxVersion: 'TLSv1.2' }),
        make({ ...server, ecdhCurve }),
      );
      return client.session.ephemeralKey();
    };
    expect(keyOf('P-384')).toMatchObject({ type: 'ECDH', name: 'secp384r1', size: 384 });
    expect(keyOf('P-521:P-384')).toMatchObject({ name: 'secp521r1' });
    expect(agreed({ ecdhCurve: 'P-384' }, { ecdhCurve: 'X25519' }).error).toBeDefined();
  });

  test('DHE only where parameters were given', () => {
    const { ca, serverRsa } = certificates;
    const options = { maxVersion: 'TLSv1.2', ciphers: 'DHE-RSA-AES128-GCM-SHA256' } as const;
    const client = make({ ca: ca.cert, ...options });
    const connected = (dhparam: 'auto' | undefined) =>
      pairs.connect(client, make({ ...serverRsa, ...options, dhparam }));
    expect(connected('auto').client.session.ephemeralKey()).toMatchObject({ type: 'DH' });
    expect(connected(undefined).server.error).toMatchObject({ code: 'ERR_SSL_NO_SHARED_CIPHER' });
  });
});

describe('session tickets', () => {
  const sessionIdContext = 'shared';
  const clientOptions = { sessions: true };

  function serverWith(
    ticketKeys: readonly Uint8Array[] | undefined,
    version: tls.SecureVersion,
  ): NativeContext {
    const { server } = certificates;
    const maxVersion = version as 'TLSv1.2' | 'TLSv1.3';
    return make({ ...server, ticketKeys, sessionIdContext, maxVersion });
  }

  function newSession(server: NativeContext): Buffer {
    const { client } = pairs.connect(make({ ca: certificates.ca.cert }), server, { client: clientOptions });
    return client.sessions.at(-1) as Buffer;
  }

  /** @returns whether it was resumed, and the session that the client has got then */
  function resume(server: NativeContext, session: Buffer) {
    const pair = pairs.connect(make({ ca: certificates.ca.cert }), server, {
      client: { ...clientOptions, session },
    });
    expect(pair.client.error).toBeUndefined();
    // With TLS 1.2 nothing is said of a ticket that was renewed.
    const renewed = pair.client.sessions.at(-1) ?? Buffer.from(pair.client.session.session() ?? []);
    return { reused: pair.server.session.sessionReused(), session: renewed };
  }

  describe.each(['TLSv1.2', 'TLSv1.3'] as const)('of %s', (version) => {
    test('resume in their own context alone, by default', () => {
      const server = serverWith(undefined, version);
      const session = newSession(server);
      expect(resume(server, session).reused).toBe(true);
      expect(resume(serverWith(undefined, version), session).reused).toBe(false);
    });

    test('resume in every context with the same key', () => {
      const key = randomBytes(48);
      const session = newSession(serverWith([key], version));
      expect(resume(serverWith([key], version), session).reused).toBe(true);
      expect(resume(serverWith([randomBytes(48)], version), session).reused).toBe(false);
      const other = make({
        ...certificates.server,
        ticketKeys: key,
        sessionIdContext: 'other',
        maxVersion: version,
      });
      expect(resume(other, session).reused).toBe(false);
    });

    test('survive a rotation, and are renewed by it', () => {
      const [old, next] = [randomBytes(48), randomBytes(48)];
      const server = serverWith([old], version);
      const session = newSession(server);
      server.setTicketKeys([next, old]);
      const rotated = resume(server, session);
      expect(rotated.reused).toBe(true);
      server.setTicketKeys([next]);
      expect(resume(server, session).reused).toBe(false);
      expect(resume(server, rotated.session).reused).toBe(true);
    });

    test('of node:tls resume here', async () => {
      const key = randomBytes(48);
      const { session } = await nodeConnection(key, version);
      expect(resume(serverWith([key], version), sessionDer(session)).reused).toBe(true);
    });

    test('of here resume in node:tls', async () => {
      const key = randomBytes(48);
      const session = newSession(serverWith([key], version));
      // Newer Node.js wants to know the host of a session, which it writes before OpenSSL's form.
      const { session: ofNode } = await nodeConnection(key, version);
      const prefix = ofNode.subarray(0, ofNode.length - sessionDer(ofNode).length);
      const { reused } = await nodeConnection(key, version, Buffer.concat([prefix, session]));
      expect(reused).toBe(true);
    });
  });

  /** A client and a server of `node:tls`. */
  async function nodeConnection(ticketKeys: Buffer, maxVersion: tls.SecureVersion, resumed?: Buffer) {
    const { ca, server: credentials } = certificates;
    const server = tls.createServer(
      { ...credentials, ticketKeys, sessionIdContext, maxVersion },
      (socket) => {
        socket.end('from the server');
      },
    );
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const socket = tls.connect({
      port,
      host: '127.0.0.1',
      ca: ca.cert,
      ...(resumed && { session: resumed }),
    });
    let session: Buffer = Buffer.alloc(0);
    socket.on('session', (each) => {
      session = each;
    });
    socket.resume();
    await once(socket, 'secureConnect');
    const reused = socket.isSessionReused();
    await once(socket, 'close');
    server.close();
    await once(server, 'close');
    return { session, reused };
  }

  test('have keys of 48 bytes, checked before they are read', () => {
    const context = make({});
    for (const keys of [[], [randomBytes(47)], [randomBytes(48), randomBytes(49)]]) {
      expect(() => context.setTicketKeys(keys)).toThrow(TypeError);
    }
    const options = nativeContextOptions(readSecureContextOptions({}));
    expect(() => loadAddon().createContext({ ...options, ticketKeys: [Buffer.alloc(3)] })).toThrow(TypeError);
  });
});

describe('chosen at the ClientHello', () => {
  const servername = 'www.example.test';
  const options = { servername, sessions: true };
  let first: NativeContext;

  beforeAll(() => {
    first = make({ ...certificates.server, ca: certificates.otherCa.cert });
  });

  test('shows its certificates, trusts whom it trusts, and has its own tickets', () => {
    const { wildcard, ca, client: credentials } = certificates;
    const chosen = make({ ...wildcard, ca: ca.cert });
    const client = make({ ...credentials, ca: ca.cert });
    const connect = (context: NativeContext, session?: Buffer) => {
      const peers = pairs.connect(client, first, {
        client: { ...options, session },
        server: { requestCert: true },
        answer: { context },
      });
      expect(peers.server.error).toBeUndefined();
      expect(peers.client.plain.toString()).toBe('from the server');
      return peers;
    };
    const { session, sessions } = connect(chosen).client;
    const { raw } = new X509Certificate(wildcard.cert);
    expect(Buffer.from(session.peerCertificates()[0] as Uint8Array)).toEqual(raw);
    expect(connect(chosen, sessions.at(-1)).server.session.sessionReused()).toBe(true);
    const another = make({ ...wildcard, ca: ca.cert });
    expect(connect(another, sessions.at(-1)).server.session.sessionReused()).toBe(false);
  });

  test('speaks its own versions', () => {
    const { wildcard, ca } = certificates;
    const connect = (server: SecureContextOptions, client: SecureContextOptions) =>
      pairs.connect(make({ ca: ca.cert, ...client }), first, {
        client: options,
        answer: { context: make({ ...wildcard, ...server }) },
      });
    expect(connect({ maxVersion: 'TLSv1.2' }, {}).client.session.protocol()).toBe('TLSv1.2');
    expect(connect({ minVersion: 'TLSv1.3' }, { maxVersion: 'TLSv1.2' }).server.error).toMatchObject({
      code: 'ERR_SSL_UNSUPPORTED_PROTOCOL',
    });
  });
});

test('a thread has its own contexts, and leaves those of others alone when it ends', async () => {
  const context = make(certificates.server);
  const options = nativeContextOptions(readSecureContextOptions(certificates.server));
  const worker = new Worker(
    `const { parentPort, workerData: { path, roots, options } } = require('node:worker_threads');
    const addon = require(path);
    addon.setRoots(roots);
    globalThis.contexts = [addon.createContext(options), addon.createContext({ ...options, ca: [] })];
    parentPort.postMessage(addon.counts());`,
    { eval: true, workerData: { path: addonPath(), roots: [certificates.ca.cert], options } },
  );
  const [[counts], [exitCode]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')]);
  expect(counts).toMatchObject({ contexts: 2 });
  expect(exitCode).toBe(0);
  expect(pairs.connect(make({ ca: certificates.ca.cert }), context).client.error).toBeUndefined();
});
