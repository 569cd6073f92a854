import { describe, expect, it } from 'vitest';
import { closePayload, isValidCloseCode, parseClosePayload } from '../../src/codec/close-payload.js';
import { closing } from './frames.js';

const good = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999];
const bad = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535];

describe('close codes', () => {
  it.each(good)('%d may be sent', (code) => {
    expect(isValidCloseCode(code)).toBe(true);
    expect(parseClosePayload(closePayload(code, 'bye'))).toEqual({ code, reason: 'bye' });
  });

  it.each(bad)('%d may not be sent', (code) => {
    expect(isValidCloseCode(code)).toBe(false);
    expect(() => closePayload(code, '')).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
    const error = { code: 'ERR_WS_INVALID_CLOSE_CODE', closeCode: 1002, name: 'WebSocketError' };
    expect(parseClosePayload(closing(code))).toMatchObject(error);
  });
});

describe('the payload of a close frame', () => {
  it('says nothing when it is empty', () => {
    expect(closePayload()).toEqual(Buffer.alloc(0));
    expect(parseClosePayload(closePayload(undefined, ''))).toEqual({ code: 1005, reason: '' });
  });

  it('has a code without a reason', () => {
    expect(closePayload(1000)).toEqual(Buffer.from([3, 232]));
    expect(parseClosePayload(closePayload(1000))).toEqual({ code: 1000, reason: '' });
  });

  it('has a reason of at most 123 bytes of UTF-8', () => {
    for (const reason of ['r'.repeat(123), '€'.repeat(41), '\ufeffbye']) {
      expect(parseClosePayload(closePayload(1000, reason))).toEqual({ code: 1000, reason });
    }
    for (const reason of ['r'.repeat(124), '€'.repeat(42)]) {
      expect(() => closePayload(1000, reason)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
    }
  });

  it('has no reason without a code', () => {
    expect(() => closePayload(undefined, 'why')).toThrow(
      expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }),
    );
  });

  it.each([
    ['a code that is text', '1000', ''],
    ['a code that is null', null, ''],
    ['a reason that is a number', 1000, 7],
    ['a reason that is null', 1000, null],
  ])('is not made of %s', (_, code, reason) => {
    const make = () => closePayload(code as number, reason as string);
    expect(make).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
  });

  it('is not made of half a number', () => {
    expect(() => closePayload(1000.5, '')).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
  });

  it('with one byte is an error', () => {
    const error = { code: 'ERR_WS_INVALID_CLOSE_PAYLOAD', closeCode: 1002 };
    expect(parseClosePayload(Uint8Array.of(3))).toMatchObject(error);
  });

  it('with a reason that is not UTF-8 is an error', () => {
    const error = { code: 'ERR_WS_INVALID_UTF8', closeCode: 1007 };
    expect(parseClosePayload(closing(1000, Uint8Array.of(0x61, 0xff)))).toMatchObject(error);
    expect(parseClosePayload(closing(1000, Uint8Array.of(0xe2, 0x82)))).toMatchObject(error);
  });
});
