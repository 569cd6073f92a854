import { describe, expect, test } from 'vitest';
import { acceptKeyOf } from '../../src/handshake/accept-key.js';
import { isToken, listNames, listOf } from '../../src/handshake/header-tokens.js';
import { offeredProtocols, validateProtocols } from '../../src/handshake/subprotocols.js';

test('the key of RFC 6455 section 1.3', () => {
  expect(acceptKeyOf('dGhlIHNhbXBsZSBub25jZQ==')).toBe('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
});

describe('header fields', () => {
  test('tokens', () => {
    for (const text of ['a', 'permessage-deflate', "!#$%&'*+-.^_`|~09AZaz"]) expect(isToken(text)).toBe(true);
    for (const text of ['', ' a', 'a b', 'a,', 'a;', '"a"', 'a/b', 'ä', 'a\r', '(a)'])
      expect(isToken(text)).toBe(false);
  });

  test('lists', () => {
    expect(listOf(undefined)).toEqual([]);
    expect(listOf(' a ,\t, b,')).toEqual(['a', 'b']);
    expect(listNames('keep-alive, Upgrade', 'upgrade')).toBe(true);
    expect(listNames('keep-alive, Upgraded', 'upgrade')).toBe(false);
    expect(listNames(undefined, 'upgrade')).toBe(false);
  });
});

describe('subprotocols', () => {
  test('that are offered', () => {
    expect(offeredProtocols(undefined)).toEqual([]);
    expect(offeredProtocols('chat, superchat')).toEqual(['chat', 'superchat']);
    for (const header of ['', ' , ', 'a, a', 'a b', 'a, "b"', 'a; b'])
      expect(offeredProtocols(header)).toBe(null);
  });

  test('that can be offered', () => {
    expect(() => validateProtocols(['a', 'b'])).not.toThrow();
    const wrong: [unknown, string][] = [
      ['a', 'ERR_INVALID_ARG_TYPE'],
      [[1], 'ERR_INVALID_ARG_TYPE'],
      [['a b'], 'ERR_INVALID_ARG_VALUE'],
      [[''], 'ERR_INVALID_ARG_VALUE'],
      [['a', 'b', 'a'], 'ERR_INVALID_ARG_VALUE'],
    ];
    for (const [protocols, code] of wrong) {
      expect(() => validateProtocols(protocols)).toThrow(expect.objectContaining({ code }));
    }
  });
});
