import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import * as layer from '../../src/layer/index.js';

const type = 'ERR_INVALID_ARG_TYPE';
const value = 'ERR_INVALID_ARG_VALUE';
const range = 'ERR_OUT_OF_RANGE';

describe('validation', () => {
  const refusals: [string, () => unknown, string, RegExp][] = [
    [
      'function',
      () => layer.validateFunction(1, 'done'),
      type,
      /^The "done" argument must be of type function\. Received type number \(1\)$/,
    ],
    ['object', () => layer.validateObject(null, 'options'), type, /Received null$/],
    ['array as object', () => layer.validateObject([], 'options'), type, /options/],
    ['boolean', () => layer.validateBoolean('x', 'options.lend'), type, /"options\.lend" property.*\('x'\)$/],
    ['string', () => layer.validateString(undefined, 'host'), type, /Received undefined$/],
    ['array', () => layer.validateArray({}, 'layers'), type, /layers/],
    ['number', () => layer.validateInteger('1', 'count'), type, /count/],
    ['fraction', () => layer.validateInteger(1.5, 'count'), range, /an integer/],
    ['bounds', () => layer.validateInteger(5, 'count', 0, 4), range, />= 0 && <= 4/],
    ['choice', () => layer.validateOneOf('c', 'role', ['a', 'b']), value, /must be one of: 'a', 'b'/],
    ['signal', () => layer.validateSignal({}), type, /options\.signal/],
    ['bytes', () => layer.validateBytes([1], 'data'), type, /Uint8Array/],
    ['port', () => layer.validatePort(65536), 'ERR_SOCKET_BAD_PORT', /port should be >= 0 and < 65536/],
    ['port text', () => layer.validatePort(' '), 'ERR_SOCKET_BAD_PORT', /' '/],
    ['port zero', () => layer.validatePort(0, 'options.port', 1), 'ERR_SOCKET_BAD_PORT', />= 1/],
    ['marks', () => layer.channelLimits({ highWaterMark: 10, lowWaterMark: 10 }), range, /lowWaterMark/],
    ['cap', () => layer.channelLimits({ highWaterMark: 10, bufferedBytesMax: 5 }), range, /bufferedBytesMax/],
    ['policy', () => layer.channelLimits({ overflow: 'drop' as never }), value, /overflow/],
    ['settings', () => layer.connectionSettings({ lend: 1 as never }), type, /lend/],
  ];

  it.each(refusals)('refuses: %s', (_name, act, code, message) => {
    expect(act).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) }));
  });

  it('takes what Node takes', () => {
    expect(layer.validatePort('8080')).toBe(8080);
    expect(layer.validatePort(0)).toBe(0);
    layer.validateBytes(Buffer.alloc(1), 'data');
    layer.validateBytes(runInNewContext('new Uint8Array(1)'), 'data');
    layer.validateSignal(new AbortController().signal);
  });

  it('checks shared options once', () => {
    const limits = layer.channelLimits({ highWaterMark: 100 });
    expect(limits).toMatchObject({
      highWaterMark: 100,
      lowWaterMark: 25,
      bufferedBytesMax: 16 * 1024 * 1024,
    });
    expect(layer.channelLimits(limits)).toBe(limits);
    expect(layer.channelLimits()).toBe(layer.channelLimits());
    const settings = layer.connectionSettings({ lend: true });
    expect(layer.connectionSettings(settings)).toBe(settings);
  });
});
