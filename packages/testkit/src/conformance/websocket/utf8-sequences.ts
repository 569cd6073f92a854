/**
 * Sequences of UTF-8 and of what is not, by the areas of Markus Kuhn's stress test for decoders, which the Autobahn suite
 * follows as well.
 */

export interface SequenceGroup {
  /** Number of the area in the Autobahn suite. */
  readonly area: string;
  readonly title: string;
  readonly valid: boolean;
  /** In hexadecimal. */
  readonly sequences: readonly string[];
}

const hex = (...bytes: number[]) => Buffer.from(bytes).toString('hex');
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);
/** Each byte with a space behind. */
const lonely = (from: number, to: number) =>
  range(from, to)
    .map((byte) => hex(byte, 0x20))
    .join('');

/** The Greek word "kosme", with the accented omicron of three bytes. */
export const kosme = Buffer.from('cebae1bdb9cf83cebcceb5', 'hex');

const cutKosme = range(1, kosme.byteLength).map((length) => kosme.subarray(0, length).toString('hex'));
/** Lengths after which a character is complete. */
const between = new Set([2, 5, 7, 9, 11]);

const lastByteMissing = [
  'c0',
  'e080',
  'f08080',
  'f8808080',
  'fc80808080',
  'df',
  'efbf',
  'f7bfbf',
  'fbbfbfbf',
  'fdbfbfbfbf',
];
const surrogates = ['eda080', 'edadbf', 'edae80', 'edafbf', 'edb080', 'edbe80', 'edbfbf'];
const highs = ['eda080', 'edadbf', 'edae80', 'edafbf'];
const nonCharacters = range(0x0, 0x10).flatMap((plane) =>
  [0xfffe, 0xffff].map((low) => Buffer.from(String.fromCodePoint(plane * 0x10000 + low)).toString('hex')),
);

export const sequenceGroups: readonly SequenceGroup[] = [
  {
    area: '6.6',
    title: 'a word cut within a character',
    valid: false,
    sequences: cutKosme.filter((_, index) => !between.has(index + 1)),
  },
  {
    area: '6.6',
    title: 'a word cut between characters',
    valid: true,
    sequences: cutKosme.filter((_, index) => between.has(index + 1)),
  },
  {
    area: '6.7',
    title: 'the first of each length',
    valid: true,
    sequences: ['00', 'c280', 'e0a080', 'f0908080'],
  },
  {
    area: '6.8',
    title: 'the first of five and six bytes',
    valid: false,
    sequences: ['f888808080', 'fc8480808080'],
  },
  {
    area: '6.9',
    title: 'the last of each length',
    valid: true,
    sequences: ['7f', 'dfbf', 'efbfbf', 'f48fbfbf'],
  },
  {
    area: '6.10',
    title: 'the last of four bytes and more, beyond Unicode',
    valid: false,
    sequences: ['f7bfbfbf', 'fbbfbfbfbf', 'fdbfbfbfbfbf'],
  },
  {
    area: '6.11',
    title: 'what stands at a border',
    valid: true,
    sequences: ['ed9fbf', 'ee8080', 'efbfbd', 'f48fbfbf'],
  },
  { area: '6.11', title: 'what stands beyond the last border', valid: false, sequences: ['f4908080'] },
  {
    area: '6.12',
    title: 'continuation bytes without a start',
    valid: false,
    sequences: [
      '80',
      'bf',
      '80bf',
      '80bf80',
      '80bf80bf',
      '80bf80bf80',
      '80bf80bf80bf',
      hex(...range(0x80, 0xbf)),
    ],
  },
  {
    area: '6.13',
    title: 'starts without a continuation',
    valid: false,
    sequences: [
      lonely(0xc0, 0xdf),
      lonely(0xe0, 0xef),
      lonely(0xf0, 0xf7),
      lonely(0xf8, 0xfb),
      lonely(0xfc, 0xfd),
    ],
  },
  { area: '6.14', title: 'the last byte is missing', valid: false, sequences: lastByteMissing },
  {
    area: '6.15',
    title: 'many whose last byte is missing',
    valid: false,
    sequences: [lastByteMissing.join('')],
  },
  { area: '6.16', title: 'bytes that are never there', valid: false, sequences: ['fe', 'ff', 'fefeffff'] },
  {
    area: '6.17',
    title: 'a slash in more bytes than it needs',
    valid: false,
    sequences: ['c0af', 'e080af', 'f08080af', 'f8808080af', 'fc80808080af'],
  },
  {
    area: '6.18',
    title: 'the last that would be too long',
    valid: false,
    sequences: ['c1bf', 'e09fbf', 'f08fbfbf', 'f887bfbfbf', 'fc83bfbfbfbf'],
  },
  {
    area: '6.19',
    title: 'a zero in more bytes than it needs',
    valid: false,
    sequences: ['c080', 'e08080', 'f0808080', 'f880808080', 'fc8080808080'],
  },
  { area: '6.20', title: 'halves of surrogate pairs', valid: false, sequences: surrogates },
  {
    area: '6.21',
    title: 'surrogate pairs',
    valid: false,
    sequences: highs.flatMap((high) => ['edb080', 'edbfbf'].map((low) => high + low)),
  },
  { area: '6.22', title: 'numbers that are no characters', valid: true, sequences: nonCharacters },
  {
    area: '6.23',
    title: 'special characters',
    valid: true,
    sequences: ['efbfb9', 'efbfba', 'efbfbb', 'efbfbc', 'efbfbd', 'efbfbe', 'efbfbf'],
  },
];
