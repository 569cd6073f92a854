/** What is agreed on in a handshake, and what the application has to say to it. */

import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
import type { HandshakeOptions, Verdict } from '../../src/server/handshake-options.js';
import {
  echo,
  maskedFrame,
  onEachBackend,
  plainFrame,
  type RequestParts,
  refusalOf,
  requestText,
  until,
} from './fixture.js';

onEachBackend('a handshake', (fixture) => {
  /** The answer to one request. */
  const answer = async (options: HandshakeOptions, parts: RequestParts = {}) => {
    const server = await fixture.listen(options, echo);
    const client = await fixture.raw(server);
    client.send(requestText(parts));
    await client.until(() => client.response() !== null);
    const response = client.response();
    client.socket.destroy();
    return response;
  };

  test('is answered as RFC 6455 has it', async () => {
    const response = await answer({});
    expect(response?.status).toBe(101);
    expect(response?.headers).toEqual({
      upgrade: 'websocket',
      connection: 'Upgrade',
      'sec-websocket-accept': 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
    });
  });

  test.each([
    ['tokens in any case, among others', { Upgrade: 'h2c, WebSocket', Connection: 'keep-alive, UPGRADE' }],
    ['empty elements of lists', { Connection: ', Upgrade ,', 'Sec-WebSocket-Protocol': 'a, ,b' }],
    [
      'extensions when there are none',
      { 'Sec-WebSocket-Extensions': 'x-unknown; a="b", permessage-deflate' },
    ],
  ])('takes %s', async (_name, headers) => {
    const response = await answer({}, { headers });
    expect(response?.status).toBe(101);
    expect(response?.headers).not.toHaveProperty('sec-websocket-extensions');
  });

  test('frames that come with the request, and with the answer of a slow verify, are not lost', async () => {
    let decide: (verdict: Verdict) => void = () => {};
    for (const verify of [undefined, () => new Promise<Verdict>((resolve) => (decide = resolve))]) {
      const messages: string[] = [];
      const server = await fixture.listen(
        { verify },
        { message: (socket, data) => socket.send(`${messages.push(String(data))} ${data}`) },
      );
      const client = await fixture.raw(server);
      const first = maskedFrame(1, 'first');
      client.send(Buffer.concat([Buffer.from(requestText()), first.subarray(0, 3)]));
      if (verify !== undefined) await until(() => server.stats.handshakes === 1);
      client.send(Buffer.concat([first.subarray(3), maskedFrame(1, 'second')]));
      decide(true);
      await client.upgraded();
      client.send(maskedFrame(1, 'third'));
      const expected = Buffer.concat(['1 first', '2 second', '3 third'].map((text) => plainFrame(1, text)));
      await client.until(() => client.received.byteLength >= expected.byteLength);
      expect(client.received).toEqual(expected);
      client.socket.destroy();
    }
  });

  test.each<[HandshakeOptions['paths'], string, number]>([
    ['/chat', '/chat', 101],
    ['/chat', '/chat?room=1', 101],
    ['/chat', '/Chat', 404],
    ['/chat', '/chat/', 404],
    ['/chat', 'http://server.test/chat?a', 101],
    ['/chat', 'http://server.test/other', 404],
    ['/', 'http://server.test?a', 101],
    [/^\/room\/\d+$/g, '/room/12', 101],
    [/^\/room\/\d+$/g, '/room/x', 404],
    [(path) => path.length < 5, '/abc?long=enough', 101],
    [(path) => path.length < 5, '/abcd', 404],
    [['/a', /^\/b/], '/bb', 101],
    [['/a', /^\/b/], '/c', 404],
    [[], '/', 404],
  ])('paths %s: %s gets %d', async (paths, target, status) => {
    const server = await fixture.listen({ paths }, echo);
    // Twice: a regular expression may remember where it was.
    for (let turn = 0; turn < 2; turn++) {
      const client = (await fixture.raw(server)).send(requestText({ target }));
      await client.until(() => client.response() !== null);
      expect(client.response()?.status).toBe(status);
      client.socket.destroy();
    }
  });

  test('the connection knows path, protocol and addresses', async () => {
    const known: unknown[] = [];
    const server = await fixture.listen(
      { protocols: ['b', 'c'] },
      {
        open: ({ path, protocol, extensions, info, role, data }) =>
          known.push({
            path,
            protocol,
            extensions,
            protocols: info.protocols,
            local: info.localPort,
            role,
            data,
          }),
      },
    );
    const { port } = server.address() ?? {};
    const client = fixture.ws(server, '/a/b?c=d', { protocols: ['a', 'c', 'b'] });
    await once(client, 'open');
    expect(client.protocol).toBe('b');
    expect(known).toEqual([
      {
        path: '/a/b?c=d',
        protocol: 'b',
        extensions: '',
        protocols: ['tcp'],
        local: port,
        role: 'server',
        data: undefined,
      },
    ]);
  });

  test.each<[string, HandshakeOptions, string | undefined, string | undefined]>([
    ['none in common', { protocols: ['x'] }, 'a, b', undefined],
    ['none offered', { protocols: ['x'] }, undefined, undefined],
    ['none spoken', {}, 'a', undefined],
    ['ours first', { protocols: ['x', 'y'] }, 'y, x', 'x'],
    ['chosen by a function', { selectProtocol: (offered) => offered.at(-1) }, 'a, b', 'b'],
    ['none chosen by a function', { selectProtocol: () => undefined }, 'a, b', undefined],
  ])('protocols: %s', async (_name, options, offered, chosen) => {
    const response = await answer(options, { headers: { 'Sec-WebSocket-Protocol': offered } });
    expect(response?.status).toBe(101);
    expect(response?.headers['sec-websocket-protocol']).toBe(chosen);
  });

  test('a protocol that was not offered is a failure of ours', async () => {
    const errors: (Error | undefined)[] = [];
    const server = await fixture.listen(
      { selectProtocol: () => 'mine' },
      { refused: (_request, _status, error) => errors.push(error) },
    );
    const socket = fixture.ws(server, '/', { protocols: ['theirs'] });
    expect(await refusalOf(socket)).toBe(500);
    expect(errors.map(String)).toEqual([expect.stringContaining("gave 'mine'")]);
  });

  test('compression', async () => {
    const offered = { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' };
    expect(
      (await answer({ deflate: true }, { headers: offered }))?.headers['sec-websocket-extensions'],
    ).toContain('permessage-deflate');
    const without = await answer({ deflate: true });
    expect(without?.headers).not.toHaveProperty('sec-websocket-extensions');
    const server = await fixture.listen({ deflate: { threshold: 0 } }, echo);
    const client = await fixture.open(server);
    const text = 'again and '.repeat(500);
    client.send(text);
    const [message] = await once(client, 'message');
    expect(String(message)).toBe(text);
    expect([...server.connections][0]?.extensions).toContain('permessage-deflate');
  });

  test.each<[HandshakeOptions['origins'], string | undefined, number]>([
    [['https://good.test'], 'https://good.test', 101],
    [['https://good.test'], 'HTTPS://GOOD.TEST', 101],
    [['https://good.test'], undefined, 101],
    [['https://good.test'], 'http://good.test', 403],
    [['https://good.test'], 'https://good.test:8443', 403],
    [['https://good.test'], 'https://good.test.evil.test', 403],
    [['https://good.test', 'null'], 'null', 101],
    [['chrome-extension://abc'], 'chrome-extension://abc', 101],
    [[], 'https://good.test', 403],
    ['same-host', 'https://server.test', 101],
    ['same-host', 'https://server.test:443', 101],
    ['same-host', 'https://other.test', 403],
    ['same-host', 'https://server.test:8443', 403],
    ['same-host', 'not an origin', 403],
    ['same-host', 'null', 403],
    ['same-host', undefined, 101],
    [(origin) => origin === undefined, undefined, 101],
    [(origin) => origin === undefined, 'https://good.test', 403],
    [undefined, 'https://whoever.test', 101],
  ])('origins %s: %s gets %d', async (origins, origin, status) => {
    expect((await answer({ origins }, { headers: { Origin: origin } }))?.status).toBe(status);
  });

  test.each<[string, Verdict | undefined, object]>([
    ['true', true, { status: 101 }],
    ['an acceptance', {}, { status: 101 }],
    [
      'fields of the answer',
      { headers: { 'Set-Cookie': ['a=1', 'b=2'] } },
      { status: 101, headers: { 'set-cookie': 'b=2' } },
    ],
    ['false', false, { status: 403, body: 'Refused' }],
    ['nothing', undefined, { status: 403 }],
    [
      'a refusal',
      { status: 401, headers: { 'WWW-Authenticate': 'Basic', 'Content-Type': 'text/html' }, body: '<p>Who?' },
      { status: 401, headers: { 'www-authenticate': 'Basic', 'content-type': 'text/html' }, body: '<p>Who?' },
    ],
    [
      'a redirect',
      { status: 302, headers: { Location: '/there' } },
      { status: 302, headers: { location: '/there' }, body: '' },
    ],
    ['a status that refuses nothing', { status: 200 }, { status: 500 }],
    ['a field that cannot be', { headers: { Upgrade: 'tls' } }, { status: 500 }],
    ['a value that cannot be', { status: 401, headers: { A: 'b\r\nC: d' } }, { status: 500 }],
  ])('verify says %s', async (_name, verdict, expected) => {
    for (const say of [() => verdict, async () => verdict] as HandshakeOptions['verify'][]) {
      const response = await answer({ verify: say });
      expect(response).toMatchObject(expected);
      expect(response?.headers.c).toBeUndefined();
    }
  });

  test('verify knows the request, and gives the connection its data', async () => {
    const server = await fixture.listen({
      verify: ({ headers, url, socket }: IncomingMessage) => ({
        data: { user: headers.authorization, url, from: socket.remoteAddress },
      }),
    });
    await fixture.open(server, '/who', { headers: { Authorization: 'me' } });
    const connection = await server.accept();
    expect(connection?.data).toEqual({ user: 'me', url: '/who', from: '127.0.0.1' });
  });

  test('what the application throws refuses with 500, and goes to the handler', async () => {
    const fail = (): never => {
      throw new Error('database gone');
    };
    const failures: HandshakeOptions[] = [
      { verify: fail },
      { verify: () => Promise.reject(new Error('database gone')) },
      { origins: fail },
      { headers: fail },
      { selectProtocol: fail },
    ];
    for (const options of failures) {
      const heard: unknown[] = [];
      const server = await fixture.listen(options, {
        refused: (_request, status, error) => heard.push([status, error?.message]),
      });
      const client = (await fixture.raw(server)).send(requestText());
      const { status, body } = await client.refused();
      expect(status).toBe(500);
      expect(body).not.toContain('database');
      expect(heard).toEqual([[500, 'database gone']]);
    }
  });

  test('fields of the answer', async () => {
    const made = await answer({ headers: ({ url }) => ({ 'X-Url': url ?? '' }) }, { target: '/a' });
    expect(made?.headers['x-url']).toBe('/a');
    const fixed = await answer({ headers: { 'X-Served-By': 'me' } });
    expect(fixed?.headers['x-served-by']).toBe('me');
    const wrong = await answer({ headers: () => ({ 'Sec-WebSocket-Accept': 'x' }) });
    expect(wrong?.status).toBe(500);
  });

  test('a verdict that comes too late is 503, and verify is told', async () => {
    const signals: AbortSignal[] = [];
    const verify = (_request: unknown, { signal }: { signal: AbortSignal }) => {
      signals.push(signal);
      return new Promise<never>(() => {});
    };
    const server = await fixture.listen({ verify, handshakeTimeoutMs: 30 });
    const client = (await fixture.raw(server)).send(requestText());
    expect((await client.refused()).status).toBe(503);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
    expect(server.stats).toMatchObject({ handshakes: 0, refused: { 503: 1 }, accepted: 0 });
  });

  test.each(['ends', 'resets'])('a client that %s meanwhile is given up, and verify is told', async (how) => {
    let decide: (verdict: Verdict) => void = () => {};
    let fired: Promise<unknown> | undefined;
    const server = await fixture.listen({
      verify: (_request, { signal }) => {
        fired = once(signal, 'abort');
        return new Promise<Verdict>((resolve) => (decide = resolve));
      },
    });
    const client = (await fixture.raw(server)).send(requestText());
    await until(() => server.stats.handshakes === 1);
    if (how === 'ends') client.socket.end();
    else client.socket.resetAndDestroy();
    await fired;
    decide(true);
    await until(() => server.stats.handshakes === 0 && server.listener?.connections === 0);
    expect(server.stats).toMatchObject({ accepted: 0, abandoned: 1, refused: {} });
  });

  test('a client that floods while verify thinks has to wait', async () => {
    let decide: (verdict: Verdict) => void = () => {};
    let received = 0;
    const server = await fixture.listen(
      { verify: () => new Promise<Verdict>((resolve) => (decide = resolve)) },
      { message: (_socket, data) => (received += data.byteLength) },
    );
    const client = (await fixture.raw(server)).send(requestText());
    await until(() => server.stats.handshakes === 1);
    const count = 200_000;
    const frame = maskedFrame(2, new Uint8Array(100));
    client.send(Buffer.concat(Array(count).fill(frame)));
    // More than any buffer of the system takes: the rest stays with the client.
    await until(() => client.socket.bytesWritten > 100_000);
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(client.socket.writableLength).toBeGreaterThan(0);
    decide(true);
    await until(() => received === count * 100);
  });
});
