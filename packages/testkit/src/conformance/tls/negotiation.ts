/** TLS suite, part 4: versions, ciphers, the application's protocol (ALPN) and the server's name (SNI). */

import assert from 'node:assert/strict';
import { turns } from '../../turns.js';
import { assertCode, itWithTls, type TlsConnectOptions, type TlsScene, type TlsSuite } from './scene.js';
import type { TlsVersion } from './subject.js';
import type { Carry } from './wire.js';

export function tlsNegotiationSuite(suite: TlsSuite): void {
  versionSuite(suite);
  alpnSuite(suite);
  sniSuite(suite);
}

function versionSuite(suite: TlsSuite): void {
  const other: TlsVersion = suite.version === 'TLSv1.2' ? 'TLSv1.3' : 'TLSv1.2';

  itWithTls(suite, 'takes the newest version that both have', async (scene) => {
    const both = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.3' } as const;
    for (const [clientContext, serverContext] of [
      [both, {}],
      [{}, both],
    ] as const) {
      const connection = scene.connect({ clientContext, serverContext });
      await connection.converse();
      assert.equal(connection.client.facts.protocol, scene.version);
      assert.equal(connection.server.facts.protocol, scene.version);
    }
    const connection = scene.connect({ clientContext: both, serverContext: both });
    await connection.converse();
    assert.equal(connection.client.facts.protocol, 'TLSv1.3');
  });

  itWithTls(suite, `refuses a client that has ${other} only`, async (scene) => {
    const connection = scene.connect({ clientContext: { minVersion: other, maxVersion: other } });
    const codes = await connection.untilRefused();
    assert.equal(codes.server, 'ERR_SSL_UNSUPPORTED_PROTOCOL');
    assert.equal(codes.client, 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION');
  });

  // Without the extension supported_versions, the version of the hello is what a client has at most.
  if (suite.version === 'TLSv1.2') {
    for (const [name, minor] of [
      ['TLS 1.1', 2],
      ['TLS 1.0', 1],
      ['SSL 3.0', 0],
    ] as const) {
      itWithTls(suite, `refuses a client that has ${name}`, async (scene) => {
        const connection = scene.connect({ toServer: withHelloVersion(minor) });
        assertCode(await connection.server.untilError(), /^ERR_SSL_(UNSUPPORTED_PROTOCOL|VERSION_TOO_LOW)$/);
        await connection.client.untilError();
      });

      itWithTls(suite, `refuses a server that has ${name}`, async (scene) => {
        const connection = scene.connect({ toClient: withHelloVersion(minor) });
        assertCode(
          await connection.client.untilError(),
          /^ERR_SSL_(UNSUPPORTED_PROTOCOL|WRONG_SSL_VERSION|WRONG_VERSION_NUMBER)$/,
        );
        await connection.server.untilError();
      });
    }
  }

  itWithTls(suite, 'takes a cipher that both have, and refuses when there is none', async (scene) => {
    const [one, another] =
      suite.version === 'TLSv1.2'
        ? ['ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-CHACHA20-POLY1305']
        : ['TLS_AES_128_GCM_SHA256', 'TLS_CHACHA20_POLY1305_SHA256'];
    const connection = scene.connect({
      clientContext: { ciphers: `${one}:${another}` },
      serverContext: { ciphers: another },
    });
    await connection.converse();
    assert.equal(connection.client.facts.cipher?.name, another);
    assert.equal(connection.server.facts.cipher?.name, another);
    const refused = scene.connect({ clientContext: { ciphers: one }, serverContext: { ciphers: another } });
    const codes = await refused.untilRefused();
    assert.equal(codes.server, 'ERR_SSL_NO_SHARED_CIPHER');
    assertCode(codes.client, /ALERT_HANDSHAKE_FAILURE$/);
  });
}

/** Writes a version (3.`minor`) into the hello, which is the first message of either side. */
function withHelloVersion(minor: number): Carry {
  const versionAt = 5 + 4;
  return (bytes, offset) => {
    if (offset > 0) return [bytes];
    const copy = new Uint8Array(bytes);
    copy[versionAt + 1] = minor;
    return [copy];
  };
}

function alpnSuite(suite: TlsSuite): void {
  const chosen = async (scene: TlsScene, options: TlsConnectOptions) => {
    const connection = scene.connect(options);
    await connection.converse();
    assert.equal(connection.client.facts.alpnProtocol, connection.server.facts.alpnProtocol);
    return connection.client.facts.alpnProtocol;
  };
  const refused = async (scene: TlsScene, options: TlsConnectOptions) => {
    const codes = await scene.connect(options).untilRefused();
    assert.equal(codes.client, 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL');
    return codes.server;
  };

  itWithTls(suite, "ALPN takes the server's favourite of what the client offers", async (scene) => {
    const of = (client: string[], server: string[]) =>
      chosen(scene, { client: { alpnProtocols: client }, server: { alpnProtocols: server } });
    assert.equal(await of(['h2', 'http/1.1'], ['http/1.1', 'h2']), 'http/1.1');
    assert.equal(await of(['http/1.1', 'h2'], ['h2', 'http/1.1']), 'h2');
    assert.equal(await of(['h2'], []), false);
    assert.equal(await of([], ['h2']), false);
  });

  itWithTls(suite, 'ALPN without a common protocol is refused', async (scene) => {
    const options = { client: { alpnProtocols: ['a'] }, server: { alpnProtocols: ['b', 'c'] } };
    assert.equal(await refused(scene, options), 'ERR_SSL_NO_APPLICATION_PROTOCOL');
  });

  itWithTls(suite, 'ALPN can be chosen by a function', async (scene) => {
    const hellos: unknown[] = [];
    const protocol = await chosen(scene, {
      client: { alpnProtocols: ['x', 'y', 'z'] },
      server: {
        selectProtocol: (hello) => {
          hellos.push({ servername: hello.servername, protocols: [...hello.protocols] });
          return hello.protocols[1];
        },
      },
    });
    assert.equal(protocol, 'y');
    assert.deepEqual(hellos, [{ servername: 'localhost', protocols: ['x', 'y', 'z'] }]);
  });

  itWithTls(suite, 'ALPN can be refused by a function', async (scene) => {
    const code = await refused(scene, {
      client: { alpnProtocols: ['x'] },
      server: { selectProtocol: () => undefined },
    });
    assert.equal(code, 'ERR_SSL_NO_APPLICATION_PROTOCOL');
  });

  itWithTls(suite, 'a client that offers no protocol gets none, whatever a function says', async (scene) => {
    assert.equal(await chosen(scene, { server: { selectProtocol: () => 'x' } }), false);
  });
}

function sniSuite(suite: TlsSuite): void {
  const namesOf = (certificate: object) => (certificate as { subjectaltname?: string }).subjectaltname;

  for (const [how, later] of [
    ['at once', 0],
    ['later', 3],
  ] as const) {
    itWithTls(suite, `a context can be chosen by name, ${how}`, async (scene) => {
      const other = scene.serverContext(scene.certificates.otherHost);
      const asked: (string | undefined)[] = [];
      const connection = scene.connect({
        client: { servername: 'other.test', alpnProtocols: ['a'] },
        server: {
          alpnProtocols: ['a'],
          selectContext: ({ servername }) => {
            asked.push(servername);
            return later === 0 ? other : turns(later).then(() => other);
          },
        },
      });
      await connection.converse();
      assert.deepEqual(asked, ['other.test']);
      assert.equal(namesOf(connection.client.facts.getPeerCertificate()), 'DNS:other.test');
      assert.equal(connection.server.facts.servername, 'other.test');
      assert.equal(connection.client.facts.alpnProtocol, 'a');
    });

    itWithTls(suite, `a name without a context of its own gets the default, ${how}`, async (scene) => {
      for (const nothing of [undefined, null]) {
        const connection = scene.connect({
          server: { selectContext: () => (later === 0 ? nothing : turns(later).then(() => nothing)) },
        });
        await connection.converse();
        assert.equal(connection.client.facts.authorized, true);
      }
    });

    itWithTls(suite, `a name can be refused, ${how}`, async (scene) => {
      const reason = Object.assign(new Error('No such tenant'), { code: 'ERR_NO_TENANT' });
      const connection = scene.connect({
        server: {
          selectContext: () => {
            if (later === 0) throw reason;
            return turns(later).then(() => Promise.reject(reason));
          },
        },
      });
      const codes = await connection.untilRefused();
      assert.equal(codes.server, 'ERR_NO_TENANT');
      assert.equal(connection.server.error, reason);
      assertCode(codes.client, /UNRECOGNIZED_NAME$/);
    });
  }

  itWithTls(suite, 'bytes that come while a context is being chosen wait', async (scene) => {
    const connection = scene.connect({
      toServer: (bytes) => [bytes.subarray(0, -10), bytes.subarray(-10)],
      server: { selectContext: () => turns(4).then(() => undefined) },
    });
    await connection.converse();
  });

  for (const who of ['client', 'server'] as const) {
    itWithTls(suite, `a ${who} can be destroyed while a context is being chosen`, async (scene) => {
      let answer = () => {};
      const connection = scene.connect({
        server: { selectContext: () => new Promise((resolve) => (answer = () => resolve(undefined))) },
      });
      await connection.server.until('the question', () => connection.server.busy);
      connection[who].destroy();
      await connection.untilStill();
      answer();
      await connection.untilStill();
      assert.equal(connection.client.handshaken, false);
    });
  }

  itWithTls(suite, 'a client need not ask for a name', async (scene) => {
    const asked: (string | undefined)[] = [];
    const connection = scene.connect({
      client: { servername: '', expectedHost: '127.0.0.1' },
      server: { selectContext: ({ servername }) => void asked.push(servername) },
    });
    await connection.converse();
    assert.equal(connection.server.facts.servername, false);
    assert.deepEqual(
      asked.filter((name) => name !== undefined),
      [],
    );
  });
}
