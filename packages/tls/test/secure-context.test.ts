/** What `createSecureContext` takes, checks and keeps. */

import { X509Certificate } from 'node:crypto';
import * as tls from 'node:tls';
import { type TestCertificates, testCertificates } from '@iocp/testkit';
import { beforeAll, describe, expect, test } from 'vitest';
import { createSecureContext } from '../src/context/create-secure-context.js';
import { SecureContext } from '../src/context/secure-context.js';
import {
  defaultCiphers,
  readSecureContextOptions,
  type SecureContextOptions,
} from '../src/context/secure-context-options.js';
import type { EngineName } from '../src/engine/engine.js';

const engines: readonly EngineName[] = ['native', 'node'];
let certificates: TestCertificates;

beforeAll(async () => {
  certificates = await testCertificates();
});

function codeOf(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
  return undefined;
}

const wrong: readonly (readonly [option: string, value: unknown, code: string])[] = [
  ['cert', 1, 'ERR_INVALID_ARG_TYPE'],
  ['cert', [{}], 'ERR_INVALID_ARG_TYPE'],
  ['key', 1, 'ERR_INVALID_ARG_TYPE'],
  ['key', [null], 'ERR_INVALID_ARG_TYPE'],
  ['key', [{ pem: 1 }], 'ERR_INVALID_ARG_TYPE'],
  ['key', [{ pem: '', passphrase: 1 }], 'ERR_INVALID_ARG_TYPE'],
  ['ca', [1], 'ERR_INVALID_ARG_TYPE'],
  ['crl', 1, 'ERR_INVALID_ARG_TYPE'],
  ['dhparam', 1, 'ERR_INVALID_ARG_TYPE'],
  ['ciphers', 1, 'ERR_INVALID_ARG_TYPE'],
  ['ciphers', '::', 'ERR_INVALID_ARG_VALUE'],
  ['ecdhCurve', 1, 'ERR_INVALID_ARG_TYPE'],
  ['sigalgs', 1, 'ERR_INVALID_ARG_TYPE'],
  ['sigalgs', '', 'ERR_INVALID_ARG_VALUE'],
  ['minVersion', 'TLSv1.4', 'ERR_TLS_INVALID_PROTOCOL_VERSION'],
  ['maxVersion', 1, 'ERR_TLS_INVALID_PROTOCOL_VERSION'],
  ['sessionIdContext', 1, 'ERR_INVALID_ARG_TYPE'],
  ['sessionTimeout', '1', 'ERR_INVALID_ARG_TYPE'],
  ['sessionTimeout', -1, 'ERR_OUT_OF_RANGE'],
  ['sessionTimeout', 2 ** 31, 'ERR_OUT_OF_RANGE'],
  ['secureOptions', '1', 'ERR_INVALID_ARG_TYPE'],
  ['secureOptions', 1.5, 'ERR_OUT_OF_RANGE'],
  ['ticketKeys', Buffer.alloc(47), 'ERR_INVALID_ARG_VALUE'],
  ['ticketKeys', 'x'.repeat(48), 'ERR_INVALID_ARG_TYPE'],
];

test.each(wrong)('%s: %o is %s, as in node:tls', (option, value, code) => {
  const options = { [option]: value };
  expect(codeOf(() => tls.createSecureContext(options))).toBe(code);
  expect(codeOf(() => readSecureContextOptions(options))).toBe(code);
});

test.each([
  ['minVersion', 'TLSv1.1', 'ERR_TLS_INVALID_PROTOCOL_VERSION'],
  ['pfx', 1, 'ERR_INVALID_ARG_TYPE'],
  ['passphrase', 1, 'ERR_INVALID_ARG_TYPE'],
  ['honorCipherOrder', 'yes', 'ERR_INVALID_ARG_TYPE'],
  ['allowPartialTrustChain', 1, 'ERR_INVALID_ARG_TYPE'],
  ['sessionIdContext', 'x'.repeat(33), 'ERR_INVALID_ARG_VALUE'],
  ['ticketKeys', [], 'ERR_INVALID_ARG_VALUE'],
  ['ticketKeys', [Buffer.alloc(48), Buffer.alloc(1)], 'ERR_INVALID_ARG_VALUE'],
])('%s: %o is %s', (option, value, code) => {
  expect(codeOf(() => readSecureContextOptions({ [option]: value }))).toBe(code);
});

test('refuses options that are none, and versions the wrong way round', () => {
  for (const options of [null, [], 'x']) {
    expect(codeOf(() => readSecureContextOptions(options as never))).toBe('ERR_INVALID_ARG_TYPE');
  }
  const versions = { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.2' } as const;
  expect(codeOf(() => readSecureContextOptions(versions))).toBe('ERR_INVALID_ARG_VALUE');
});

test('has secure defaults', () => {
  const none = Object.fromEntries(wrong.map(([option]) => [option, null]));
  for (const options of [{}, none]) {
    expect(readSecureContextOptions(options)).toEqual({
      certificates: [],
      keys: [],
      pfx: [],
      ca: undefined,
      crl: [],
      ciphers: defaultCiphers,
      ecdhCurve: 'auto',
      sigalgs: undefined,
      minVersion: 'TLSv1.2',
      maxVersion: 'TLSv1.3',
      honorCipherOrder: true,
      allowPartialTrustChain: false,
      sessionTimeout: 7200,
      sessionIdContext: expect.stringMatching(/^[0-9a-f]{32}$/),
      ticketKeys: undefined,
      secureOptions: 0,
      dhparam: undefined,
    });
  }
  expect(defaultCiphers.split(':')).toHaveLength(9);
  for (const name of defaultCiphers.split(':')) expect(tls.getCiphers()).toContain(name.toLowerCase());
});

test('takes texts, buffers, lists of them, and objects with a passphrase', () => {
  const view = new DataView(new Uint8Array([120, 97, 121]).buffer, 1, 1);
  const read = (options: SecureContextOptions) => readSecureContextOptions(options);
  expect(read({ cert: 'a', key: Buffer.from('b'), passphrase: 'p' })).toMatchObject({
    certificates: [Buffer.from('a')],
    keys: [{ pem: Buffer.from('b'), passphrase: 'p' }],
  });
  expect(
    read({ cert: ['a', view], key: [{ pem: 'b', passphrase: 'q' }, { pem: 'c' }, 'd'], passphrase: 'p' }),
  ).toMatchObject({
    certificates: [Buffer.from('a'), Buffer.from('a')],
    keys: [
      { pem: Buffer.from('b'), passphrase: 'q' },
      { pem: Buffer.from('c'), passphrase: 'p' },
      { pem: Buffer.from('d'), passphrase: 'p' },
    ],
  });
  expect(read({ pfx: [Buffer.from('a'), { buf: 'b', passphrase: 'q' }] })).toMatchObject({
    pfx: [
      { der: Buffer.from('a'), passphrase: undefined },
      { der: Buffer.from('b'), passphrase: 'q' },
    ],
  });
  expect(read({ ca: '' }).ca).toBeUndefined();
  expect(read({ ca: [] }).ca).toEqual([]);
});

test('makes PEM of DER, and takes no text for that', () => {
  const { raw } = new X509Certificate(certificates.server.cert);
  const {
    certificates: [pem],
  } = readSecureContextOptions({ cert: raw });
  expect(new X509Certificate(pem as Buffer).raw).toEqual(raw);
  for (const text of ['0', '00', '0\x80', '0\x81', `0 comment\n${certificates.server.cert}`]) {
    const bytes = Buffer.from(text, 'latin1');
    expect(readSecureContextOptions({ cert: bytes }).certificates).toEqual([bytes]);
  }
});

test('keeps copies', () => {
  const given = Buffer.from('text');
  const ticketKeys = Buffer.alloc(48, 1);
  const settings = readSecureContextOptions({
    cert: given,
    key: given,
    ca: [given],
    dhparam: given,
    ticketKeys,
  });
  given.fill(0);
  ticketKeys.fill(0);
  const text = Buffer.from('text');
  expect(settings).toMatchObject({ certificates: [text], keys: [{ pem: text }], ca: [text], dhparam: text });
  expect(settings.ticketKeys).toEqual([Buffer.alloc(48, 1)]);
});

describe.each(engines)('made for the engine %s', (engine) => {
  test('shows at once what is wrong with credentials', () => {
    const { server, selfSigned, encrypted } = certificates;
    const codeFor = (options: SecureContextOptions) =>
      codeOf(() => createSecureContext({ ...options, engine }));
    expect(codeFor({ cert: 'nothing' })).toBe('ERR_OSSL_PEM_NO_START_LINE');
    expect(codeFor({ cert: server.cert, key: selfSigned.key })).toBe('ERR_OSSL_X509_KEY_VALUES_MISMATCH');
    expect(codeFor({ ...encrypted, passphrase: 'wrong' })).toBe('ERR_OSSL_BAD_DECRYPT');
    expect(codeFor({ ciphers: 'NO-SUCH-CIPHER' })).toBe('ERR_SSL_NO_CIPHER_MATCH');
    expect(codeFor({ ecdhCurve: 'no-such-group' })).toBe('ERR_CRYPTO_OPERATION_FAILED');
  });

  test('serves the other one, too', () => {
    const context = createSecureContext({ ...certificates.server, ca: certificates.ca.cert, engine });
    const { raw } = new X509Certificate(certificates.server.cert);
    expect(Buffer.from(context.forNative().certificate() as Uint8Array)).toEqual(raw);
    expect(context.forNative()).toBe(context.forNative());
    expect(context.forNode()).toBe(context.forNode());
  });

  test('takes new ticket keys, and nothing that is none', () => {
    const context = createSecureContext({ engine });
    const keys = [Buffer.alloc(48, 1), Buffer.alloc(48, 2)];
    context.setTicketKeys(keys);
    expect(context.settings.ticketKeys).toEqual(keys);
    context.setTicketKeys(Buffer.alloc(48, 3));
    expect(context.settings.ticketKeys).toEqual([Buffer.alloc(48, 3)]);
    for (const none of [[], Buffer.alloc(47)]) {
      expect(codeOf(() => context.setTicketKeys(none))).toBe('ERR_INVALID_ARG_VALUE');
    }
    expect(codeOf(() => context.setTicketKeys('x' as never))).toBe('ERR_INVALID_ARG_TYPE');
    expect(context.settings.ticketKeys).toEqual([Buffer.alloc(48, 3)]);
  });
});

test('is returned where options would do', () => {
  const context = createSecureContext();
  expect(context).toBeInstanceOf(SecureContext);
  expect(createSecureContext(context)).toBe(context);
  expect(codeOf(() => createSecureContext({ engine: 'other' as never }))).toBe('ERR_INVALID_ARG_VALUE');
});
