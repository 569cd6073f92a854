/** TLS suite, part 6: resumption, and what both sides must agree on: keys, exported material, stapled responses. */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { turns } from '../../turns.js';
import { assertCode, itWithTls, type TlsConnectOptions, type TlsScene, type TlsSuite } from './scene.js';
import type { TlsTestContext } from './subject.js';

const ticketKey = () => randomBytes(48);

export function tlsSessionSuite(suite: TlsSuite): void {
  resumptionSuite(suite);
  agreementSuite(suite);
  ocspSuite(suite);
}

/** A session that a server with this context has given. */
async function sessionOf(scene: TlsScene, options: TlsConnectOptions): Promise<Buffer> {
  const connection = scene.connect(options);
  await connection.untilHandshaken();
  await connection.transfer(connection.server, Buffer.from('hello'));
  const { client } = connection;
  await client.until('a session', () => client.sessions.length > 0);
  await connection.close();
  assert.equal(client.facts.sessionReused, false);
  return client.sessions.at(-1) as Buffer;
}

/** Whether the session is taken; client and server must say the same. */
async function isReused(scene: TlsScene, session: Buffer, options: TlsConnectOptions): Promise<boolean> {
  const connection = scene.connect({ ...options, client: { ...options.client, session } });
  await connection.converse();
  const { client, server } = connection;
  assert.equal(client.facts.sessionReused, server.facts.sessionReused);
  assert.equal(client.facts.authorized, true);
  return client.facts.sessionReused;
}

function resumptionSuite(suite: TlsSuite): void {
  const serverWith = (made: TlsTestContext) => ({ serverContext: { made } });

  itWithTls(suite, 'a session is taken up again, more than once', async (scene) => {
    const server = serverWith(scene.serverContext());
    let session = await sessionOf(scene, server);
    assert.equal(await isReused(scene, session, server), true);
    const connection = scene.connect({ ...server, client: { session } });
    await connection.untilHandshaken();
    await connection.transfer(connection.server, Buffer.from('hello'));
    await connection.untilStill();
    session = connection.client.sessions.at(-1) ?? session;
    await connection.close();
    assert.equal(await isReused(scene, session, server), true);
  });

  itWithTls(suite, 'a session of a server with other keys is not taken up', async (scene) => {
    const session = await sessionOf(scene, serverWith(scene.serverContext()));
    assert.equal(await isReused(scene, session, serverWith(scene.serverContext())), false);
  });

  itWithTls(suite, 'servers with the same ticket keys take up sessions of each other', async (scene) => {
    const ticketKeys = [ticketKey()];
    const session = await sessionOf(scene, serverWith(scene.serverContext({ ticketKeys })));
    assert.equal(await isReused(scene, session, serverWith(scene.serverContext({ ticketKeys }))), true);
  });

  itWithTls(suite, 'a session outlives a new ticket key, but not the loss of its own', async (scene) => {
    const [first, second, third] = [ticketKey(), ticketKey(), ticketKey()];
    const made = scene.serverContext({ ticketKeys: [first] });
    const server = serverWith(made);
    const session = await sessionOf(scene, server);
    if (suite.traits.oldTicketKeys) {
      scene.pair.server.setTicketKeys(made, [second, first]);
      assert.equal(await isReused(scene, session, server), true);
      const renewed = await sessionOf(scene, server);
      scene.pair.server.setTicketKeys(made, [third, second]);
      assert.equal(await isReused(scene, renewed, server), true);
    }
    scene.pair.server.setTicketKeys(made, [third]);
    assert.equal(await isReused(scene, session, server), false);
  });

  itWithTls(suite, 'a session that is none is left alone', async (scene) => {
    const server = serverWith(scene.serverContext());
    const session = await sessionOf(scene, server);
    for (const rubbish of [session.subarray(0, -20), randomBytes(200)]) {
      assert.equal(await isReused(scene, rubbish, server), false);
    }
  });

  itWithTls(suite, 'a session keeps what is known of the peer', async (scene) => {
    const { ca, client: certificate } = scene.certificates;
    const options = {
      serverContext: { made: scene.serverContext({ ca: ca.cert }) },
      clientContext: { made: scene.clientContext(certificate) },
      server: { requestCert: true },
    };
    const session = await sessionOf(scene, options);
    const connection = scene.connect({ ...options, client: { session } });
    await connection.converse();
    for (const { facts } of connection.parties) {
      assert.equal(facts.sessionReused, true);
      assert.equal(facts.authorized, true);
    }
  });

  itWithTls(suite, 'a session of a peer that was not trusted does not make it trusted', async (scene) => {
    const server = serverWith(scene.serverContext(scene.certificates.selfSigned));
    const client = { rejectUnauthorized: false };
    const session = await sessionOf(scene, { ...server, client });
    const connection = scene.connect({ ...server, client: { session } });
    assertCode(await connection.client.untilError(), 'DEPTH_ZERO_SELF_SIGNED_CERT');
  });
}

function agreementSuite(suite: TlsSuite): void {
  itWithTls(suite, 'both sides log the same keys, when asked to', async (scene) => {
    const connection = scene.connect({ client: { keylog: true }, server: { keylog: true } });
    await connection.converse();
    const [client, server] = connection.parties.map(({ keylog }) => [...new Set(keylog)].sort());
    assert.deepEqual(client, server);
    const labels = client?.map((line) => line.split(' ', 1)[0]) ?? [];
    if (suite.version === 'TLSv1.2') assert.deepEqual(labels, ['CLIENT_RANDOM']);
    else assert.ok(labels.includes('CLIENT_TRAFFIC_SECRET_0'), labels.join());
    for (const line of client ?? []) assert.match(line, /^[A-Z0-9_]+ [0-9a-f]{64} [0-9a-f]+\n$/);
    const silent = scene.connect();
    await silent.converse();
    assert.deepEqual(silent.client.keylog, []);
    assert.deepEqual(silent.server.keylog, []);
  });

  itWithTls(suite, 'both sides export the same keying material', async (scene) => {
    const connection = scene.connect();
    await connection.untilHandshaken();
    const label = 'EXPERIMENTAL test';
    const [client, server] = connection.parties.map(({ facts }) => [
      facts.exportKeyingMaterial(32, label, Buffer.from('context')).toString('hex'),
      facts.exportKeyingMaterial(32, label).toString('hex'),
      facts.exportKeyingMaterial(17, label, Buffer.from('other')).toString('hex'),
    ]);
    assert.deepEqual(client, server);
    assert.equal(new Set(client).size, 3);
    assert.equal(client?.[2]?.length, 34);
  });
}

function ocspSuite(suite: TlsSuite): void {
  const response = randomBytes(300);

  for (const [how, later] of [
    ['at once', 0],
    ['later', 3],
  ] as const) {
    itWithTls(suite, `a response is stapled for a client that asks, ${how}`, async (scene) => {
      const asked: Buffer[][] = [];
      const connection = scene.connect({
        client: { requestOcsp: true },
        serverContext: { cert: scene.certificates.chained.chain, key: scene.certificates.chained.key },
        server: {
          ocspResponse: (certificate, issuer) => {
            asked.push(issuer === undefined ? [certificate] : [certificate, issuer]);
            return later === 0 ? response : turns(later).then(() => response);
          },
        },
      });
      await connection.converse();
      assert.deepEqual(connection.client.facts.ocspResponse, response);
      const expected = derOf(scene.certificates.chained.chain);
      assert.deepEqual(
        asked.map((pair) => pair.map((der) => der.toString('hex'))),
        [expected],
      );
    });

    itWithTls(suite, `there may be no response, ${how}`, async (scene) => {
      const connection = scene.connect({
        client: { requestOcsp: true },
        server: { ocspResponse: () => (later === 0 ? null : turns(later).then(() => null)) },
      });
      await connection.converse();
      assert.equal(connection.client.facts.ocspResponse, null);
    });
  }

  itWithTls(suite, 'nobody is asked for a response that the client does not want', async (scene) => {
    let asked = 0;
    const connection = scene.connect({
      server: {
        ocspResponse: () => {
          asked++;
          return response;
        },
      },
    });
    await connection.converse();
    assert.equal(asked, 0);
    assert.equal(connection.client.facts.ocspResponse, null);
  });
}

/** The certificates of a chain in PEM, as DER in hexadecimal. */
function derOf(chain: string): string[] {
  return [...chain.matchAll(/-{5}BEGIN CERTIFICATE-{5}([^-]*)-{5}END/g)].map(([, base64 = '']) =>
    Buffer.from(base64, 'base64').toString('hex'),
  );
}
