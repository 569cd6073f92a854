/** A browser: what a page has from our server, by `WebSocket` and by `WebSocketStream`. */

import { json } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import type { WebSocketListenOptions } from '../../src/server/listen.js';
import { type Fixture, onEachBackend, portOf } from '../server/fixture.js';
import { deadlineMs, echoServer, folderFor, Program, programOf } from './support.js';

const chromium = programOf('chromium', ['chromium'], ['--version']);

/** Tells the server how it went. */
const page = `<!doctype html><script type="module">
const samples = [
  '', 'text: ä€😀', new Uint8Array(0), Uint8Array.from({ length: 256 }, (_, index) => index),
  ...[125, 126, 65535, 65536, 1 << 20].map((length) => new Uint8Array(length).fill(97)), 'much of it, '.repeat(100000),
];
const here = location.href.replace('http', 'ws');
const event = (target, name) => new Promise((resolve, reject) => {
  target.addEventListener(name, resolve, { once: true });
  target.addEventListener('error', () => reject(new Error('an error instead of ' + name)), { once: true });
});
const textOf = (data) => typeof data === 'string' ? data : 'bytes ' + new Uint8Array(data);

async function byWebSocket() {
  const socket = new WebSocket(here, ['echo']);
  socket.binaryType = 'arraybuffer';
  await event(socket, 'open');
  for (const message of samples) {
    socket.send(message);
    const { data } = await event(socket, 'message');
    if (textOf(data) !== textOf(message)) throw new Error('something else came back');
  }
  socket.close(4000, 'enough');
  const { code, reason, wasClean } = await event(socket, 'close');
  return { protocol: socket.protocol, extensions: socket.extensions, code, reason, wasClean };
}

async function byStream() {
  const stream = new WebSocketStream(here, { protocols: ['echo'] });
  const { readable, writable } = await stream.opened;
  const writer = writable.getWriter();
  const chunk = new Uint8Array(1 << 16);
  const count = 64;
  const writing = (async () => { for (let sent = 0; sent < count; sent += 1) await writer.write(chunk); })();
  let received = 0;
  const reader = readable.getReader();
  while (received < count * chunk.length) received += (await reader.read()).value.byteLength;
  await writing;
  stream.close({ closeCode: 4001, reason: 'all' });
  const { closeCode, reason } = await stream.closed;
  return { received, closeCode, reason };
}

let report;
try {
  report = { socket: await byWebSocket(), stream: await byStream() };
} catch (error) {
  report = { error: String(error) };
}
await fetch('/report', { method: 'POST', body: JSON.stringify(report) });
</script>`;

const flags = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // The certificate is one for tests.
  '--ignore-certificate-errors',
];

/** What the page at a server of ours says. */
async function reportOf(fixture: Fixture, options: WebSocketListenOptions, scheme: string) {
  let told: (report: Promise<unknown>) => void;
  const report = new Promise<unknown>((resolve) => (told = resolve));
  const server = await echoServer(fixture, {
    ...options,
    request: (request, response) => {
      if (request.method === 'POST') told(json(request));
      response.setHeader('content-type', 'text/html; charset=utf-8').end(page);
    },
  });
  const profile = `--user-data-dir=${folderFor(fixture)}`;
  const url = `${scheme}://127.0.0.1:${portOf(server)}/`;
  const browser = new Program(fixture, chromium as string, [...flags, profile, url]);
  return Promise.race([report, browser.ended()]);
}

describe.skipIf(chromium === undefined)('Chromium', () => {
  onEachBackend('talks to our server', (fixture) => {
    test.each([
      ['plain', 'http', false, ''],
      ['compressed', 'http', { threshold: 0, contextTakeover: true }, 'permessage-deflate'],
      ['over TLS', 'https', false, ''],
    ])('%s', { timeout: deadlineMs }, async (_, scheme, deflate, extensions) => {
      const tls = scheme === 'https' ? { tls: fixture.certificates.server } : {};
      expect(await reportOf(fixture, { deflate, ...tls }, scheme)).toEqual({
        socket: {
          protocol: 'echo',
          extensions: expect.stringContaining(extensions),
          code: 4000,
          reason: 'enough',
          wasClean: true,
        },
        stream: { received: 64 * 65_536, closeCode: 4001, reason: 'all' },
      });
    });
  });
});
