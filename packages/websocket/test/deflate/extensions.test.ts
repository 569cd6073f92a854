import { describe, expect, it } from 'vitest';
import { parseExtensions } from '../../src/deflate/extensions.js';

const malformed = expect.objectContaining({ code: 'ERR_WS_HANDSHAKE' });

describe('Sec-WebSocket-Extensions, RFC 6455 section 9.1', () => {
  it('takes the examples of the RFC', () => {
    expect(parseExtensions('foo')).toEqual([{ name: 'foo', parameters: [] }]);
    expect(parseExtensions('bar; baz=2')).toEqual([
      { name: 'bar', parameters: [{ name: 'baz', value: '2' }] },
    ]);
    expect(parseExtensions('foo, bar; baz=2').map(({ name }) => name)).toEqual(['foo', 'bar']);
    expect(
      parseExtensions('deflate-stream, mux; max-channels=4; flow-control, x').map((e) => e.name),
    ).toEqual(['deflate-stream', 'mux', 'x']);
  });

  it('keeps parameters in their order, with and without values, and twice', () => {
    expect(parseExtensions('a; x; y=1; x=2')).toEqual([
      {
        name: 'a',
        parameters: [
          { name: 'x', value: undefined },
          { name: 'y', value: '1' },
          { name: 'x', value: '2' },
        ],
      },
    ]);
  });

  it('takes values in quotes, with backslashes', () => {
    const [extension] = parseExtensions('a; x="10"; y="a\\bc\\d"');
    expect(extension?.parameters).toEqual([
      { name: 'x', value: '10' },
      { name: 'y', value: 'abcd' },
    ]);
  });

  it.each([' a ; x = 1 ,\tb ', ',a;x=1,,b,', 'a;x="1",b'])(
    'whitespace and empty elements do not count: %j',
    (header) => {
      expect(parseExtensions(header)).toEqual([
        { name: 'a', parameters: [{ name: 'x', value: '1' }] },
        { name: 'b', parameters: [] },
      ]);
    },
  );

  it.each([
    '',
    ' ',
    ',',
    ';',
    'a;',
    'a; ;b',
    'a b',
    'a; x=',
    'a; x y',
    'a; =1',
    'a; x=""',
    'a; x="1',
    'a; x="1 2"',
    'a; x="1\\"',
    'a; x="1"2',
    'a=1',
    'a/b',
    'a; x=1;',
    'ä',
    'a\0',
  ])('refuses %j', (header) => {
    expect(() => parseExtensions(header)).toThrow(malformed);
  });

  it('is done with a header of any length in one pass', () => {
    const header = `${'a; x="\\1\\2\\3\\4", '.repeat(5000)}b`;
    expect(parseExtensions(header)).toHaveLength(5001);
    expect(() => parseExtensions(`a; x="${'\\1'.repeat(50_000)}`)).toThrow(malformed);
  });
});
