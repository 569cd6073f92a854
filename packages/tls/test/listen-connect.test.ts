import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Layer } from '@iocp/core/layer';
import * as tcp from '@iocp/tcp';
import { expect, test } from 'vitest';
import { pathKind } from '../../../system.shared.js';
import { connect, listen, tlsOf } from '../src/index.js';
import { codeOf, echoHandlers, onEachBackend, textOf } from './support/backends.js';

onEachBackend('listen and connect', (fixture) => {
  test('an echo, there and back', async () => {
    const listener = await fixture.listen({}, echoHandlers);
    const { port } = listener.address();
    const client = await fixture.connect({ port });
    client.end('hello');
    expect(await textOf(client)).toBe('hello');
    expect(client.info.protocols).toEqual(['tcp', 'tls']);
    expect(client.info).toMatchObject({ remoteAddress: '127.0.0.1', remotePort: port, encrypted: true });
    expect(tlsOf(client)).toMatchObject({ protocol: 'TLSv1.3', authorized: true, servername: 'localhost' });
  });

  test('handlers of both sides', async () => {
    const log: string[] = [];
    const closed = new Promise<void>((resolve) => {
      void fixture
        .listen(
          {},
          {
            open: (connection) => log.push(`server open ${tlsOf(connection).servername}`),
            data: (connection, bytes) => connection.end(Buffer.from(bytes).toString().toUpperCase()),
          },
        )
        .then((listener) =>
          fixture.connect(
            { port: listener.address().port },
            {
              open: (connection) => connection.write('text'),
              data: (_connection, bytes) => log.push(Buffer.from(bytes).toString()),
              close: (_connection, error) => {
                log.push(`closed ${error}`);
                resolve();
              },
            },
          ),
        );
    });
    await closed;
    expect(log).toEqual(['server open localhost', 'TEXT', 'closed null']);
  });

  test('the host is the name, unless there is another', async () => {
    const names: unknown[] = [];
    const listener = await fixture.listen(
      {},
      { ...echoHandlers, open: (connection) => names.push(tlsOf(connection).servername) },
    );
    const { port } = listener.address();
    const trusted = {
      ca: fixture.certificates.ca.cert,
      completionPort: fixture.port,
      engine: fixture.engine,
      port,
    };
    for (const options of [
      {},
      { host: 'localhost' },
      { host: '127.0.0.1' },
      { host: '127.0.0.1', servername: 'localhost' },
    ]) {
      const client = await connect({ ...trusted, family: 4, ...options });
      fixture.after(() => client.abort());
      expect(tlsOf(client).authorized).toBe(true);
      client.end('known');
      expect(await textOf(client)).toBe('known');
    }
    // An address is looked for in the certificate, and not asked for.
    expect(names).toEqual(['localhost', 'localhost', false, 'localhost']);
    const { otherHost } = fixture.certificates;
    listener.tls.setSecureContext(otherHost);
    expect(await codeOf(connect({ ...trusted, host: '127.0.0.1' }))).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
    expect(await codeOf(connect({ ...trusted, host: 'localhost', family: 4 }))).toBe(
      'ERR_TLS_CERT_ALTNAME_INVALID',
    );
    const other = await connect({ ...trusted, host: '127.0.0.1', servername: 'other.test' });
    fixture.after(() => other.abort());
    expect(tlsOf(other).getPeerCertificate().subjectaltname).toBe('DNS:other.test');
  });

  test.runIf(pathKind(fixture.backend) === 'unix')('a Unix socket needs to be told a name', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'iocp-'));
    fixture.after(() => rmSync(folder, { recursive: true }));
    const path = join(folder, 'socket');
    await fixture.listen({ path }, echoHandlers);
    const client = await fixture.connect({ path });
    client.end('by path');
    expect(await textOf(client)).toBe('by path');
    expect(client.info.protocols).toEqual(['unix', 'tls']);
    expect(await codeOf(fixture.connect({ path, servername: undefined }))).toBe('ERR_MISSING_OPTION');
  });

  test('a refusal is told to both', async () => {
    const refused: { code: string; port: number | undefined }[] = [];
    let toldServer = () => {};
    const told = new Promise<void>((resolve) => {
      toldServer = resolve;
    });
    const listener = await fixture.listen(
      {},
      {
        handshakeError(error, info) {
          refused.push({ code: (error as NodeJS.ErrnoException).code ?? '', port: info.localPort });
          toldServer();
        },
      },
    );
    const { port } = listener.address();
    expect(await codeOf(fixture.connect({ port, ca: fixture.certificates.otherCa.cert }))).toBe(
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    );
    await told;
    // `node:tls` looks at certificates after the handshake, and sends no alert.
    const code = fixture.engine === 'native' ? 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA' : 'ERR_TLS_TRUNCATED';
    expect(refused).toEqual([{ code, port }]);
    expect(listener.stats).toMatchObject({ accepted: 1, handshakesFailed: 1, connections: 0 });
  });

  test('certificates of clients', async () => {
    const { ca, client: own } = fixture.certificates;
    const listener = await fixture.listen({ requestCert: true, ca: ca.cert });
    const accepting = listener.accept();
    await fixture.connect({ port: listener.address().port, cert: own.cert, key: own.key });
    const accepted = await accepting;
    expect(accepted && tlsOf(accepted).getPeerCertificate().subject.CN).toBe('client');
  });

  test('another certificate for connections to come', async () => {
    const listener = await fixture.listen({}, echoHandlers);
    const { port } = listener.address();
    const before = await fixture.connect({ port });
    listener.tls.setSecureContext(fixture.certificates.wildcard);
    const after = await fixture.connect({ port, servername: 'a.example.test' });
    expect(tlsOf(after).getPeerCertificate().subjectaltname).toBe('DNS:*.example.test');
    before.end('as before');
    expect(await textOf(before)).toBe('as before');
  });

  test('layers on top', async () => {
    const seen: string[] = [];
    const noting = (side: string): Layer => ({
      name: 'noting',
      async wrap(lower, role) {
        seen.push(`${side} ${role} ${lower.info.protocols.join('/')} ${lower.info.tls?.protocol}`);
        return lower;
      },
    });
    const listener = await fixture.listen({ layers: [noting('server')] }, echoHandlers);
    const client = await fixture.connect({ port: listener.address().port, layers: [noting('client')] });
    client.end('x');
    await textOf(client);
    expect(seen.sort()).toEqual(['client client tcp/tls TLSv1.3', 'server server tcp/tls TLSv1.3']);
  });

  test('a handshake that takes too long', async () => {
    const silent = await tcp.listen({ host: '127.0.0.1', completionPort: fixture.port }, {});
    fixture.after(() => silent.close({ graceMs: 0 }));
    const { port } = silent.address();
    expect(await codeOf(fixture.connect({ port, handshakeTimeoutMs: 50 }))).toBe(
      'ERR_CHANNEL_HANDSHAKE_TIMEOUT',
    );
    const errors: string[] = [];
    const listener = await fixture.listen(
      { handshakeTimeoutMs: 50 },
      { handshakeError: (error) => errors.push((error as NodeJS.ErrnoException).code ?? '') },
    );
    const raw = await tcp.connect({
      host: '127.0.0.1',
      port: listener.address().port,
      completionPort: fixture.port,
    });
    await raw.read().catch(() => null);
    expect(errors).toEqual(['ERR_CHANNEL_HANDSHAKE_TIMEOUT']);
    raw.abort();
  });

  test('a signal ends the handshake', async () => {
    const controller = new AbortController();
    const silent = await tcp.listen(
      { host: '127.0.0.1', completionPort: fixture.port },
      { data: () => controller.abort(new Error('changed my mind')) },
    );
    fixture.after(() => silent.close({ graceMs: 0 }));
    const connecting = fixture.connect({ port: silent.address().port, signal: controller.signal });
    await expect(connecting).rejects.toThrow('changed my mind');
  });
});

onEachBackend(
  'arguments',
  (fixture) => {
    test('without a certificate there is nothing to listen with', async () => {
      expect(await codeOf(listen({}))).toBe('ERR_MISSING_OPTION');
    });

    test('wrong options are refused before anything is opened', async () => {
      const type = 'ERR_INVALID_ARG_TYPE';
      expect(await codeOf(listen(5 as never))).toBe(type);
      expect(await codeOf(connect(undefined as never))).toBe(type);
      expect(await codeOf(fixture.listen({ layers: 5 as never }))).toBe(type);
      expect(await codeOf(fixture.connect({ port: 1, layers: [5 as never] }))).toBe(type);
      expect(await codeOf(fixture.connect({ port: 1, tcp: 5 as never }))).toBe(type);
      expect(await codeOf(fixture.connect({ port: 1, tcp: {} as never }))).toBe(type);
      expect(await codeOf(fixture.connect({ port: 65_536 }))).toBe('ERR_SOCKET_BAD_PORT');
      expect(await codeOf(fixture.connect({ port: 1, servername: 'ä' }))).toBe('ERR_INVALID_ARG_VALUE');
    });

    test('the module that carries them can be given', async () => {
      const calls: string[] = [];
      const own = {
        listen: (...args: Parameters<typeof tcp.listen>) => {
          calls.push('listen');
          return tcp.listen(...args);
        },
        connect: (...args: Parameters<typeof tcp.connect>) => {
          calls.push('connect');
          return tcp.connect(...args);
        },
      };
      const listener = await fixture.listen({ tcp: own }, echoHandlers);
      const client = await fixture.connect({ port: listener.address().port, tcp: own });
      client.end('carried');
      expect(await textOf(client)).toBe('carried');
      expect(calls).toEqual(['listen', 'connect']);
      const whole = await fixture.connect({ port: listener.address().port, tcp });
      expect(tlsOf(whole).authorized).toBe(true);
    });
  },
  ['native'],
);
