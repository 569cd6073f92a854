import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Credentials, makeCertificate, whenQuiet } from '@iocp/testkit';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type ClientOptions, WebSocket, WebSocketServer } from 'ws';
import { backendsUnderTest, onWindows, resetRetries } from '../../../system.shared.js';
import { run, start, startServer, startWebSocketServer } from './cli.js';

const folder = mkdtempSync(join(tmpdir(), 'iocp-echo-ws-'));
const file = (name: string): string => join(folder, name);
const serverFiles = ['--tls-cert', file('cert.pem'), '--tls-key', file('key.pem')];
let authority: Credentials;

beforeAll(async () => {
  authority = await makeCertificate({ usage: 'authority', commonName: 'Echo CA' });
  const server = await makeCertificate({ names: ['localhost'], issuer: authority });
  writeFileSync(file('ca.pem'), authority.cert);
  writeFileSync(file('cert.pem'), server.cert);
  writeFileSync(file('key.pem'), server.key);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A client that we did not write. */
async function dial(url: string, options: ClientOptions = {}): Promise<WebSocket> {
  const socket = new WebSocket(url, options);
  onTestFinished(() => socket.terminate());
  await once(socket, 'open');
  return socket;
}

async function expectEcho(socket: WebSocket, message: Buffer | string): Promise<void> {
  const reply = once(socket, 'message');
  socket.send(message);
  const [data, isBinary] = (await reply) as [Buffer, boolean];
  expect(isBinary).toBe(typeof message !== 'string');
  expect(data.equals(Buffer.from(message))).toBe(true);
}

async function closeCode(socket: WebSocket): Promise<number> {
  const [code] = await once(socket, 'close');
  return code;
}

interface Response {
  readonly status: number | undefined;
  readonly type: string | undefined;
  readonly body: string;
}

function fetchFrom(port: number, path: string, method = 'GET'): Promise<Response> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path, method, agent: false }, async (response) => {
      let body = '';
      for await (const chunk of response.setEncoding('utf8')) body += chunk;
      resolve({ status: response.statusCode, type: response.headers['content-type'], body });
    }).on('error', reject);
  });
}

describe.each(backendsUnderTest)('serve --ws on %s', (backend) => {
  it('says where it listens, and echoes text and bytes of any length', async () => {
    const { server, port } = await startWebSocketServer('--backend', backend);
    expect(JSON.parse(server.stdout)).toMatchObject({
      event: 'listening',
      protocol: 'ws',
      host: '127.0.0.1',
      port,
      page: `http://127.0.0.1:${port}/`,
      backend,
    });
    const socket = await dial(`ws://127.0.0.1:${port}/`);
    expect(socket.extensions).toBe('');
    for (const message of ['', 'Grüße, 世界 👋🏽', 'x'.repeat(70_000)]) await expectEcho(socket, message);
    for (const length of [0, 125, 126, 65_536, 1_000_000]) await expectEcho(socket, randomBytes(length));
    const closed = closeCode(socket);
    socket.close(4000);
    expect(await closed).toBe(4000);
  });

  it('--ws-deflate compresses for those who ask for it', async () => {
    const { port } = await startWebSocketServer('--ws-deflate', '--backend', backend);
    const socket = await dial(`ws://127.0.0.1:${port}/`);
    expect(socket.extensions).toMatch(/^permessage-deflate/);
    for (const message of ['short', 'long '.repeat(20_000)]) await expectEcho(socket, message);
    const plain = await dial(`ws://127.0.0.1:${port}/`, { perMessageDeflate: false });
    expect(plain.extensions).toBe('');
    await expectEcho(plain, 'long '.repeat(20_000));
  });

  it('--wss takes a certificate from files, or makes one', async () => {
    const first = await startWebSocketServer('--wss', '127.0.0.1:0', ...serverFiles, '--backend', backend);
    const [line] = await first.server.seen(/^.*"wss".*$/m);
    const { port, page } = JSON.parse(line);
    expect(page).toBe(`https://127.0.0.1:${port}/`);
    await expectEcho(await dial(`wss://localhost:${port}/`, { ca: authority.cert }), 'over TLS');
    await expectEcho(await dial(`ws://127.0.0.1:${first.port}/`), 'and without');
    const server = start(['serve', '--wss', '127.0.0.1:0', '--tls-self-signed', '--backend', backend]);
    const [, selfSigned] = await server.seen(/^listening on wss 127\.0\.0\.1:(\d+) .*\ncertificate made/m);
    await expectEcho(await dial(`wss://127.0.0.1:${selfSigned}/`, { rejectUnauthorized: false }), 'hello');
  });

  it('has a page at the same port', async () => {
    const { port } = await startWebSocketServer('--backend', backend);
    const page = await fetchFrom(port, '/?from=here');
    expect(page).toMatchObject({ status: 200, type: 'text/html; charset=utf-8' });
    const parts = [...page.body.matchAll(/(?:src|href)="(page\.\w+)"/g)].map(([, name]) => name);
    expect(parts).toEqual(['page.css', 'page.js']);
    for (const name of parts) {
      const part = await fetchFrom(port, `/${name}`);
      expect(part.status).toBe(200);
      expect(part.body.length).toBeGreaterThan(1000);
    }
    expect(await fetchFrom(port, '/', 'HEAD')).toMatchObject({ status: 200, body: '' });
    expect((await fetchFrom(port, '/main.js')).status).toBe(404);
    expect((await fetchFrom(port, '/', 'POST')).status).toBe(405);
  });

  it.skipIf(onWindows)('SIGTERM says goodbye to everybody, and counts what was echoed', async () => {
    const { server, port } = await startWebSocketServer('--backend', backend);
    const socket = await dial(`ws://127.0.0.1:${port}/`);
    await expectEcho(socket, 'before');
    const closed = closeCode(socket);
    server.child.kill('SIGTERM');
    expect(await closed).toBe(1001);
    const { code, stdout } = await server.finished();
    expect(stdout).toMatch(/"stopping","signal":"SIGTERM","connectionsOpen":1/);
    expect(stdout).toMatch(/"stopped","connectionsTotal":1,"datagramsTotal":0,"bytesTotal":6/);
    expect(code).toBe(0);
  });

  it('a peer that does not read its replies is not read from, and loses nothing', async () => {
    const { port } = await startWebSocketServer('--backend', backend);
    const socket = await dial(`ws://127.0.0.1:${port}/`);
    const message = randomBytes(1_000_000);
    const count = 40;
    socket.pause();
    for (let each = 0; each < count; each++) socket.send(message);
    // Until the sockets on the way are full, and more than the server would keep is still here.
    await whenQuiet(() => socket.bufferedAmount, 100);
    expect(socket.bufferedAmount).toBeGreaterThan(10_000_000);
    let arrived = 0;
    const all = new Promise<void>((resolve, reject) => {
      socket.on('message', (data: Buffer) => {
        arrived += 1;
        if (!data.equals(message)) reject(new Error(`reply ${arrived} differs`));
        if (arrived === count) resolve();
      });
    });
    socket.resume();
    await all;
  });
});

describe.each(backendsUnderTest)('client ws:// on %s', (backend) => {
  it('gets a reply to every line', async () => {
    const { port } = await startWebSocketServer('--backend', backend);
    const lines = Array.from(
      { length: 2000 },
      (_, index) => `Zeile ${index} € ${'x'.repeat(index % 200)}\n`,
    ).join('');
    const args = ['client', `ws://127.0.0.1:${port}/`, '--backend', backend];
    expect(await run(args, lines)).toMatchObject({ code: 0, stdout: lines, stderr: '' });
  });

  it('leaves at "exit", after its reply', async () => {
    const { port } = await startWebSocketServer();
    const args = ['client', `ws://127.0.0.1:${port}`, '--backend', backend];
    expect(await run(args, 'one\nexit\nnever sent\n')).toMatchObject({ code: 0, stdout: 'one\nexit\n' });
  });

  it('takes wss:// by --ca, and by --insecure', async () => {
    const { server } = await startWebSocketServer('--wss', '127.0.0.1:0', ...serverFiles);
    const [line] = await server.seen(/^.*"wss".*$/m);
    const { port } = JSON.parse(line);
    for (const trust of [['--ca', file('ca.pem')], ['--insecure']]) {
      const args = ['client', `wss://localhost:${port}/`, ...trust, '--backend', backend];
      expect(await run(args, 'hello\n')).toMatchObject({ code: 0, stdout: 'hello\n', stderr: '' });
    }
    const { code, stderr } = await run(['client', `wss://localhost:${port}/`], 'secret\n');
    expect(stderr).toMatch(/^iocp-echo: .*certificate.*\n$/i);
    expect(code).toBe(1);
  });
});

describe('client ws:// and servers that do not do as they should', () => {
  async function serveWith(serve: (socket: WebSocket, request: IncomingMessage) => void): Promise<string> {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
    onTestFinished(() => {
      for (const client of server.clients) client.terminate();
      server.close();
    });
    server.on('connection', serve);
    await once(server, 'listening');
    return `ws://127.0.0.1:${(server.address() as { port: number }).port}/`;
  }

  it('says so when one closes with a line unanswered', async () => {
    const url = await serveWith((socket) => socket.on('message', () => socket.close(4001, 'enough')));
    const client = start(['client', url]);
    client.child.stdin?.write('anybody?\n');
    expect(await client.finished()).toMatchObject({
      code: 1,
      stdout: '',
      stderr:
        'iocp-echo: the server closed the connection with code 4001 (enough), and a line was not answered\n',
    });
  });

  it('says so when one leaves without a word', async () => {
    const url = await serveWith((socket) => socket.on('message', () => socket.terminate()));
    const client = start(['client', url]);
    client.child.stdin?.write('anybody?\n');
    expect(await client.finished()).toMatchObject({
      code: 1,
      stderr:
        'iocp-echo: the server ended the connection without closing it in order, and a line was not answered\n',
    });
  });

  it('says so when one breaks the connection', { retry: resetRetries }, async () => {
    const url = await serveWith((webSocket, { socket }) =>
      webSocket.on('message', () => socket.resetAndDestroy()),
    );
    const client = start(['client', url]);
    client.child.stdin?.write('anybody?\n');
    const { code, stderr } = await client.finished();
    expect(stderr).toMatch(
      /^iocp-echo: the connection broke: .*ECONNRESET.*, and a line was not answered\n$/,
    );
    expect(code).toBe(1);
  });

  it('says so when it speaks something else', async () => {
    const { port } = await startServer();
    const { code, stderr } = await run(['client', `ws://127.0.0.1:${port}/`], 'x\n');
    expect(stderr).toMatch(/^iocp-echo: .+\n$/);
    expect(code).toBe(1);
  });
});
