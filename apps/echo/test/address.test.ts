import { describe, expect, it } from 'vitest';
import { formatAddress, parseAddress } from '../src/address.js';

describe('parseAddress', () => {
  it.each([
    ['127.0.0.1:8080', { host: '127.0.0.1', port: 8080 }],
    ['example.org:1', { host: 'example.org', port: 1 }],
    ['[::1]:65535', { host: '::1', port: 65535 }],
    [':0', { host: undefined, port: 0 }],
  ])('reads %s', (text, address) => {
    expect(parseAddress(text)).toEqual(address);
  });

  it.each([
    ['', /not an address/],
    ['8080', /not an address/],
    ['localhost', /not an address/],
    ['127.0.0.1:', /port must be a number/],
    ['127.0.0.1:http', /port must be a number/],
    ['127.0.0.1:65536', /port must be a number/],
    ['127.0.0.1:-1', /port must be a number/],
    ['127.0.0.1:1e3', /port must be a number/],
    ['::1:80', /brackets/],
    ['[127.0.0.1]:80', /not an IPv6 address/],
    ['[]:80', /not an IPv6 address/],
    ['[::1]', /not an address/],
  ])('refuses "%s"', (text, message) => {
    expect(() => parseAddress(text)).toThrow(message);
  });
});

describe('formatAddress', () => {
  it('is the way back', () => {
    for (const text of ['127.0.0.1:8080', '[::1]:1']) {
      const { host, port } = parseAddress(text);
      expect(formatAddress(host ?? '', port)).toBe(text);
    }
  });
});
