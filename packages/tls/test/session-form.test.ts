/** What is read of a client's session without OpenSSL. */

import { X509Certificate } from 'node:crypto';
import { type TestCertificates, testCertificates, withBitFlipped } from '@iocp/testkit';
import { beforeAll, describe, expect, test } from 'vitest';
import { createNodeEngine } from '../src/engine/node/node-engine.js';
import { certificateInSession, sessionDer } from '../src/engine/session-form.js';
import { contextOf, EnginePair } from './support/engine-pair.js';

let certificates: TestCertificates;

beforeAll(async () => {
  certificates = await testCertificates();
});

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('a session of %s', (maxVersion) => {
  let session: Buffer;

  beforeAll(async () => {
    const { ca, server } = certificates;
    const pair = new EnginePair(
      createNodeEngine,
      { context: contextOf({ ca: ca.cert, maxVersion }, 'node'), settings: { sessions: true } },
      { context: contextOf(server, 'node') },
    );
    await pair.start().exchangeUntil(() => pair.client.sessions.length > 0);
    session = pair.client.sessions[0] as Buffer;
    pair.destroy();
  });

  test('holds the certificate of the server', () => {
    expect(certificateInSession(session)).toEqual(new X509Certificate(certificates.server.cert).raw);
  });

  test('holds none, and harms nobody, when something is missing', () => {
    for (let bytes = 0; bytes < session.byteLength; bytes++) {
      expect(certificateInSession(session.subarray(0, bytes))).toBeUndefined();
    }
  });

  test('harms nobody when a bit has turned', () => {
    for (let bit = 0; bit < session.byteLength * 8; bit++) {
      const found = certificateInSession(Buffer.from(withBitFlipped(session, bit)));
      expect(found === undefined || found.byteLength < session.byteLength).toBe(true);
    }
  });

  test('is found behind the name that newer releases of Node put before it', () => {
    const prefix = Buffer.from('\0nodejs:tls:session:1\0', 'latin1');
    const name = Buffer.from('\0\x09localhost', 'latin1');
    expect(sessionDer(Buffer.concat([prefix, name, session]))).toEqual(session);
    expect(sessionDer(session)).toBe(session);
    expect(sessionDer(prefix)).toBe(prefix);
    expect(sessionDer(Buffer.concat([prefix, name]).subarray(0, -3))).toHaveLength(0);
  });
});
