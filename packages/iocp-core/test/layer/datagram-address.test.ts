import { SocketAddress } from 'node:net';
import { networkInterfaces } from 'node:os';
import { describe, expect, test } from 'vitest';
import { DatagramAddress } from '../../src/layer/datagram-address.js';

/** The address as the bytes that go over the wire. */
function bytesOf({ word0, word1, word2, word3 }: DatagramAddress): number[] {
  return [...new Uint8Array(Int32Array.of(word0, word1, word2, word3).buffer)];
}

function groupsOf(address: DatagramAddress): string {
  return Buffer.from(bytesOf(address))
    .toString('hex')
    .replace(/....(?!$)/g, '$&:');
}

/** The next of a sequence of numbers from 0 to `below`; the same each time. */
function sequence(): (below: number) => number {
  let state = 12345;
  return (below) => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >> 8) % below;
  };
}

describe('IPv4', () => {
  test.each([
    ['0.0.0.0', [0, 0, 0, 0]],
    ['127.0.0.1', [127, 0, 0, 1]],
    ['192.0.2.200', [192, 0, 2, 200]],
    ['255.255.255.255', [255, 255, 255, 255]],
  ])('%s is its bytes, in network byte order', (text, bytes) => {
    const address = DatagramAddress.of(text, 53);
    expect(bytesOf(address)).toEqual([...bytes, ...new Array(12).fill(0)]);
    expect(address).toMatchObject({ family: 'IPv4', port: 53, scopeId: 0, address: text });
    expect(`${address}`).toBe(`${text}:53`);
  });
});

describe('IPv6', () => {
  // Every form of RFC 4291, section 2.2, and what RFC 5952 makes of it.
  test.each([
    ['::', '0000:0000:0000:0000:0000:0000:0000:0000', '::'],
    ['::1', '0000:0000:0000:0000:0000:0000:0000:0001', '::1'],
    ['1::', '0001:0000:0000:0000:0000:0000:0000:0000', '1::'],
    ['2001:DB8:0:0:8:800:200C:417A', '2001:0db8:0000:0000:0008:0800:200c:417a', '2001:db8::8:800:200c:417a'],
    ['ABCD:EF01:2345:6789:ABCD:EF01:2345:6789', 'abcd:ef01:2345:6789:abcd:ef01:2345:6789', undefined],
    ['ff01::101', 'ff01:0000:0000:0000:0000:0000:0000:0101', 'ff01::101'],
    ['0:0:0:0:0:0:13.1.68.3', '0000:0000:0000:0000:0000:0000:0d01:4403', '::d01:4403'],
    ['::13.1.68.3', '0000:0000:0000:0000:0000:0000:0d01:4403', '::d01:4403'],
    ['64:ff9b::192.0.2.33', '0064:ff9b:0000:0000:0000:0000:c000:0221', '64:ff9b::c000:221'],
    ['0:0:0:0:0:FFFF:129.144.52.38', '0000:0000:0000:0000:0000:ffff:8190:3426', '::ffff:129.144.52.38'],
    ['::ffff:8190:3426', '0000:0000:0000:0000:0000:ffff:8190:3426', '::ffff:129.144.52.38'],
    ['::ffff:0:1.2.3.4', '0000:0000:0000:0000:ffff:0000:0102:0304', '::ffff:0:102:304'],
    ['2001:db8:0:1:1:1:1:1', '2001:0db8:0000:0001:0001:0001:0001:0001', '2001:db8:0:1:1:1:1:1'],
    ['2001:db8::1:1:1:1:1', '2001:0db8:0000:0001:0001:0001:0001:0001', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0000:0000:0001:0000:0000:0000:0001', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:0db8:0000:0000:0001:0000:0000:0001', '2001:db8::1:0:0:1'],
    ['1:2:3:4:5:6:0:0', '0001:0002:0003:0004:0005:0006:0000:0000', '1:2:3:4:5:6::'],
    ['0:0:3:4:5:6:7:8', '0000:0000:0003:0004:0005:0006:0007:0008', '::3:4:5:6:7:8'],
    ['::2:3:4:5:6:7:8', '0000:0002:0003:0004:0005:0006:0007:0008', '0:2:3:4:5:6:7:8'],
    ['1:2:3:4:5:6:7::', '0001:0002:0003:0004:0005:0006:0007:0000', '1:2:3:4:5:6:7:0'],
    ['ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255', new Array(8).fill('ffff').join(':'), undefined],
  ])('%s', (text, groups, canonical) => {
    const address = DatagramAddress.of(text, 65535);
    expect(groupsOf(address)).toBe(groups);
    expect(address).toMatchObject({ family: 'IPv6', port: 65535, scopeId: 0 });
    expect(address.address).toBe(canonical ?? groups);
    expect(`${address}`).toBe(`[${canonical ?? groups}]:65535`);
    expect(DatagramAddress.of(address.address, 65535).equals(address)).toBe(true);
  });

  test('is written as the parser of URLs writes it', () => {
    const next = sequence();
    for (let round = 0; round < 2000; round++) {
      // Many zeros, so that runs of all lengths come up.
      const groups = Array.from({ length: 8 }, () => (next(3) === 0 ? next(0x10000) : 0));
      const text = groups.map((group) => group.toString(16)).join(':');
      const { address } = DatagramAddress.of(text, 1);
      // Only IPv4-mapped addresses have a form of their own.
      if (!address.includes('.')) expect(`[${address}]`).toBe(new URL(`http://[${text}]/`).hostname);
      expect(groupsOf(DatagramAddress.of(address, 1)), address).toBe(
        groups.map((group) => group.toString(16).padStart(4, '0')).join(':'),
      );
    }
  });

  test('that is mapped is written as node:net writes it', () => {
    const next = sequence();
    for (let round = 0; round < 200; round++) {
      const text = `::ffff:${next(0x10000).toString(16)}:${next(0x10000).toString(16)}`;
      const { address } = new SocketAddress({ family: 'ipv6', address: text });
      expect(DatagramAddress.of(text, 1).address).toBe(address);
    }
  });

  test('has the zone as a number', () => {
    const address = DatagramAddress.of('fe80::1%12', 53);
    expect(address).toMatchObject({ scopeId: 12, address: 'fe80::1' });
    expect(`${address}`).toBe('[fe80::1%12]:53');
    expect(address.equals(DatagramAddress.of('fe80::1%13', 53))).toBe(false);
    expect(DatagramAddress.of('fe80::1%0', 53).scopeId).toBe(0);
  });

  test('takes the name of an interface as zone', () => {
    const interfaces = Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
      addresses.map((each) => ({ ...each, name })),
    );
    for (const { family, scopeid = 0, name, address } of interfaces) {
      if (family !== 'IPv6' || scopeid === 0) continue;
      expect(DatagramAddress.of(`${address.split('%')[0]}%${name}`, 53).scopeId).toBe(scopeid);
    }
    expect(() => DatagramAddress.of('fe80::1%no-such-interface', 53)).toThrow(
      expect.objectContaining({
        code: 'ERR_INVALID_ARG_VALUE',
        message: expect.stringContaining('fe80::1%no-such-interface'),
      }),
    );
  });
});

describe('the words of a record', () => {
  test.each(['192.0.2.7', '2001:db8::42', '::ffff:192.0.2.7'])('make %s again', (text) => {
    const { family, word0, word1, word2, word3 } = DatagramAddress.of(text, 0);
    const again = new DatagramAddress(family, 7, 0, word0, word1, word2, word3);
    expect(again.address).toBe(text);
    expect(again.address).toBe(again.address);
  });

  test('name one peer exactly', () => {
    const address = DatagramAddress.of('2001:db8:1:2:3:4:5:6', 53);
    expect(address.equals(DatagramAddress.of('2001:db8:1:2:3:4:5:6', 53))).toBe(true);
    expect(address.equals(DatagramAddress.of('2001:db8:1:2:3:4:5:6', 54))).toBe(false);
    const { word0, word1, word2, word3 } = address;
    for (let word = 0; word < 4; word++) {
      const words: [number, number, number, number] = [word0, word1, word2, word3];
      words[word] = ~(words[word] ?? 0);
      expect(address.equals(new DatagramAddress('IPv6', 53, 0, ...words)), `word ${word}`).toBe(false);
    }
    const zero = new DatagramAddress('IPv6', 0, 0, 0, 0, 0, 0);
    expect(zero.equals(DatagramAddress.of('0.0.0.0', 0)), 'another family').toBe(false);
  });
});

describe('refused', () => {
  test.each([
    '',
    'localhost',
    '1.2.3',
    '1.2.3.256',
    '01.2.3.4',
    '1.2.3.4 ',
    '1.2.3.4:53',
    ':',
    ':::',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1::2::3',
    '::12345',
    '::g',
    '1.2.3.4::',
    '[::1]',
    '::ffff:1.2.3.256',
    '127.0.0.1%lo',
  ])('as a host: %j', (host) => {
    expect(() => DatagramAddress.of(host, 53)).toThrow(
      expect.objectContaining({
        code: 'ERR_INVALID_ARG_VALUE',
        message: expect.stringContaining('numeric IPv4 or IPv6 address'),
      }),
    );
  });

  test.each([undefined, null, 1, {}])('as a host: %j', (host) => {
    expect(() => DatagramAddress.of(host as never, 53)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    );
  });

  test.each([-1, 65536, 1.5, Number.NaN, 'x', undefined])('as a port: %j', (port) => {
    expect(() => DatagramAddress.of('::1', port as never)).toThrow(
      expect.objectContaining({ code: 'ERR_SOCKET_BAD_PORT' }),
    );
  });
});
