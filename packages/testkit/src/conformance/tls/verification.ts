/** TLS suite, part 5: whom to trust. The codes are those of `node:tls`. */

import assert from 'node:assert/strict';
import { assertCode, itWithTls, type TlsConnectOptions, type TlsScene, type TlsSuite } from './scene.js';

/** What a peer may see of a refusal after the handshake: the alert, or a stream that breaks off. */
const alertOrEnd = /^ERR_(SSL_.*ALERT.*|TLS_TRUNCATED)$/;

export function tlsVerificationSuite(suite: TlsSuite): void {
  serverSuite(suite);
  clientSuite(suite);
}

function serverSuite(suite: TlsSuite): void {
  const cases: readonly [what: string, code: string, options: (scene: TlsScene) => TlsConnectOptions][] = [
    [
      'another host',
      'ERR_TLS_CERT_ALTNAME_INVALID',
      ({ certificates }) => ({ serverContext: certificates.otherHost }),
    ],
    [
      'a time that is over',
      'CERT_HAS_EXPIRED',
      ({ certificates }) => ({ serverContext: certificates.expired }),
    ],
    [
      'a time to come',
      'CERT_NOT_YET_VALID',
      ({ certificates }) => ({ serverContext: certificates.notYetValid }),
    ],
    [
      'itself',
      'DEPTH_ZERO_SELF_SIGNED_CERT',
      ({ certificates }) => ({ serverContext: certificates.selfSigned }),
    ],
    [
      'an unknown authority',
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      ({ certificates }) => ({ serverContext: certificates.unknownIssuer }),
    ],
    [
      'an unknown authority that comes with it',
      'SELF_SIGNED_CERT_IN_CHAIN',
      ({ certificates: { unknownIssuer, otherCa } }) => ({
        serverContext: { key: unknownIssuer.key, cert: unknownIssuer.cert + otherCa.cert },
      }),
    ],
    [
      'an authority in between that is missing',
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      ({ certificates: { chained } }) => ({ serverContext: { key: chained.key, cert: chained.cert } }),
    ],
    ['a client', 'INVALID_PURPOSE', ({ certificates }) => ({ serverContext: certificates.client })],
    [
      'one who lost it',
      'CERT_REVOKED',
      ({ certificates: { revoked, crl } }) => ({ serverContext: revoked, clientContext: { crl } }),
    ],
  ];
  for (const [what, code, options] of cases) {
    itWithTls(suite, `a certificate for or by ${what} is refused: ${code}`, async (scene) => {
      const connection = scene.connect(options(scene));
      assert.equal(await connection.client.untilError(), code);
      assert.equal(connection.client.handshaken, false);
      assertCode(await connection.server.untilError(), alertOrEnd);
    });

    itWithTls(
      suite,
      `with rejectUnauthorized false ${code} is told, and the connection works`,
      async (scene) => {
        const connection = scene.connect({ ...options(scene), client: { rejectUnauthorized: false } });
        await connection.converse();
        const { facts } = connection.client;
        assert.equal(facts.authorized, false);
        assert.equal(facts.authorizationError?.code, code);
      },
    );
  }

  itWithTls(suite, 'good certificates of every form are taken', async (scene) => {
    const { serverRsa, chained, encrypted, pfx } = scene.certificates;
    for (const serverContext of [serverRsa, { key: chained.key, cert: chained.chain }, encrypted, pfx]) {
      const connection = scene.connect({ serverContext });
      await connection.converse();
      assert.equal(connection.client.facts.authorized, true);
      scene.release();
    }
  });

  itWithTls(
    suite,
    'a certificate is looked at for addresses, and a wildcard for one label',
    async (scene) => {
      const { wildcard } = scene.certificates;
      for (const expectedHost of ['127.0.0.1', '::1', 'LOCALHOST']) {
        await scene.connect({ client: { servername: '', expectedHost } }).converse();
      }
      await scene.connect({ serverContext: wildcard, client: { servername: 'a.example.test' } }).converse();
      for (const [serverContext, expectedHost] of [
        [wildcard, 'example.test'],
        [wildcard, 'a.b.example.test'],
        [scene.certificates.server, '127.0.0.2'],
      ] as const) {
        const connection = scene.connect({ serverContext, client: { servername: '', expectedHost } });
        assert.equal(await connection.client.untilError(), 'ERR_TLS_CERT_ALTNAME_INVALID');
      }
    },
  );

  itWithTls(suite, 'a list of the revoked does not harm the others', async (scene) => {
    await scene.connect({ clientContext: { crl: scene.certificates.crl } }).converse();
  });

  itWithTls(suite, 'without authorities of its own a client trusts those of Node.js', async (scene) => {
    const made = scene.pair.client.context({ minVersion: scene.version, maxVersion: scene.version });
    const connection = scene.connect({ clientContext: { made } });
    assert.equal(await connection.client.untilError(), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE');
  });
}

function clientSuite(suite: TlsSuite): void {
  const asks = { requestCert: true } as const;

  itWithTls(suite, 'a client certificate is seen by a server that asks for one', async (scene) => {
    const { ca, client } = scene.certificates;
    const connection = scene.connect({
      server: asks,
      serverContext: { ca: ca.cert },
      clientContext: client,
    });
    await connection.converse();
    const { facts } = connection.server;
    assert.equal(facts.authorized, true);
    assert.equal(facts.authorizationError, null);
    assert.deepEqual({ ...subjectOf(facts.getPeerCertificate()) }, { CN: 'client' });
  });

  itWithTls(suite, 'a client certificate is not seen by a server that does not ask', async (scene) => {
    const { ca, client } = scene.certificates;
    const connection = scene.connect({ serverContext: { ca: ca.cert }, clientContext: client });
    await connection.converse();
    assert.equal(connection.server.facts.authorized, false);
    assert.deepEqual(connection.server.facts.getPeerCertificate(), {});
  });

  const cases: readonly [
    what: string,
    code: string,
    told: string,
    options: (scene: TlsScene) => TlsConnectOptions,
  ][] = [
    [
      'no certificate',
      'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE',
      'UNABLE_TO_GET_ISSUER_CERT',
      ({ certificates }) => ({ serverContext: { ca: certificates.ca.cert } }),
    ],
    [
      'one by an unknown authority',
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      ({ certificates }) => ({
        serverContext: { ca: certificates.ca.cert },
        clientContext: certificates.clientOfOtherCa,
      }),
    ],
    [
      'one for a server',
      'INVALID_PURPOSE',
      'INVALID_PURPOSE',
      ({ certificates }) => ({
        serverContext: { ca: certificates.ca.cert },
        clientContext: certificates.server,
      }),
    ],
  ];
  for (const [what, code, told, options] of cases) {
    itWithTls(suite, `a server that asks refuses a client with ${what}`, async (scene) => {
      const connection = scene.connect({ ...options(scene), server: asks });
      assert.equal(await connection.server.untilError(), code);
      assert.equal(connection.server.handshaken, false);
      assertCode(await connection.client.untilError(), suite.traits.alertsRefusal ? /ALERT/ : alertOrEnd);
    });

    itWithTls(suite, `a server that asks and does not reject is told of ${what}`, async (scene) => {
      const connection = scene.connect({
        ...options(scene),
        server: { ...asks, rejectUnauthorized: false },
      });
      await connection.converse();
      const { facts } = connection.server;
      assert.equal(facts.authorized, false);
      assert.equal(facts.authorizationError?.code, told);
    });
  }
}

const subjectOf = (certificate: object) => (certificate as { subject: object }).subject;
