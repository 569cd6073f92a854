import { describe, expect, it } from 'vitest';
import { type DeflateOptions, deflateSettings } from '../../src/deflate/settings.js';

describe('deflateSettings', () => {
  it('is off unless asked for', () => {
    expect(deflateSettings(undefined)).toBeNull();
    expect(deflateSettings(false)).toBeNull();
  });

  it('has defaults that keep nothing between messages', () => {
    const defaults = {
      threshold: 1024,
      contextTakeover: false,
      peerContextTakeover: false,
      windowBits: 15,
      peerWindowBits: 15,
      level: 6,
      memLevel: 8,
      concurrency: 10,
    };
    expect(deflateSettings(true)).toEqual(defaults);
    expect(deflateSettings({})).toEqual(defaults);
    expect(deflateSettings({ level: 1, threshold: 0 })).toEqual({ ...defaults, level: 1, threshold: 0 });
  });

  const outOfRange: DeflateOptions[] = [
    { threshold: -1 },
    { threshold: 0.5 },
    { windowBits: 8 },
    { windowBits: 16 },
    { peerWindowBits: 8 },
    { peerWindowBits: 16 },
    { level: -1 },
    { level: 10 },
    { memLevel: 0 },
    { memLevel: 10 },
    { concurrency: 0 },
  ];
  it.each(outOfRange)('ERR_OUT_OF_RANGE: %o', (options) => {
    const name = `options.deflate.${Object.keys(options)[0]}`;
    expect(() => deflateSettings(options)).toThrow(
      expect.objectContaining({ code: 'ERR_OUT_OF_RANGE', message: expect.stringContaining(name) }),
    );
  });

  it.each([
    1,
    'yes',
    null,
    [],
    { contextTakeover: 1 },
    { peerContextTakeover: 'yes' },
    { threshold: '1024' },
    { windowBits: '15' },
    { level: null },
  ])('ERR_INVALID_ARG_TYPE: %o', (options) => {
    expect(() => deflateSettings(options as DeflateOptions)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    );
  });
});
