/** `http.Server` on the connections of a listener is an HTTPS server. */

import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import {
  type ClientRequest,
  createServer,
  get as getPlain,
  type IncomingMessage,
  type RequestListener,
} from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { expect, test } from 'vitest';
import type { TlsListenOptions } from '../src/index.js';
import { deadlineMs, type Fixture, hasProgram, onEachBackend, run } from './support/backends.js';
import { writeCertificates } from './support/files.js';

/** Serves HTTPS. @returns the port */
async function serve(
  fixture: Fixture,
  onRequest: RequestListener,
  options?: TlsListenOptions,
): Promise<number> {
  const http = createServer(onRequest);
  const listener = await fixture.listen(options);
  listener.attachTo(http);
  fixture.after(() => http.closeAllConnections());
  return listener.address().port;
}

/** What a request handler can learn of the connection, as Express and others do. */
function facts(request: IncomingMessage) {
  const socket = request.socket as TLSSocket;
  return {
    encrypted: socket.encrypted,
    authorized: socket.authorized,
    authorizationError: socket.authorizationError,
    alpn: socket.alpnProtocol,
    name: (socket as unknown as { servername: unknown }).servername,
    protocol: socket.getProtocol(),
    cipher: socket.getCipher().version,
    client: socket.getPeerCertificate().subject?.CN,
    issuer: socket.getPeerCertificate(true).issuerCertificate?.subject.CN,
    x509: socket.getPeerX509Certificate()?.subject,
    own: (socket.getCertificate() as { subject: { CN: string } }).subject.CN,
    reused: socket.isSessionReused(),
    remoteAddress: socket.remoteAddress,
  };
}

const tellFacts: RequestListener = (request, response) => {
  response.setHeader('content-type', 'application/json').end(JSON.stringify(facts(request)));
};

const get = (options: https.RequestOptions) =>
  textOf(https.get({ host: '127.0.0.1', servername: 'localhost', ...options }));

async function textOf(request: ClientRequest): Promise<string> {
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  return text;
}

onEachBackend('https', (fixture) => {
  test('what handlers learn of a connection', async () => {
    const port = await serve(fixture, tellFacts, { ALPNProtocols: ['http/1.1'] });
    const { ca } = fixture.certificates;
    const told = await get({
      port,
      ca: ca.cert,
      agent: false,
      ALPNProtocols: ['http/1.1'],
    } as https.RequestOptions);
    expect(JSON.parse(told)).toEqual({
      encrypted: true,
      authorized: false,
      authorizationError: null,
      alpn: 'http/1.1',
      name: 'localhost',
      protocol: 'TLSv1.3',
      cipher: 'TLSv1.3',
      own: 'localhost',
      reused: false,
      remoteAddress: '127.0.0.1',
    });
  });

  test('the certificate of a client', async () => {
    const { ca, client, clientOfOtherCa } = fixture.certificates;
    const options = { requestCert: true, rejectUnauthorized: false, ca: ca.cert };
    const port = await serve(fixture, tellFacts, options);
    const known = JSON.parse(await get({ port, ca: ca.cert, agent: false, ...client }));
    expect(known).toMatchObject({
      authorized: true,
      authorizationError: null,
      client: 'client',
      issuer: 'Test CA',
      x509: 'CN=client',
    });
    const unknown = JSON.parse(await get({ port, ca: ca.cert, agent: false, ...clientOfOtherCa }));
    expect(unknown).toMatchObject({
      authorized: false,
      authorizationError: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      client: 'client',
    });
  });

  test('connections are kept alive, and sessions resumed', async () => {
    const ports = new Set<unknown>();
    const port = await serve(fixture, (request, response) => {
      ports.add(request.socket.remotePort);
      tellFacts(request, response);
    });
    const { ca } = fixture.certificates;
    const keeping = new https.Agent({ keepAlive: true, maxSockets: 1 });
    fixture.after(() => keeping.destroy());
    for (let turn = 0; turn < 3; turn++) await get({ port, ca: ca.cert, agent: keeping });
    expect(ports.size).toBe(1);
    const resuming = new https.Agent({ keepAlive: false });
    const told: { reused: boolean }[] = [];
    for (let turn = 0; turn < 2; turn++)
      told.push(JSON.parse(await get({ port, ca: ca.cert, agent: resuming })));
    expect(told.map(({ reused }) => reused)).toEqual([false, true]);
  });

  test('a plain connection has nothing of TLS', async () => {
    const { listen } = await import('@iocp/tcp');
    const listener = await listen({ host: '127.0.0.1', completionPort: fixture.port });
    fixture.after(() => listener.close({ graceMs: 0 }));
    const http = createServer((request, response) => {
      response.end(`${(request.socket as TLSSocket).encrypted} ${'getPeerCertificate' in request.socket}`);
    });
    listener.attachTo(http);
    const request = getPlain({ host: '127.0.0.1', port: listener.address().port, agent: false });
    expect(await textOf(request)).toBe('false false');
  });

  test('HTTP/2', async () => {
    const server = http2.createServer();
    server.on('stream', (stream, headers) => {
      stream.respond({ ':status': 200 });
      stream.end(`you asked for ${headers[':path']}`);
    });
    const listener = await fixture.listen({ ALPNProtocols: ['h2'] });
    listener.attachTo(server);
    const session = http2.connect(`https://localhost:${listener.address().port}`, {
      ca: fixture.certificates.ca.cert,
      host: '127.0.0.1',
    } as http2.SecureClientSessionOptions);
    const stream = session.request({ ':path': '/two' });
    let text = '';
    for await (const chunk of stream.setEncoding('utf8')) text += chunk;
    expect(text).toBe('you asked for /two');
    session.close();
    await once(session, 'close');
  });
});

onEachBackend('https with curl', (fixture) => {
  const curl = hasProgram('curl');

  test.runIf(curl)(
    'ALPN, keep-alive, a certificate and a body of a megabyte',
    { timeout: deadlineMs },
    async () => {
      const files = writeCertificates(fixture);
      const seen: string[] = [];
      const port = await serve(
        fixture,
        (request, response) => {
          const socket = request.socket as TLSSocket;
          const hash = createHash('sha256');
          request.on('data', (data) => hash.update(data));
          request.on('end', () => {
            const client = socket.getPeerCertificate().subject?.CN;
            seen.push(
              `${request.method} ${socket.remotePort} ${socket.alpnProtocol} ${client} ${socket.authorized}`,
            );
            response.end(`${hash.digest('hex')}\n`);
          });
        },
        { ALPNProtocols: ['http/1.1'], requestCert: true, ca: fixture.certificates.ca.cert },
      );
      const body = randomBytes(1_000_000);
      const bodyFile = join(files.folder, 'body');
      writeFileSync(bodyFile, body);
      const identity = ['--cacert', files.ca, '--cert', files.clientCert, '--key', files.clientKey];
      const url = `https://localhost:${port}/`;
      const resolve = ['--resolve', `localhost:${port}:127.0.0.1`];
      const { code, stdout, stderr } = await run('curl', [
        '-sSv',
        '--http1.1',
        ...resolve,
        ...identity,
        '--data-binary',
        `@${bodyFile}`,
        url,
        url,
      ]);
      expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
      const digest = createHash('sha256').update(body).digest('hex');
      expect(stdout).toBe(`${digest}\n${digest}\n`);
      expect(seen).toHaveLength(2);
      expect(seen[0]).toMatch(/^POST \d+ http\/1\.1 client true$/);
      expect(seen[1]).toBe(seen[0]);
      expect(stderr).toContain('SSL certificate verify ok');
      expect(stderr).toMatch(/TLSv1\.3/);
    },
  );

  test.runIf(curl)(
    'refuses what is not for the host, and takes TLS 1.2',
    { timeout: deadlineMs },
    async () => {
      const files = writeCertificates(fixture);
      const port = await serve(fixture, (_request, response) => response.end('ok'));
      const args = (host: string) => [
        '-sS',
        '--cacert',
        files.ca,
        '--resolve',
        `${host}:${port}:127.0.0.1`,
        `https://${host}:${port}/`,
      ];
      const wrong = await run('curl', args('elsewhere.test'));
      expect(wrong.code).toBe(60);
      const old = await run('curl', ['--tls-max', '1.2', ...args('localhost')]);
      expect(old).toEqual({ code: 0, stdout: 'ok', stderr: '' });
    },
  );
});
