/** Protocols, sessions, key logs and OCSP. */

import { once } from 'node:events';
import { expect, test } from 'vitest';
import {
  echo,
  nextCode,
  onEachModule,
  pair,
  type Scene,
  type Served,
  type Socket,
  textOf,
  thrown,
} from './support.js';

onEachModule('ALPN', (scene) => {
  const chosen = async (served: Served, protocols: unknown) => {
    const [client, server] = await pair(scene, served, { ALPNProtocols: protocols });
    expect(server.alpnProtocol).toBe(client.alpnProtocol);
    return client.alpnProtocol;
  };

  test('lists', async () => {
    const served = await scene.serve({ ALPNProtocols: ['h2', 'http/1.1'] });
    expect(await chosen(served, ['http/1.1', 'h2'])).toBe('h2');
    expect(await chosen(served, ['http/1.1'])).toBe('http/1.1');
    expect(await chosen(served, Buffer.from('\x08http/1.1', 'latin1'))).toBe('http/1.1');
    expect(await chosen(served, undefined)).toBe(false);
    const refused = scene.dial(served, { ALPNProtocols: ['spdy/3'] });
    expect(await nextCode(refused)).toBe('ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL');
  });

  test('nothing is chosen where nobody chooses', async () => {
    expect(await chosen(await scene.serve(), ['h2'])).toBe(false);
  });

  test('a callback', async () => {
    const asked: unknown[] = [];
    const served = await scene.serve({
      ALPNCallback: (hello) => {
        asked.push(hello);
        return hello.protocols.includes('refused') ? undefined : hello.protocols[1];
      },
    });
    expect(await chosen(served, ['a', 'b'])).toBe('b');
    expect(asked).toEqual([{ servername: 'localhost', protocols: ['a', 'b'] }]);
    const refused = scene.dial(served, { ALPNProtocols: ['refused'] });
    expect(await nextCode(refused)).toBe('ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL');
  });
});

/** A session of a connection to a server, which has ended since. */
async function sessionOf(scene: Scene, served: Served, options: object = {}): Promise<Buffer> {
  const client = scene.dial(served, options);
  const [session] = (await once(client, 'session')) as [Buffer];
  client.end();
  await textOf(client);
  return session;
}

const versions = ['TLSv1.2', 'TLSv1.3'] as const;

onEachModule('sessions', (scene) => {
  test.each(versions)('are resumed with %s', async (version) => {
    const served = await scene.serve({ minVersion: version, maxVersion: version }, echo);
    const session = await sessionOf(scene, served);
    expect(session).toBeInstanceOf(Buffer);
    const [client, server] = await pair(scene, served, { session });
    expect(client.isSessionReused()).toBe(true);
    expect(server.isSessionReused()).toBe(true);
    expect(client.authorized).toBe(true);
    client.end('again');
    expect(await textOf(client)).toBe('again');
  });

  test('come after secureConnect', async () => {
    const served = await scene.serve();
    const log: string[] = [];
    const client = scene.dial(served);
    client.on('secureConnect', () => log.push('secureConnect'));
    client.on('session', () => log.push('session'));
    await once(client, 'session');
    expect(log.slice(0, 2)).toEqual(['secureConnect', 'session']);
  });

  test('getSession gives one that is resumed, with TLS 1.2', async () => {
    const served = await scene.serve({ maxVersion: 'TLSv1.2' }, echo);
    const first = await scene.connected(served);
    const session = first.getSession();
    expect(first.getTLSTicket()).toBeInstanceOf(Buffer);
    const second = await scene.connected(served, { session });
    expect(second.isSessionReused()).toBe(true);
  });

  test('ticket keys are shared between servers, and changed', async () => {
    const { cert, key } = scene.certificates.server;
    const ticketKeys = Buffer.alloc(48, 7);
    const sessionIdContext = 'shared';
    const first = await scene.serve({ cert, key, ticketKeys, sessionIdContext }, echo);
    const second = await scene.serve({ cert, key, ticketKeys, sessionIdContext }, echo);
    expect(first.server.getTicketKeys()).toEqual(ticketKeys);
    const session = await sessionOf(scene, first);
    expect((await scene.connected(second, { session })).isSessionReused()).toBe(true);
    second.server.setTicketKeys(Buffer.alloc(48, 8));
    expect((await scene.connected(second, { session })).isSessionReused()).toBe(false);
    expect(thrown(() => second.server.setTicketKeys('x' as unknown as Buffer)).code).toBe(
      'ERR_INVALID_ARG_TYPE',
    );
    expect(() => second.server.setTicketKeys(Buffer.alloc(5))).toThrow('48');
    const fresh = await scene.serve();
    expect(fresh.server.getTicketKeys()).toHaveLength(48);
    expect(fresh.server.getTicketKeys()).not.toEqual(first.server.getTicketKeys());
  });

  test('a certificate of a client is known to the session', async () => {
    const { ca, client: own } = scene.certificates;
    const served = await scene.serve({ requestCert: true, ca: ca.cert }, echo);
    const session = await sessionOf(scene, served, own);
    const [client, server] = await pair(scene, served, { ...own, session });
    expect(client.isSessionReused()).toBe(true);
    expect(server.authorized).toBe(true);
    expect(server.getPeerCertificate().subject.CN).toBe('client');
  });
});

onEachModule('key logs', (scene) => {
  test.each(versions)('%s', async (version) => {
    const served = await scene.serve({ maxVersion: version });
    const lines: Record<'client' | 'server', string[]> = { client: [], server: [] };
    served.server.on('keylog', (line: Buffer, socket: Socket) => {
      expect(socket).toBeInstanceOf(scene.tls.TLSSocket);
      lines.server.push(line.toString());
    });
    const accepting = once(served.server, 'secureConnection');
    const client = scene.dial(served);
    client.on('keylog', (line) => lines.client.push(line.toString()));
    await Promise.all([once(client, 'secureConnect'), accepting]);
    expect(lines.client).not.toEqual([]);
    expect(lines.client[0]).toMatch(/^[A-Z_0-9]+ [0-9a-f]{64} [0-9a-f]+\n$/);
    expect([...lines.server].sort()).toEqual([...lines.client].sort());
  });
});

onEachModule('OCSP', (scene) => {
  test('a response is asked for, given and told of', async () => {
    const served = await scene.serve();
    const asked: Buffer[] = [];
    served.server.on('OCSPRequest', (certificate: Buffer, _issuer, callback) => {
      asked.push(certificate);
      setImmediate(callback, null, Buffer.from('good'));
    });
    const log: string[] = [];
    const client = scene.dial(served, { requestOCSP: true });
    client.on('OCSPResponse', (response) => log.push(response.toString()));
    client.on('secureConnect', () => log.push('secureConnect'));
    await once(client, 'secureConnect');
    expect(log).toEqual(['good', 'secureConnect']);
    expect(asked).toEqual([client.getPeerCertificate().raw]);
    await scene.connected(served);
    expect(asked).toHaveLength(1);
  });

  test('a server that has none', async () => {
    const client = scene.dial(await scene.serve(), { requestOCSP: true });
    const [response] = await once(client, 'OCSPResponse');
    expect(response).toBeNull();
  });

  test('an error of the one who answers', async () => {
    const served = await scene.serve();
    served.server.on('OCSPRequest', (_certificate, _issuer, callback) =>
      callback(new Error('no answer'), null as never),
    );
    const failed = once(served.server, 'tlsClientError');
    scene.dial(served, { requestOCSP: true }).on('error', () => {});
    expect((await failed)[0]).toMatchObject({ message: 'no answer' });
  });
});
