/** The opening handshake (RFC 6455, section 4), in either role. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { type DeflateParameters, MessageCodec, parseDeflate, termsOf } from './compression.js';
import type { WebSocketPeer } from './peer.js';

/** The start line and the headers of a request or an answer. Names are in lower case, values of the same name joined. */
export interface Head {
  readonly startLine: string;
  readonly headers: ReadonlyMap<string, string>;
}

/** The key of RFC 6455, 1.3, and what it has to be answered with. */
export const sampleKey = { key: 'dGhlIHNhbXBsZSBub25jZQ==', accept: 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=' };

/** `Sec-WebSocket-Accept` for a key. */
export function acceptOf(key: string): string {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}

/** The lines of a request that every server has to take. */
export function requestLines(path = '/'): string[] {
  return [
    `GET ${path} HTTP/1.1`,
    'Host: localhost',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Key: ${sampleKey.key}`,
    'Sec-WebSocket-Version: 13',
  ];
}

/** The lines of the answer that every client has to take. */
export function answerLines(request: Head): string[] {
  return [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${acceptOf(request.headers.get('sec-websocket-key') ?? '')}`,
  ];
}

export function headBytes(lines: readonly string[]): Buffer {
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

export function parseHead(text: string): Head {
  const [startLine = '', ...lines] = text.split('\r\n');
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    assert.ok(colon > 0, `not a header: ${JSON.stringify(line)}`);
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return { startLine, headers };
}

/** Fails unless the head says that the connection is upgraded. */
function assertUpgrades({ headers }: Head): void {
  assert.equal(headers.get('upgrade')?.toLowerCase(), 'websocket');
  assert.match(headers.get('connection') ?? '', /(^|,)\s*upgrade\s*(,|$)/i);
}

/** Asks for the upgrade and checks the answer. @param extensions what is offered */
export async function openAsClient(peer: WebSocketPeer, extensions?: string): Promise<Head> {
  const lines = requestLines();
  if (extensions !== undefined) lines.push(`Sec-WebSocket-Extensions: ${extensions}`);
  await peer.send([headBytes(lines)]);
  return readAnswer(peer, extensions);
}

/** Reads an answer that must be a yes, and keeps to what it says about extensions. */
export async function readAnswer(peer: WebSocketPeer, extensions?: string): Promise<Head> {
  const answer = parseHead(await peer.readHead());
  assert.match(answer.startLine, /^HTTP\/1\.1 101 /, String(peer.transcript));
  assertUpgrades(answer);
  assert.equal(answer.headers.get('sec-websocket-accept'), sampleKey.accept);
  const agreed = parseDeflate(answer.headers.get('sec-websocket-extensions'));
  if (agreed.length === 0) return answer;
  assert.equal(agreed.length, 1, 'permessage-deflate was agreed on twice');
  const [parameters] = agreed as [DeflateParameters];
  assertAllowed(parameters, parseDeflate(extensions));
  peer.codec = new MessageCodec('client', termsOf(parameters));
  return answer;
}

/** RFC 7692, 7.1: fails unless the answer is one to one of the offers. */
function assertAllowed(answer: DeflateParameters, offers: readonly DeflateParameters[]): void {
  const fits = offers.some((offer) => {
    const bits = offer.get('server_max_window_bits');
    const answered = answer.get('server_max_window_bits');
    if (bits !== undefined && !(Number(answered) <= Number(bits))) return false;
    if (offer.has('server_no_context_takeover') && !answer.has('server_no_context_takeover')) return false;
    const own = offer.get('client_max_window_bits');
    const demanded = answer.get('client_max_window_bits');
    return demanded === undefined || own === true || Number(demanded) <= Number(own);
  });
  assert.ok(fits, `an answer that no offer allows: ${JSON.stringify([...answer])}`);
}

/** Reads the request of a client, which must be in order. */
export async function readRequest(peer: WebSocketPeer): Promise<Head> {
  const request = parseHead(await peer.readHead());
  assert.match(request.startLine, /^GET \/[^ ]* HTTP\/1\.1$/);
  assertUpgrades(request);
  assert.ok(request.headers.has('host'), 'no host');
  assert.equal(request.headers.get('sec-websocket-version'), '13');
  const key = request.headers.get('sec-websocket-key') ?? '';
  assert.match(key, /^[A-Za-z0-9+/]{22}==$/, 'a key of other than 16 bytes');
  return request;
}

/** Lets a client in. @param choose the extensions of the answer, by what is offered */
export async function openAsServer(
  peer: WebSocketPeer,
  choose: (offers: readonly DeflateParameters[]) => string | undefined = () => undefined,
): Promise<Head> {
  const request = await readRequest(peer);
  const chosen = choose(parseDeflate(request.headers.get('sec-websocket-extensions')));
  const lines = answerLines(request);
  if (chosen !== undefined) {
    lines.push(`Sec-WebSocket-Extensions: ${chosen}`);
    peer.codec = new MessageCodec('server', termsOf(parseDeflate(chosen)[0] as DeflateParameters));
  }
  await peer.send([headBytes(lines)]);
  return request;
}
