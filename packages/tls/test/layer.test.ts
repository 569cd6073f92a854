/** The layer: names, protocols, certificates, sessions, and what is known of them, on every engine. */

import { Connection } from '@iocp/core/layer';
import { ChannelProbe, pattern, type TestCertificates, testCertificates } from '@iocp/testkit';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createSecureContext, engineInfo, type TlsOptions, tls, tlsOf } from '../src/index.js';
import { engines, Scene } from './support/layers.js';

let made: TestCertificates;
let scene: Scene;

beforeAll(async () => {
  made = await testCertificates();
});

beforeEach(() => {
  scene = new Scene();
});

afterEach(() => scene.finish());

function commonNameOf(certificate: { subject?: { CN?: string | string[] } }) {
  return certificate.subject?.CN;
}

describe.each(engines)('on the engine %s', (engine) => {
  const server = (options: TlsOptions = {}) =>
    tls({ cert: made.server.cert, key: made.server.key, engine, ...options });
  const client = (options: TlsOptions = {}) => tls({ ca: made.ca.cert, engine, ...options });

  test('carries bytes both ways, and says what it is', async () => {
    const { near, far, client: facts } = await scene.connect(server(), client());
    near.write(pattern(100_000));
    far.write(pattern(50_000));
    await Promise.all([far.untilReceived(100_000), near.untilReceived(50_000)]);
    const { info } = near.channel;
    expect(info).toMatchObject({ protocols: ['memory', 'tls'], encrypted: true, remoteAddress: 'memory' });
    expect(tlsOf(new Connection(near.channel))).toBe(facts);
    expect(facts).toMatchObject({ protocol: 'TLSv1.3', authorized: true, sessionReused: false });
    expect(facts.cipher?.name).toMatch(/^TLS_/);
    near.end();
    far.end();
    expect([await near.untilClosed(), await far.untilClosed()]).toEqual([null, null]);
    expect(facts.protocol).toBe('TLSv1.3');
  });

  describe('whom a client expects', () => {
    test('is the host', async () => {
      const { server: facts } = await scene.connect(server(), client(), { client: { host: 'localhost' } });
      expect(facts.servername).toBe('localhost');
    });

    test('is an address, which it does not ask for', async () => {
      const { server: facts, client: own } = await scene.connect(server(), client(), {
        client: { host: '127.0.0.1' },
      });
      expect(facts.servername).toBe(false);
      expect(own.authorized).toBe(true);
    });

    test('is who the options name, and then the connection', async () => {
      const other = { cert: made.otherHost.cert, key: made.otherHost.key };
      const { server: facts } = await scene.connect(server(other), client({ servername: 'other.test' }));
      expect(facts.servername).toBe('other.test');
      await scene.connect(server(other), client({ servername: 'localhost' }), {
        client: { servername: 'other.test' },
      });
    });

    test('is the host when it asks for no name', async () => {
      const { server: facts } = await scene.connect(server(), client({ servername: '' }));
      expect(facts.servername).toBe(false);
    });

    test('has the name without the dot of a full name', async () => {
      const { server: facts } = await scene.connect(server(), client(), { client: { host: 'localhost.' } });
      expect(facts.servername).toBe('localhost');
    });

    test('is somebody else', async () => {
      const [near, far] = await scene.attempt(server(), client(), { client: { host: 'other.test' } });
      expect(near).toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
      if (far instanceof Error) expect(far).toHaveProperty('code');
    });

    test('must be known', async () => {
      const { near, far } = scene.network.pair();
      const peer = scene.probe(far);
      await expect(client().wrap(near, 'client')).rejects.toMatchObject({ code: 'ERR_MISSING_OPTION' });
      expect(near.closed).toBe(true);
      await peer.untilClosed();
    });

    test('is whom a function of its own says', async () => {
      const seen: unknown[] = [];
      const checkServerIdentity: TlsOptions['checkServerIdentity'] = (host, certificate) => {
        seen.push(host, commonNameOf(certificate));
        return undefined;
      };
      await scene.connect(server(), client({ checkServerIdentity }), { client: { host: '' } });
      expect(seen.length).toBe(2);
      const refusal = Object.assign(new Error('not that one'), { code: 'ERR_NOT_THAT_ONE' });
      const [near] = await scene.attempt(server(), client({ checkServerIdentity: () => refusal }));
      expect(near).toBe(refusal);
    });

    test('need not be good', async () => {
      const { client: facts } = await scene.connect(
        server({ cert: made.selfSigned.cert, key: made.selfSigned.key }),
        client({ rejectUnauthorized: false }),
      );
      expect(facts.authorized).toBe(false);
      expect(facts.authorizationError).toMatchObject({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
    });

    test('must be good', async () => {
      const [near, far] = await scene.attempt(
        server({ cert: made.expired.cert, key: made.expired.key }),
        client(),
      );
      expect(near).toMatchObject({ code: 'CERT_HAS_EXPIRED' });
      // TLS 1.3: the server may have been done before it heard.
      if (far instanceof Error) expect(far).toHaveProperty('code');
    });
  });

  describe('a server', () => {
    test('needs a certificate', async () => {
      const { near, far } = scene.network.pair();
      const peer = scene.probe(near);
      await expect(tls({ engine }).wrap(far, 'server')).rejects.toMatchObject({ code: 'ERR_MISSING_OPTION' });
      await peer.untilClosed();
      expect(() => tls({ engine }).assertServes()).toThrow(
        expect.objectContaining({ code: 'ERR_MISSING_OPTION' }),
      );
    });

    test('has certificates by name', async () => {
      const layer = server({
        servernames: {
          'other.test': { cert: made.otherHost.cert, key: made.otherHost.key },
          '*.example.test': createSecureContext({
            cert: made.wildcard.cert,
            key: made.wildcard.key,
            engine,
          }),
        },
      });
      for (const host of ['other.test', 'www.example.test', 'localhost']) {
        await scene.connect(layer, client(), { client: { host } });
      }
      const [near] = await scene.attempt(layer, client(), { client: { host: 'unknown.test' } });
      expect(near).toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
    });

    test('has certificates by name only', async () => {
      const layer = tls({
        engine,
        servernames: { localhost: { cert: made.server.cert, key: made.server.key } },
      });
      await scene.connect(layer, client());
      const [near, far] = await scene.attempt(layer, client(), { client: { host: 'other.test' } });
      expect(near).toHaveProperty('code');
      expect(far).toHaveProperty('code');
    });

    test('asks for certificates later', async () => {
      const context = createSecureContext({ cert: made.otherHost.cert, key: made.otherHost.key, engine });
      const layer = server({
        SNICallback: (name, answer) =>
          void setImmediate(() => answer(null, name === 'other.test' ? context : undefined)),
      });
      for (const host of ['other.test', 'localhost']) {
        await scene.connect(layer, client(), { client: { host } });
      }
    });

    test('refuses names', async () => {
      const refusal = Object.assign(new Error('no such name'), { code: 'ERR_NO_SUCH_NAME' });
      const [near, far] = await scene.attempt(
        server({ SNICallback: () => Promise.reject(refusal) }),
        client(),
      );
      expect(far).toBe(refusal);
      expect(near).toHaveProperty('code');
    });

    test('asks clients for certificates', async () => {
      const layer = server({ requestCert: true, ca: made.ca.cert });
      const { server: facts } = await scene.connect(
        layer,
        client({ cert: made.client.cert, key: made.client.key }),
      );
      expect(facts.authorized).toBe(true);
      expect(commonNameOf(facts.getPeerCertificate())).toBe('client');
      const [, far] = await scene.attempt(layer, client());
      expect(far).toHaveProperty('code');
    });

    test('gets other certificates while connections go on', async () => {
      const layer = server();
      const before = await scene.connect(layer, client());
      layer.setSecureContext({ cert: made.otherHost.cert, key: made.otherHost.key });
      const after = await scene.connect(layer, client(), { client: { host: 'other.test' } });
      for (const { near, far } of [before, after]) {
        near.write(pattern(1000));
        await far.untilReceived(1000);
      }
      expect(() => layer.setSecureContext({ cert: made.server.cert, key: made.otherHost.key })).toThrow();
      await scene.connect(layer, client(), { client: { host: 'other.test' } });
    });
  });

  describe('application protocols', () => {
    test.each([
      [['http/1.1', 'h2'], ['h2', 'http/1.1'], 'http/1.1'],
      [Buffer.from('\x02h2'), ['h2'], 'h2'],
      [['h2'], undefined, false],
      [undefined, ['h2'], false],
    ])('of a server with %o and a client with %o: %o', async (own, offered, expected) => {
      const { client: near, server: far } = await scene.connect(
        server({ ALPNProtocols: own }),
        client({ ALPNProtocols: offered }),
      );
      expect([near.alpnProtocol, far.alpnProtocol]).toEqual([expected, expected]);
    });

    test('that have nothing in common', async () => {
      const [near] = await scene.attempt(
        server({ ALPNProtocols: ['h2'] }),
        client({ ALPNProtocols: ['h3'] }),
      );
      expect(near).toMatchObject({ code: 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL' });
    });

    test('are chosen by a callback', async () => {
      const seen: unknown[] = [];
      const layer = server({
        ALPNCallback: (offer) => {
          seen.push(offer);
          return offer.protocols.includes('h2') ? 'h2' : undefined;
        },
      });
      const { server: facts } = await scene.connect(layer, client({ ALPNProtocols: ['x', 'h2'] }));
      expect(facts.alpnProtocol).toBe('h2');
      expect(seen).toEqual([{ servername: 'localhost', protocols: ['x', 'h2'] }]);
      const [near] = await scene.attempt(layer, client({ ALPNProtocols: ['x'] }));
      expect(near).toMatchObject({ code: 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL' });
    });

    test('that a callback makes up end the handshake', async () => {
      const [, far] = await scene.attempt(
        server({ ALPNCallback: () => 'h9' }),
        client({ ALPNProtocols: ['h2'] }),
      );
      expect(far).toMatchObject({ code: 'ERR_TLS_ALPN_CALLBACK_INVALID_RESULT' });
    });
  });

  describe('sessions', () => {
    test('are resumed, by the layer or by the connection', async () => {
      const layer = server();
      const sessions: Buffer[] = [];
      const protocols: unknown[] = [];
      const onSession: TlsOptions['onSession'] = (session, info) => {
        sessions.push(session);
        protocols.push(info.tls?.protocol);
      };
      const first = await scene.connect(layer, client({ onSession }));
      first.far.write(pattern(1));
      await first.near.untilReceived(1);
      await first.near.until('a session', () => sessions.length > 0);
      expect(protocols[0]).toBe('TLSv1.3');
      const session = sessions[0] as Buffer;
      const byLayer = await scene.connect(layer, client({ session }));
      expect([byLayer.client.sessionReused, byLayer.server.sessionReused]).toEqual([true, true]);
      const byConnection = await scene.connect(layer, client(), {
        client: { session: sessions[1] ?? session },
      });
      expect(byConnection.client.sessionReused).toBe(true);
    });

    test('survive a change of certificates', async () => {
      const layer = server({ ticketKeys: Buffer.alloc(48, 7) });
      const sessions: Buffer[] = [];
      const onSession = (session: Buffer) => void sessions.push(session);
      const first = await scene.connect(layer, client({ onSession }));
      first.far.write(pattern(1));
      await first.near.untilReceived(1);
      layer.setSecureContext({ cert: made.serverRsa.cert, key: made.serverRsa.key });
      const again = await scene.connect(layer, client(), { client: { session: sessions[0] as Buffer } });
      expect(again.client.sessionReused).toBe(true);
    });
  });

  test('writes a key log for those who ask', async () => {
    const lines: string[] = [];
    await scene.connect(
      server(),
      client({ onKeylog: (line, info) => void lines.push(`${info.protocols.length} ${line}`) }),
    );
    expect(lines.length).toBeGreaterThanOrEqual(4);
    for (const line of lines) expect(line).toMatch(/^2 [A-Z0-9_]+ [0-9a-f]{64} [0-9a-f]+\n$/);
  });

  test('staples what the server has for those who ask', async () => {
    const response = Buffer.from('300e0a0100', 'hex');
    const layer = server({ ocspResponse: async (certificate) => (certificate.length > 0 ? response : null) });
    const without = await scene.connect(layer, client());
    expect(without.client.ocspResponse).toBe(null);
    const { client: facts } = await scene.connect(layer, client({ requestOCSP: true }));
    expect(facts.ocspResponse).toEqual(response);
  });

  test('gives the same keys to both sides', async () => {
    const { client: near, server: far } = await scene.connect(server(), client());
    const [some, others] = [near, far].map((facts) => facts.exportKeyingMaterial(32, 'EXPORTER-test'));
    expect(some).toEqual(others);
  });

  test.each([
    ['whole', (head: Uint8Array[]) => Buffer.concat(head)],
    ['in parts', (head: Uint8Array[]) => head.flatMap((part) => [part.subarray(0, 7), part.subarray(7)])],
  ])('goes on where another protocol has stopped (STARTTLS), with what has come %s', async (_, headOf) => {
    const lower = scene.network.pair();
    const early = new ChannelProbe(lower.far);
    early.pause();
    const near = client().wrap(lower.near, 'client', { host: 'localhost' });
    early.resume();
    await early.untilReceived(100);
    const received = [...early.chunks, ...early.detach()];
    const far = server().wrap(lower.far, 'server', { head: headOf(received) });
    const [probe, peer] = [scene.probe(await near), scene.probe(await far)];
    probe.write(pattern(10));
    await peer.untilReceived(10);
  });

  test.each([
    [{ head: 'text' }],
    [{ head: [1] }],
    [{ host: 1 }],
    [{ servername: {} }],
    [{ session: 'text' }],
    [{ signal: {} }],
  ])('refuses %o, and aborts the channel', async (options) => {
    const lower = scene.network.pair();
    const peer = scene.probe(lower.far);
    await expect(client().wrap(lower.near, 'client', options as never)).rejects.toMatchObject({
      code: 'ERR_INVALID_ARG_TYPE',
    });
    await peer.untilClosed();
  });

  test('refuses a role that there is not', async () => {
    const lower = scene.network.pair();
    const peer = scene.probe(lower.far);
    await expect(client().wrap(lower.near, 'peer' as never)).rejects.toMatchObject({
      code: 'ERR_INVALID_ARG_VALUE',
    });
    await peer.untilClosed();
  });

  test('says what runs', () => {
    expect(tls({ engine }).engine).toBe(engine);
    expect(engineInfo(engine)).toMatchObject({ engine, library: expect.stringMatching(/OpenSSL \d/) });
  });
});

describe('tlsOf', () => {
  test('knows what is none of it', () => {
    const { near, far } = scene.network.pair();
    expect(() => tlsOf(near)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }));
    expect(() => tlsOf({} as never)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
    scene.probe(near);
    scene.probe(far);
  });
});
