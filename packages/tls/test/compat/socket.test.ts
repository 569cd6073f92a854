/** What sockets know, and what can be done with them; and sockets over streams of before. */

import { once } from 'node:events';
import net from 'node:net';
import { type Duplex, duplexPair } from 'node:stream';
import type { TLSSocketOptions } from 'node:tls';
import { expect, test } from 'vitest';
import { isWineSocket } from '../../../../system.shared.js';
import {
  closeOf,
  echo,
  nextText,
  onEachModule,
  pair,
  type Scene,
  type Socket,
  textOf,
  thrown,
} from './support.js';

/** A socket of the module over a stream. */
function over(scene: Scene, stream: Duplex | undefined, options?: TLSSocketOptions): Socket {
  const socket = new scene.tls.TLSSocket(stream as Duplex, options);
  scene.after(async () => {
    socket.on('error', () => {}).destroy();
    if (stream !== undefined) await closeOf(socket);
  });
  return socket;
}

onEachModule('facts', (scene) => {
  test.each(['TLSv1.2', 'TLSv1.3'] as const)('of %s', async (version) => {
    const served = await scene.serve({
      minVersion: version,
      maxVersion: version,
      ALPNProtocols: ['b', 'a'],
      ecdhCurve: 'prime256v1',
    });
    const [client, server] = await pair(scene, served, { ALPNProtocols: ['a', 'b'] });
    const { server: own } = scene.certificates;
    for (const end of [client, server]) {
      expect(end.getProtocol()).toBe(version);
      expect(end.alpnProtocol).toBe('b');
      const cipher = end.getCipher();
      expect(cipher.version).toBe(version);
      expect(cipher.name).toMatch(/^(TLS_|ECDHE-ECDSA-)/);
      expect(cipher.standardName).toMatch(/^TLS_/);
      expect(end.isSessionReused()).toBe(false);
    }
    expect(client.getCipher()).toEqual(server.getCipher());
    expect((client as unknown as { servername: unknown }).servername).toBe('localhost');
    const certificate = client.getPeerCertificate(true);
    expect(certificate.subject.CN).toBe('localhost');
    expect(certificate.issuer.CN).toBe('Test CA');
    expect(certificate.issuerCertificate.subject.CN).toBe('Test CA');
    expect(certificate.raw).toEqual(server.getX509Certificate()?.raw);
    expect(client.getPeerX509Certificate()?.toString()).toBe(own.cert);
    expect((server.getCertificate() as { subject: { CN: string } }).subject.CN).toBe('localhost');
    expect(client.getCertificate()).toEqual({});
    expect(client.getX509Certificate()).toBeUndefined();
    expect(server.getPeerX509Certificate()).toBeUndefined();
    expect(client.getFinished()).toEqual(server.getPeerFinished());
    expect(client.getPeerFinished()).toEqual(server.getFinished());
    expect(client.getFinished()?.length).toBeGreaterThanOrEqual(12);
    expect(client.getEphemeralKeyInfo()).toEqual({ type: 'ECDH', name: 'prime256v1', size: 256 });
    expect(server.getSharedSigalgs()).toContain('ECDSA+SHA256');
    const secrets = [client, server].map((end) =>
      end.exportKeyingMaterial(32, 'EXPERIMENTAL test', Buffer.from('x')),
    );
    expect(secrets[0]).toEqual(secrets[1]);
    expect(secrets[0]).toHaveLength(32);
  });

  test('the certificate of a client', async () => {
    const { ca, client: own, clientOfOtherCa } = scene.certificates;
    const options = { requestCert: true, ca: ca.cert };
    const strict = await scene.serve(options);
    const [, server] = await pair(scene, strict, own);
    expect(server.authorized).toBe(true);
    expect(server.getPeerCertificate().subject.CN).toBe('client');
    const lenient = await scene.serve({ ...options, rejectUnauthorized: false });
    const [, unknown] = await pair(scene, lenient, clientOfOtherCa);
    expect(unknown.authorized).toBe(false);
    expect(unknown.authorizationError).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE');
    expect(unknown.getPeerCertificate().issuer.CN).toBe('Other CA');
    const [, without] = await pair(scene, lenient);
    expect(without.authorized).toBe(false);
    expect(without.getPeerCertificate()).toEqual({});
    const refusing = once(strict.server, 'tlsClientError');
    scene.dial(strict, clientOfOtherCa).on('error', () => {});
    await refusing;
  });

  test('before the handshake there are none', () => {
    const socket = over(scene, duplexPair()[0]);
    expect(socket.encrypted).toBe(true);
    expect(socket.authorized).toBe(false);
    expect(socket.alpnProtocol).toBeNull();
    expect(socket.getPeerCertificate()).toEqual({});
    expect(socket.getFinished()).toBeUndefined();
    expect(socket.getSession()).toBeUndefined();
    expect(socket.isSessionReused()).toBe(false);
    expect(thrown(() => socket.exportKeyingMaterial(10, 'x', Buffer.from('c')))).toEqual({
      kind: 'Error',
      code: 'ERR_TLS_INVALID_STATE',
    });
  });
});

onEachModule('calls', (scene) => {
  test('wrong arguments', () => {
    const socket = over(scene, duplexPair()[0]);
    const type = { kind: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' };
    const range = { kind: 'RangeError', code: 'ERR_OUT_OF_RANGE' };
    expect(thrown(() => socket.exportKeyingMaterial(0, 'x', Buffer.from('c')))).toEqual(range);
    expect(thrown(() => socket.exportKeyingMaterial(1, 5 as unknown as string, Buffer.from('c')))).toEqual(
      type,
    );
    expect(thrown(() => socket.setMaxSendFragment('x' as unknown as number))).toEqual(type);
    expect(thrown(() => socket.renegotiate(5 as unknown as object, () => {}))).toEqual(type);
    expect(thrown(() => socket.renegotiate({}, 5 as unknown as () => void))).toEqual(type);
    const { setServername } = socket as unknown as { setServername(name: unknown): void };
    expect(thrown(() => setServername.call(socket, 5))).toEqual(type);
    const server = over(scene, duplexPair()[0], { isServer: true });
    expect(thrown(() => setServername.call(server, 'a.test'))).toEqual({
      kind: 'Error',
      code: 'ERR_TLS_SNI_FROM_SERVER',
    });
  });

  test('there is no renegotiation in TLS 1.3', async () => {
    const [client] = await pair(scene, await scene.serve());
    client.disableRenegotiation();
    const error = await new Promise<Error | null>((resolve) => {
      expect(client.renegotiate({}, resolve)).toBe(false);
    });
    expect(error).toBeInstanceOf(Error);
    client.destroy();
    expect(client.renegotiate({}, () => {})).toBeUndefined();
  });

  test('those of net.Socket', async () => {
    const [client] = await pair(scene, await scene.serve());
    const idleMs = isWineSocket(scene.backend) ? 0 : 2000;
    expect(client.setNoDelay(true).setKeepAlive(true, idleMs).unref().ref()).toBe(client);
    const timedOut = new Promise<void>((resolve) => client.setTimeout(20, resolve));
    await timedOut;
    expect(client.setTimeout(0)).toBe(client);
    expect(client.timeout).toBe(0);
    client.enableTrace();
  });
});

onEachModule('streams of before', (scene) => {
  test('both sides made by hand, on a pair in memory', async () => {
    const { cert, key } = scene.certificates.server;
    const [near, far] = duplexPair();
    const server = over(scene, far, { isServer: true, cert, key });
    const client = over(scene, near, { ca: scene.certificates.ca.cert, rejectUnauthorized: false });
    echo(server);
    client.end('by hand');
    await Promise.all([once(client, 'secure'), once(server, 'secure')]);
    expect(await textOf(client)).toBe('by hand');
  });

  test('STARTTLS: text first, then TLS on the same connection', async () => {
    const { cert, key } = scene.certificates.server;
    const server = net.createServer((socket) => {
      socket.write('220 ready\n');
      socket.once('data', (data) => {
        expect(data.toString()).toBe('STARTTLS\n');
        socket.write('220 go ahead\n');
        const secured = over(scene, socket, { isServer: true, cert, key });
        echo(secured);
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    scene.after(() => server.close());
    const { port } = server.address() as net.AddressInfo;
    const raw = net.connect(port, '127.0.0.1');
    const lines: string[] = [];
    await new Promise<void>((resolve) => {
      const onData = (data: Buffer) => {
        lines.push(data.toString());
        if (lines.length === 1) raw.write('STARTTLS\n');
        if (lines.join('').endsWith('go ahead\n')) {
          raw.off('data', onData);
          resolve();
        }
      };
      raw.on('data', onData);
    });
    const client = scene.dial(port, { socket: raw });
    await once(client, 'secureConnect');
    expect(client.remotePort).toBe(port);
    client.end('secret');
    expect(await textOf(client)).toBe('secret');
    await closeOf(raw as Socket);
  });

  test('a socket that still connects', async () => {
    const served = await scene.serve({}, echo);
    const raw = net.connect(served.port, '127.0.0.1');
    const client = scene.dial(served, { socket: raw });
    expect(client.connecting).toBe(true);
    client.end('early');
    expect(await textOf(client)).toBe('early');
  });

  test('a socket that cannot connect', async () => {
    const served = await scene.serve();
    await new Promise((resolve) => served.server.close(resolve));
    const client = scene.dial(served, { socket: net.connect(served.port, '127.0.0.1') });
    const error = await new Promise((resolve) => client.once('error', resolve));
    expect(error).toMatchObject({ code: 'ECONNREFUSED' });
  });

  test('TLS in TLS', async () => {
    const {
      ca,
      server: { cert, key },
    } = scene.certificates;
    const outer = await scene.serve({}, (socket) => {
      echo(over(scene, socket, { isServer: true, cert, key }));
    });
    const tunnel = await scene.connected(outer);
    const client = scene.dial(outer, { socket: tunnel, ca: ca.cert });
    await once(client, 'secureConnect');
    client.write('twice');
    expect(await nextText(client)).toBe('twice');
    client.end();
    await closeOf(client);
  });

  test('destroying takes what is below along', async () => {
    const served = await scene.serve();
    const raw = net.connect(served.port, '127.0.0.1');
    const client = scene.dial(served, { socket: raw });
    await once(client, 'secureConnect');
    client.destroy();
    await closeOf(raw as Socket);
    expect(raw.destroyed).toBe(true);
  });

  test('the end of what is below ends it', async () => {
    const served = await scene.serve();
    const raw = net.connect(served.port, '127.0.0.1');
    const client = scene.dial(served, { socket: raw });
    await once(client, 'secureConnect');
    client.on('error', () => {});
    raw.destroy();
    await closeOf(client);
  });
});
