/** What `tls()` says at once of options that make no sense. */

import { describe, expect, test } from 'vitest';
import { createSecureContext, type SecureContext } from '../src/index.js';
import { tls } from '../src/layer.js';
import { alpnSettings } from '../src/options/alpn.js';
import { contextSelection, ServerContexts, type SniCallback } from '../src/options/server-contexts.js';
import { nameToAskFor, normalizedName } from '../src/options/server-name.js';
import type { TlsOptions } from '../src/options/tls-options.js';

const call = (options: unknown) => () => tls(options as TlsOptions);
const nothing = () => {};

describe('tls()', () => {
  test.each([
    [null, 'ERR_INVALID_ARG_TYPE'],
    ['options', 'ERR_INVALID_ARG_TYPE'],
    [{ secureContext: {} }, 'ERR_INVALID_ARG_TYPE'],
    [{ rejectUnauthorized: 0 }, 'ERR_INVALID_ARG_TYPE'],
    [{ requestCert: 'yes' }, 'ERR_INVALID_ARG_TYPE'],
    [{ requestOCSP: 1 }, 'ERR_INVALID_ARG_TYPE'],
    [{ ALPNProtocols: 'h2' }, 'ERR_INVALID_ARG_TYPE'],
    [{ ALPNProtocols: [1] }, 'ERR_INVALID_ARG_TYPE'],
    [{ ALPNProtocols: [''] }, 'ERR_OUT_OF_RANGE'],
    [{ ALPNProtocols: ['x'.repeat(256)] }, 'ERR_OUT_OF_RANGE'],
    [{ ALPNProtocols: Array.from({ length: 300 }, () => 'x'.repeat(250)) }, 'ERR_OUT_OF_RANGE'],
    [{ ALPNProtocols: Buffer.from('\x03h2') }, 'ERR_INVALID_ARG_VALUE'],
    [{ ALPNProtocols: Buffer.from('\x00') }, 'ERR_INVALID_ARG_VALUE'],
    [{ ALPNCallback: 'h2' }, 'ERR_INVALID_ARG_TYPE'],
    [{ ALPNCallback: nothing, ALPNProtocols: ['h2'] }, 'ERR_TLS_ALPN_CALLBACK_WITH_PROTOCOLS'],
    [{ SNICallback: {} }, 'ERR_INVALID_ARG_TYPE'],
    [{ servernames: [] }, 'ERR_INVALID_ARG_TYPE'],
    [{ servernames: { 'a.test': 'context' } }, 'ERR_INVALID_ARG_TYPE'],
    [{ servernames: { '': {} } }, 'ERR_INVALID_ARG_VALUE'],
    [{ servernames: { '*': {} } }, 'ERR_INVALID_ARG_VALUE'],
    [{ servernames: { '*.': {} } }, 'ERR_INVALID_ARG_VALUE'],
    [{ servernames: { 'a.*.test': {} } }, 'ERR_INVALID_ARG_VALUE'],
    [{ servernames: { 'w*.test': {} } }, 'ERR_INVALID_ARG_VALUE'],
    [{ servernames: { 'bücher.test': {} } }, 'ERR_INVALID_ARG_VALUE'],
    [{ servernames: { 'a.test': { minVersion: 'SSLv3' } } }, 'ERR_TLS_INVALID_PROTOCOL_VERSION'],
    [{ servername: 1 }, 'ERR_INVALID_ARG_TYPE'],
    [{ servername: 'a b' }, 'ERR_INVALID_ARG_VALUE'],
    [{ servername: 'bücher.test' }, 'ERR_INVALID_ARG_VALUE'],
    [{ servername: 'x'.repeat(256) }, 'ERR_INVALID_ARG_VALUE'],
    [{ checkServerIdentity: true }, 'ERR_INVALID_ARG_TYPE'],
    [{ session: 'session' }, 'ERR_INVALID_ARG_TYPE'],
    [{ ocspResponse: Buffer.alloc(1) }, 'ERR_INVALID_ARG_TYPE'],
    [{ onSession: 1 }, 'ERR_INVALID_ARG_TYPE'],
    [{ onKeylog: 1 }, 'ERR_INVALID_ARG_TYPE'],
    [{ truncation: 'ignore' }, 'ERR_INVALID_ARG_VALUE'],
    [{ handshakeTimeoutMs: 0 }, 'ERR_OUT_OF_RANGE'],
    [{ handshakeTimeoutMs: 2 ** 31 }, 'ERR_OUT_OF_RANGE'],
    [{ closeTimeoutMs: -1 }, 'ERR_OUT_OF_RANGE'],
    [{ closeTimeoutMs: '1' }, 'ERR_INVALID_ARG_TYPE'],
    [{ highWaterMark: 0 }, 'ERR_OUT_OF_RANGE'],
    [{ overflow: 'drop' }, 'ERR_INVALID_ARG_VALUE'],
    [{ engine: 'openssl' }, 'ERR_INVALID_ARG_VALUE'],
    [{ cert: 1 }, 'ERR_INVALID_ARG_TYPE'],
  ])('%o: %s', (options, code) => {
    expect(call(options)).toThrow(expect.objectContaining({ code }));
  });

  test('names the variable when that is wrong', () => {
    process.env.IOCP_TLS_ENGINE = 'rustls';
    try {
      expect(call({})).toThrow(/process\.env\.IOCP_TLS_ENGINE/);
      expect(tls({ engine: 'node' }).engine).toBe('node');
      process.env.IOCP_TLS_ENGINE = 'node';
      expect(tls().engine).toBe('node');
    } finally {
      delete process.env.IOCP_TLS_ENGINE;
    }
  });
});

describe('ALPN', () => {
  test.each([
    [['h2', 'http/1.1']],
    [[Buffer.from('h2'), new Uint8Array(Buffer.from('http/1.1'))]],
    [Buffer.from('\x02h2\x08http/1.1')],
    [new DataView(Uint8Array.from(Buffer.from('\x02h2\x08http/1.1')).buffer) as unknown as Uint8Array],
  ])('takes %o', (protocols) => {
    expect(alpnSettings({ ALPNProtocols: protocols }).alpnProtocols).toEqual(['h2', 'http/1.1']);
  });

  test('keeps bytes that are no text', () => {
    const grease = Buffer.from([0x0a, 0xda, 0xff]);
    const [name] = alpnSettings({ ALPNProtocols: [grease] }).alpnProtocols;
    expect(Buffer.from(name as string, 'latin1')).toEqual(grease);
  });

  test('a callback may only choose what is offered', () => {
    const choosing = (choice: string | undefined) =>
      alpnSettings({ ALPNCallback: () => choice }).selectProtocol?.({
        servername: undefined,
        protocols: ['h2'],
      });
    expect(choosing('h2')).toBe('h2');
    expect(choosing(undefined)).toBe(undefined);
    expect(() => choosing('h3')).toThrow(
      expect.objectContaining({ code: 'ERR_TLS_ALPN_CALLBACK_INVALID_RESULT' }),
    );
  });

  test('a callback learns of the name', () => {
    const seen: string[] = [];
    const { selectProtocol } = alpnSettings({ ALPNCallback: ({ servername }) => void seen.push(servername) });
    selectProtocol?.({ servername: 'a.test', protocols: ['h2'] });
    selectProtocol?.({ servername: undefined, protocols: ['h2'] });
    expect(seen).toEqual(['a.test', '']);
  });
});

describe('names of servers', () => {
  test('are compared without case and without the last dot', () => {
    expect(normalizedName('A.Test.')).toBe('a.test');
  });

  test.each([
    ['a.test', 'a.test'],
    ['a.test.', 'a.test'],
    ['127.0.0.1', ''],
    ['::1', ''],
    ['', ''],
  ])('%o is asked for as %o', (name, asked) => {
    expect(nameToAskFor(name)).toBe(asked);
  });
});

describe('contexts by name', () => {
  const [exact, wildcard, deep] = Array.from({ length: 3 }, () => createSecureContext()) as [
    SecureContext,
    SecureContext,
    SecureContext,
  ];
  const contexts = new ServerContexts(
    { 'www.Example.test': exact, '*.example.test': wildcard, '*.b.example.test.': deep },
    () => createSecureContext(),
  );

  test.each([
    ['www.example.test', exact],
    ['WWW.EXAMPLE.TEST.', exact],
    ['a.example.test', wildcard],
    ['example.test', undefined],
    ['a.b.example.test', deep],
    ['a.c.example.test', undefined],
    ['test', undefined],
    ['', undefined],
  ])('%s', (name, expected) => {
    expect(contexts.find(name)).toBe(expected);
  });

  test('there is nothing to ask without names and callback', () => {
    expect(contextSelection(undefined, undefined)).toBe(undefined);
  });

  test('a callback is asked for what is not among the names, and not without a name', async () => {
    const asked: string[] = [];
    const select = contextSelection(contexts, (name) => {
      asked.push(name);
      return undefined;
    });
    const of = (servername: string | undefined) => select?.({ servername, protocols: [] });
    expect(await of('www.example.test')).toBe(exact);
    expect(await of(undefined)).toBe(undefined);
    expect(asked).toEqual([]);
    // The one above takes no callback and so has answered.
    expect(await of('other.test')).toBe(undefined);
    expect(asked).toEqual(['other.test']);
  });

  const refusal = new Error('not here');
  const later = (work: () => void) => setImmediate(work);
  test.each<[string, SniCallback, SecureContext | null | undefined]>([
    ['by its result', () => exact, exact],
    ['by a promise', async () => exact, exact],
    ['by the callback', (_, answer) => answer(null, exact), exact],
    ['by the callback, later', (_, answer) => void later(() => answer(null, exact)), exact],
    ['by the callback, with nothing', (_, answer) => answer(null), undefined],
    ['with null', () => null, null],
    ['with a wrapped callback, later', (...args) => void later(() => args[1](null, exact)), exact],
  ])('answers %s', async (_, callback, expected) => {
    const select = contextSelection(undefined, callback);
    expect(await select?.({ servername: 'a.test', protocols: [] })).toBe(expected);
  });

  test.each<[string, SniCallback, object]>([
    [
      'a throw',
      () => {
        throw refusal;
      },
      refusal,
    ],
    ['a rejection', () => Promise.reject(refusal), refusal],
    ['an error for the callback', (_, answer) => answer(refusal), refusal],
    ['something else than a context', (() => ({})) as never, { code: 'ERR_TLS_INVALID_CONTEXT' }],
    ['something else, later', (async () => 'context') as never, { code: 'ERR_TLS_INVALID_CONTEXT' }],
  ])('%s ends the handshake', async (_, callback, expected) => {
    const select = contextSelection(undefined, callback);
    await expect(select?.({ servername: 'a.test', protocols: [] })).rejects.toMatchObject(expected);
  });
});
