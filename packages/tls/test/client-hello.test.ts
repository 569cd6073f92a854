/** What the engine over `node:tls` reads of a ClientHello, before OpenSSL gets it. */

import { byteByByte, everySplitInTwo, Random, randomSplit, withBitFlipped } from '@iocp/testkit';
import { beforeAll, describe, expect, test } from 'vitest';
import { type ClientHello, ClientHelloReader } from '../src/engine/node/client-hello.js';
import { createNodeEngine } from '../src/engine/node/node-engine.js';
import { contextOf, EngineEnd } from './support/engine-pair.js';

const nothing = { servername: undefined, protocols: [], wantsOcsp: false, ticketKeyName: undefined };
const ticketKeyName = Buffer.from('the name of a ke');

/** A length, and as many bytes. */
function vector(lengthBytes: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const length = Buffer.alloc(lengthBytes);
  length.writeUIntBE(content.byteLength, 0, lengthBytes);
  return Buffer.concat([length, content]);
}

function extension(type: number, ...content: readonly Uint8Array[]): Buffer {
  return Buffer.concat([Buffer.of(type >> 8, type & 0xff), vector(2, ...content)]);
}

const namesExtension = (...names: readonly string[]) =>
  extension(
    0,
    vector(2, ...names.map((name) => Buffer.concat([Buffer.of(0), vector(2, Buffer.from(name))]))),
  );
const protocolsExtension = (...names: readonly string[]) =>
  extension(16, vector(2, ...names.map((name) => vector(1, Buffer.from(name, 'latin1')))));

function helloMessage(...extensions: readonly Uint8Array[]): Buffer {
  const body = [
    Buffer.alloc(34, 3),
    vector(1, Buffer.alloc(32)),
    vector(2, Buffer.of(0x13, 1)),
    vector(1, Buffer.of(0)),
  ];
  if (extensions.length > 0) body.push(vector(2, ...extensions));
  return Buffer.concat([Buffer.of(1), vector(3, ...body)]);
}

function record(content: Uint8Array, type = 22): Buffer {
  return Buffer.concat([Buffer.of(type, 3, 1), vector(2, content)]);
}

/** Read from the pieces, the last of which must complete it. */
function read(pieces: Iterable<Uint8Array>): ClientHello | undefined {
  const reader = new ClientHelloReader();
  let hello: ClientHello | undefined;
  for (const piece of pieces) {
    expect(hello, 'read before the last piece').toBeUndefined();
    hello = reader.add(Buffer.from(piece));
  }
  return hello;
}

describe('a ClientHello of OpenSSL', () => {
  let hello: Buffer;
  const expected = {
    ...nothing,
    servername: 'www.example.test',
    protocols: ['h2', 'http/1.1'],
    wantsOcsp: true,
  };

  beforeAll(() => {
    const client = new EngineEnd(createNodeEngine, 'client', {
      context: contextOf({}, 'node'),
      settings: { servername: 'WWW.example.test', alpnProtocols: expected.protocols, requestOcsp: true },
    });
    client.engine.start();
    hello = client.takeOutput();
    client.engine.destroy();
  });

  test('is read whole', () => {
    expect(read([hello])).toEqual(expected);
  });

  test('is read however it is cut', () => {
    for (const pieces of everySplitInTwo(hello)) expect(read(pieces)).toEqual(expected);
    expect(read(byteByByte(hello))).toEqual(expected);
  });

  test('is read from records of any length', () => {
    const random = new Random(20_26);
    for (const partBytesMax of [1, 3, 60, 5000]) {
      const parts = randomSplit(hello.subarray(5), random, { partBytesMax });
      expect(read([Buffer.concat(parts.map((part) => record(part)))])).toEqual(expected);
    }
  });

  test('gives something, and throws nothing, with any bit turned', () => {
    for (let bit = 0; bit < hello.byteLength * 8; bit++) {
      const reader = new ClientHelloReader();
      const damaged = reader.add(Buffer.from(withBitFlipped(hello, bit)));
      // A length that has grown makes it wait for more.
      if (damaged !== undefined) expect(Object.keys(damaged).sort()).toEqual(Object.keys(nothing).sort());
    }
  });
});

describe('an extension', () => {
  const of = (...extensions: readonly Uint8Array[]) => read([record(helloMessage(...extensions))]);

  test('may be missing, as may all of them', () => {
    expect(of()).toEqual(nothing);
    expect(of(extension(43, Buffer.of(2, 3, 4)))).toEqual(nothing);
  });

  test('with the name has one, of a host', () => {
    expect(of(namesExtension('Host.Test'))?.servername).toBe('host.test');
    for (const names of [['a', 'b'], [''], ['a\0b'], ['x'.repeat(256)]]) {
      expect(of(namesExtension(...names))?.servername).toBeUndefined();
    }
    const otherKind = extension(0, vector(2, Buffer.of(1), vector(2, Buffer.from('a'))));
    expect(of(otherKind)?.servername).toBeUndefined();
    expect(
      of(extension(0, vector(2, Buffer.of(0), vector(2, Buffer.from('a'))), Buffer.of(0)))?.servername,
    ).toBeUndefined();
  });

  test('with protocols has names of any bytes, but no empty one', () => {
    expect(of(protocolsExtension('h2', '\xff\x0a'))?.protocols).toEqual(['h2', '\xff\x0a']);
    expect(of(protocolsExtension('h2', ''))?.protocols).toEqual([]);
    expect(of(extension(16, Buffer.of(0, 9, 2)))?.protocols).toEqual([]);
  });

  test('that is broken does not spoil the others', () => {
    expect(of(extension(16, Buffer.of(0, 9, 2)), namesExtension('a.test'))?.servername).toBe('a.test');
  });

  test('asks for a response of OCSP, and for nothing else', () => {
    expect(of(extension(5, Buffer.of(1, 0, 0, 0, 0)))?.wantsOcsp).toBe(true);
    expect(of(extension(5, Buffer.of(2, 0, 0, 0, 0)))?.wantsOcsp).toBe(false);
    expect(of(extension(5))?.wantsOcsp).toBe(false);
  });

  test('with a ticket names its key, in TLS 1.2 and in 1.3', () => {
    const ticket = Buffer.concat([ticketKeyName, Buffer.alloc(100)]);
    expect(of(extension(35, ticket))?.ticketKeyName).toEqual(ticketKeyName);
    expect(of(extension(35))?.ticketKeyName).toBeUndefined();
    const identity = Buffer.concat([vector(2, ticket), Buffer.alloc(4)]);
    expect(
      of(extension(41, vector(2, identity), vector(2, vector(1, Buffer.alloc(32)))))?.ticketKeyName,
    ).toEqual(ticketKeyName);
    expect(of(extension(41, vector(2, vector(2, Buffer.alloc(3)))))?.ticketKeyName).toBeUndefined();
  });
});

describe('what OpenSSL will refuse says nothing', () => {
  test.each([
    ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['a record of another type', record(helloMessage(), 23)],
    ['a record of no length', record(Buffer.alloc(0))],
    ['a record that is too long', Buffer.of(22, 3, 1, 0x40, 1, 1)],
    ['another message', record(Buffer.of(2, 0, 0, 1, 0))],
    ['a message that is too long', record(Buffer.of(1, 0xff, 0xff, 0xff, 3, 3))],
    ['a message that is too short', record(Buffer.of(1, 0, 0, 2, 3, 3))],
    ['a list that does not end', record(Buffer.concat([Buffer.of(1), vector(3, Buffer.alloc(40, 0xff))]))],
  ])('%s', (_, bytes) => {
    expect(new ClientHelloReader().add(bytes)).toEqual(nothing);
  });
});
