import { describe, expect, test } from 'vitest';
import { redirectedTarget, targetOf } from '../../src/client/target.js';

describe('a URL', () => {
  test.each([
    [
      'ws://example.com',
      { secure: false, host: 'example.com', port: 80, path: '/', authority: 'example.com' },
    ],
    ['wss://example.com', { secure: true, port: 443, authority: 'example.com' }],
    ['http://example.com:80/a?b=c', { secure: false, port: 80, path: '/a?b=c', authority: 'example.com' }],
    ['https://example.com:80/', { secure: true, port: 80, authority: 'example.com:80' }],
    ['WS://EXAMPLE.com:8080', { host: 'example.com', port: 8080, authority: 'example.com:8080' }],
    ['ws://[::1]:9000/x', { host: '::1', port: 9000, authority: '[::1]:9000' }],
    ['ws://b\u00fccher.example', { host: 'xn--bcher-kva.example' }],
    ['ws://example.com/a b', { path: '/a%20b' }],
    ['ws+unix:/run/a.sock', { socketPath: '/run/a.sock', path: '/', authority: 'localhost', secure: false }],
    ['ws+unix:/run/a.sock:/x?y=z', { socketPath: '/run/a.sock', path: '/x?y=z' }],
    ['ws+unix:///run/a.sock:/x:y', { socketPath: '/run/a.sock', path: '/x:y' }],
    ['ws+unix:./a.sock:/x', { socketPath: './a.sock', path: '/x' }],
    ['wss+unix:/run/a%20b.sock:/x', { socketPath: '/run/a b.sock', secure: true, host: 'localhost' }],
  ])('%s', (url, expected) => {
    expect(targetOf(url)).toMatchObject(expected);
    expect(targetOf(new URL(url))).toMatchObject(expected);
  });

  test('may have a user and a password', () => {
    const { authorization, url } = targetOf('wss://us%40er:pass%3Aword@example.com/x');
    expect(Buffer.from((authorization as string).slice(6), 'base64').toString()).toBe('us@er:pass:word');
    expect(url.href).toBe('wss://example.com/x');
    expect(targetOf('ws://example.com').authorization).toBeUndefined();
  });

  test.each<[unknown, string]>([
    ['', 'ERR_INVALID_URL'],
    ['/path', 'ERR_INVALID_URL'],
    ['ftp://example.com', 'ERR_INVALID_ARG_VALUE'],
    ['ws://example.com/#a', 'ERR_INVALID_ARG_VALUE'],
    ['ws://example.com/#', 'ERR_INVALID_ARG_VALUE'],
    ['ws+unix:', 'ERR_INVALID_ARG_VALUE'],
    ['ws+unix:/a.sock:x', 'ERR_INVALID_ARG_VALUE'],
    ['ws+unix:/a%.sock', 'ERR_INVALID_ARG_VALUE'],
    [7, 'ERR_INVALID_ARG_TYPE'],
    [undefined, 'ERR_INVALID_ARG_TYPE'],
  ])('%j makes no sense', (url, code) => {
    expect(() => targetOf(url as string)).toThrow(expect.objectContaining({ code }));
  });
});

describe('a redirect', () => {
  const from = targetOf('ws://user:pass@example.com:81/a/b?c');
  const secure = targetOf('wss://example.com/a');
  const unix = targetOf('ws+unix:/run/a.sock:/a/b');

  test.each([
    ['/x', 'ws://example.com:81/x'],
    ['x?y', 'ws://example.com:81/a/x?y'],
    ['//other.example/x', 'ws://other.example/x'],
    ['http://other.example/', 'ws://other.example/'],
    ['https://example.com/x#fragment', 'wss://example.com/x'],
  ])('to %s', (location, url) => {
    expect(redirectedTarget(from, location).url.href).toBe(url);
  });

  test('keeps the password for the same origin only', () => {
    expect(redirectedTarget(from, '/x').authorization).toBe(from.authorization);
    for (const location of ['ws://example.com/', 'wss://example.com:81/', 'ws://a:b@other.example:81/']) {
      expect(redirectedTarget(from, location).authorization).toBeUndefined();
    }
  });

  test('stays on a Unix socket, or leaves it', () => {
    expect(redirectedTarget(unix, '/x')).toMatchObject({ socketPath: '/run/a.sock', path: '/x' });
    expect(redirectedTarget(unix, 'ws://other.example/')).toMatchObject({ socketPath: undefined });
  });

  test.each([
    'ws://example.com/',
    'http://example.com/',
    'ws+unix:/run/a.sock',
    'file:///etc/passwd',
    'http://[',
  ])('from TLS to %s is not followed', (location) => {
    expect(() => redirectedTarget(secure, location)).toThrow(/^it leads/);
  });
});
