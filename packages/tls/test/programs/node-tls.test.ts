/** `node:tls`, as client and as server. */

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import tls, { type ConnectionOptions, type TLSSocket, type TlsOptions } from 'node:tls';
import { nextTurn } from '@iocp/testkit';
import { expect, test } from 'vitest';
import { tlsOf } from '../../src/index.js';
import { codeOf, echoHandlers, type Fixture, onEachBackend, textOf } from '../support/backends.js';

const versions = ['TLSv1.2', 'TLSv1.3'] as const;
const large = 'a megabyte or so '.repeat(65_536);

/** A `tls.TLSSocket` that trusts `ca` and expects `localhost`. */
function dial(fixture: Fixture, port: number, options: ConnectionOptions = {}): TLSSocket {
  const { ca } = fixture.certificates;
  const socket = tls.connect({ port, host: '127.0.0.1', servername: 'localhost', ca: ca.cert, ...options });
  fixture.after(() => socket.destroy());
  return socket;
}

/** A `tls.Server` that echoes. @returns its port */
async function serve(fixture: Fixture, options: TlsOptions = {}, onSocket?: (socket: TLSSocket) => void) {
  const { cert, key } = fixture.certificates.server;
  const sockets = new Set<TLSSocket>();
  const server = tls.createServer({ cert, key, ...options }, (socket) => {
    sockets.add(socket.on('error', () => {}));
    onSocket?.(socket);
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  fixture.after(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  return (server.address() as AddressInfo).port;
}

async function textFrom(socket: TLSSocket): Promise<string> {
  let text = '';
  socket.setEncoding('utf8').on('data', (data: string) => (text += data));
  await once(socket, 'end');
  return text;
}

onEachBackend('node:tls', (fixture) => {
  test.each(versions)('a client with %s', async (version) => {
    const listener = await fixture.listen({ ALPNProtocols: ['b'] }, echoHandlers);
    const client = dial(fixture, listener.address().port, { maxVersion: version, ALPNProtocols: ['a', 'b'] });
    await once(client, 'secureConnect');
    expect(client.getProtocol()).toBe(version);
    expect(client.alpnProtocol).toBe('b');
    client.end(large);
    expect(await textFrom(client)).toBe(large);
  });

  test.each(versions)('a client that resumes a session with %s', async (version) => {
    const reused: boolean[] = [];
    const listener = await fixture.listen(
      {},
      { ...echoHandlers, open: (connection) => reused.push(tlsOf(connection).sessionReused) },
    );
    const { port } = listener.address();
    const first = dial(fixture, port, { maxVersion: version });
    const [session] = (await once(first, 'session')) as [Buffer];
    // Node sends no close_notify from within this event.
    await nextTurn();
    first.end();
    await textFrom(first);
    const second = dial(fixture, port, { maxVersion: version, session });
    await once(second, 'secureConnect');
    expect(second.isSessionReused()).toBe(true);
    second.end('x');
    expect(await textFrom(second)).toBe('x');
    expect(reused).toEqual([false, true]);
  });

  test('a client that is known by its certificate, and one that is not', async () => {
    const { ca, client, clientOfOtherCa } = fixture.certificates;
    const names: unknown[] = [];
    const refused: unknown[] = [];
    let toldRefusal = () => {};
    const refusal = new Promise<void>((resolve) => {
      toldRefusal = resolve;
    });
    const listener = await fixture.listen(
      { requestCert: true, ca: ca.cert },
      {
        ...echoHandlers,
        open: (connection) => names.push(tlsOf(connection).getPeerCertificate().subject.CN),
        handshakeError(error) {
          refused.push((error as NodeJS.ErrnoException).code);
          toldRefusal();
        },
      },
    );
    const { port } = listener.address();
    const known = dial(fixture, port, client);
    known.end('known');
    expect(await textFrom(known)).toBe('known');
    const unknown = dial(fixture, port, clientOfOtherCa);
    const codes: unknown[] = [];
    unknown.on('error', (error: NodeJS.ErrnoException) => codes.push(error.code));
    const closing = new Promise<void>((resolve) => unknown.resume().once('close', () => resolve()));
    await Promise.all([refusal, closing]);
    // The engine over `node:tls` looks at certificates when the handshake is over, and sends no alert.
    if (fixture.engine === 'native') expect(codes).toEqual(['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA']);
    expect(names).toEqual(['client']);
    expect(refused).toEqual(['UNABLE_TO_VERIFY_LEAF_SIGNATURE']);
  });

  test.each(versions)('a server with %s', async (version) => {
    const seen: unknown[] = [];
    const port = await serve(fixture, { maxVersion: version, ALPNProtocols: ['b'] }, (socket) => {
      seen.push((socket as unknown as { servername: string }).servername, socket.alpnProtocol);
    });
    const connection = await fixture.connect({ port, ALPNProtocols: ['a', 'b'] });
    expect(tlsOf(connection).protocol).toBe(version);
    connection.end(large);
    expect(await textOf(connection)).toBe(large);
    expect(seen).toEqual(['localhost', 'b']);
  });

  test.each(versions)('a server resumes a session with %s', async (version) => {
    const port = await serve(fixture, { maxVersion: version });
    const sessions: Buffer[] = [];
    const talk = async (session?: Buffer) => {
      const connection = await fixture.connect({ port, session, onSession: (each) => sessions.push(each) });
      connection.end('x');
      expect(await textOf(connection)).toBe('x');
      return tlsOf(connection).sessionReused;
    };
    expect(await talk()).toBe(false);
    expect(await talk(sessions.at(-1))).toBe(true);
  });

  test('a server that asks for a certificate', async () => {
    const { ca, client, clientOfOtherCa } = fixture.certificates;
    const names: unknown[] = [];
    const port = await serve(fixture, { requestCert: true, ca: ca.cert }, (socket) => {
      names.push(socket.getPeerCertificate().subject.CN, socket.authorized);
    });
    const known = await fixture.connect({ port, ...client });
    known.end('known');
    expect(await textOf(known)).toBe('known');
    expect(names).toEqual(['client', true]);
    const unknown = fixture.connect({ port, ...clientOfOtherCa }).then(textOf);
    expect(await codeOf(unknown)).toMatch(/^(ERR_TLS_TRUNCATED|ECONNRESET)$/);
  });

  test('a server that must not be trusted', async () => {
    const { cert, key } = fixture.certificates.selfSigned;
    const port = await serve(fixture, { cert, key });
    expect(await codeOf(fixture.connect({ port }))).toBe('DEPTH_ZERO_SELF_SIGNED_CERT');
    const trusting = await fixture.connect({ port, rejectUnauthorized: false });
    expect(tlsOf(trusting)).toMatchObject({
      authorized: false,
      authorizationError: { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' },
    });
  });
});
