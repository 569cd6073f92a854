import { expect, test } from 'vitest';
import { ipAddress, unconnectedAddress } from '../../../src/backend/node/addresses.js';

test('the zone of a link-local address is its scope', () => {
  expect(ipAddress('fe80::1%3', 80)).toEqual({ family: 'IPv6', address: 'fe80::1', port: 80, scopeId: 3 });
  expect(ipAddress('fe80::1%no-such-interface', 80)).toEqual({
    family: 'IPv6',
    address: 'fe80::1',
    port: 80,
  });
  expect(ipAddress('::1', 80)).toEqual({ family: 'IPv6', address: '::1', port: 80 });
  expect(ipAddress('127.0.0.1', 80)).toEqual({ family: 'IPv4', address: '127.0.0.1', port: 80 });
  expect(ipAddress(undefined, undefined)).toBeNull();
});

test('a socket that has not connected has the address it will be bound to', () => {
  const remote = { host: '127.0.0.1', port: 1 };
  expect(unconnectedAddress({ family: 'ipv4', remote, options: {} })).toMatchObject({ address: '0.0.0.0' });
  expect(unconnectedAddress({ family: 'ipv6', remote, options: {} })).toMatchObject({ address: '::' });
  const local = { host: '127.0.0.2', port: 9 };
  expect(unconnectedAddress({ family: 'ipv4', remote, local, options: {} })).toMatchObject({
    address: '127.0.0.2',
    port: 9,
  });
  expect(unconnectedAddress({ family: 'unix', remote: { path: 'x' }, options: {} })).toMatchObject({
    family: 'unix',
    address: '',
  });
});
