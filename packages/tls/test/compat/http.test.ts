/** HTTP, HTTP/2 and streams of others over the sockets. */

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import http2 from 'node:http2';
import https, { Agent } from 'node:https';
import { type Duplex, PassThrough, Readable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { expect, test } from 'vitest';
import { isWineSocket } from '../../../../system.shared.js';
import { onEachModule, type Scene, type ServerOptions, type Socket } from './support.js';

interface Asked {
  readonly socket: Socket;
  /** As the certificate has it. */
  readonly client: string;
}

/** An HTTPS server: `http.Server` on what the module under test accepts. It says how it was asked. */
async function serveHttps(
  scene: Scene,
  options?: ServerOptions,
): Promise<{ port: number; requests: Asked[] }> {
  const requests: Asked[] = [];
  const http = createServer((request, response) => {
    const socket = request.socket as Socket;
    requests.push({ socket, client: String(socket.getPeerCertificate().subject?.CN) });
    const hash = createHash('sha256');
    request.on('data', (data) => hash.update(data));
    request.on('end', () => response.end(`${request.method} ${request.url} ${hash.digest('hex')}`));
  });
  const { port } = await scene.serve(options, (socket) => http.emit('connection', socket));
  scene.after(() => http.closeAllConnections());
  return { port, requests };
}

const hashOf = (data: string | Buffer) => createHash('sha256').update(data).digest('hex');

async function ask(options: https.RequestOptions, body?: Buffer): Promise<string> {
  const request = https.request({ host: '127.0.0.1', ...options });
  request.end(body);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  return `${response.statusCode} ${text}`;
}

onEachModule('https', (scene) => {
  /** Requests go through the module under test. */
  const through = () => {
    const made: Socket[] = [];
    const createConnection = (options: object) => {
      const socket = scene.dial((options as { port: number }).port, options);
      made.push(socket);
      return socket;
    };
    return { made, createConnection };
  };

  test('createConnection', async () => {
    const { port } = await serveHttps(scene);
    const { createConnection, made } = through();
    const trusted = { ca: scene.certificates.ca.cert, servername: 'localhost' };
    const answer = await ask({ port, path: '/a', createConnection, ...trusted } as https.RequestOptions);
    expect(answer).toBe(`200 GET /a ${hashOf('')}`);
    expect(made).toHaveLength(1);
  });

  // The agent asks for a time of keep-alive.
  test.skipIf(isWineSocket(scene.backend))('an agent keeps connections alive', async () => {
    const { port, requests } = await serveHttps(scene);
    const { createConnection, made } = through();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    Object.assign(agent, { createConnection });
    scene.after(() => agent.destroy());
    const trusted = { ca: scene.certificates.ca.cert, servername: 'localhost', agent, port };
    expect(await ask({ ...trusted, path: '/1' })).toBe(`200 GET /1 ${hashOf('')}`);
    const body = Buffer.alloc(1_000_000, 'body');
    expect(await ask({ ...trusted, path: '/2', method: 'POST' }, body)).toBe(`200 POST /2 ${hashOf(body)}`);
    expect(made).toHaveLength(1);
    expect(requests.map(({ socket }) => socket)).toEqual([requests[0]?.socket, requests[0]?.socket]);
    expect(requests[0]?.socket.encrypted).toBe(true);
  });

  test('a request that is refused for its certificate', async () => {
    const { cert, key } = scene.certificates.selfSigned;
    const { port } = await serveHttps(scene, { cert, key });
    const { createConnection } = through();
    const asking = ask({ port, createConnection } as https.RequestOptions);
    await expect(asking).rejects.toMatchObject({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
  });

  test('node:https is served, with the certificate of its client', async () => {
    const { ca, client } = scene.certificates;
    const { port, requests } = await serveHttps(scene, {
      requestCert: true,
      ca: ca.cert,
      ALPNProtocols: ['http/1.1'],
    });
    const answer = await ask({
      port,
      path: '/',
      ca: ca.cert,
      servername: 'localhost',
      ALPNProtocols: ['http/1.1'],
      ...client,
      agent: false,
    } as https.RequestOptions);
    expect(answer).toMatch(/^200 GET/);
    expect(requests).toMatchObject([
      { client: 'client', socket: { authorized: true, alpnProtocol: 'http/1.1' } },
    ]);
  });

  test('an upgrade takes the socket along', async () => {
    const http = createServer();
    http.on('upgrade', (_request, socket: Duplex, head: Buffer) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
      if (head.length > 0) socket.write(head);
      socket.pipe(socket);
    });
    const { port } = await scene.serve({}, (socket) => http.emit('connection', socket));
    const { createConnection } = through();
    const headers = { connection: 'upgrade', upgrade: 'echo' };
    const trusted = { ca: scene.certificates.ca.cert, servername: 'localhost' };
    const request = https.request({
      host: '127.0.0.1',
      port,
      headers,
      createConnection,
      ...trusted,
    } as https.RequestOptions);
    request.end();
    const [, socket] = (await once(request, 'upgrade')) as [IncomingMessage, Duplex];
    socket.end('upgraded');
    let text = '';
    for await (const chunk of socket) text += chunk;
    expect(text).toBe('upgraded');
  });
});

onEachModule('http2', (scene) => {
  test('both sides', async () => {
    const server = http2.createServer();
    server.on('stream', (stream, headers) => {
      stream.respond({ ':status': 200 });
      stream.end(`you asked for ${headers[':path']}`);
    });
    const { port } = await scene.serve({ ALPNProtocols: ['h2'] }, (socket) =>
      server.emit('connection', socket),
    );
    const session = http2.connect(`https://localhost:${port}`, {
      createConnection: () => scene.dial(port, { ALPNProtocols: ['h2'] }),
    });
    const stream = session.request({ ':path': '/both' });
    let text = '';
    for await (const chunk of stream.setEncoding('utf8')) text += chunk;
    expect(text).toBe('you asked for /both');
    session.close();
    await once(session, 'close');
  });
});

onEachModule('streams', (scene) => {
  test('pipelines both ways', async () => {
    const { port } = await scene.serve({ allowHalfOpen: true } as ServerOptions, (socket) => {
      pipeline(socket, new PassThrough(), socket).catch(() => {});
    });
    const client = await scene.connected(port, { allowHalfOpen: true });
    const sent = Array.from({ length: 40 }, (_, index) => Buffer.alloc(10_000, index));
    const sending = pipeline(Readable.from(sent), client);
    const received: Buffer[] = [];
    client.on('data', (data) => received.push(data));
    await Promise.all([sending, finished(client)]);
    expect(Buffer.concat(received).equals(Buffer.concat(sent))).toBe(true);
  });
});
