/** What has to be told, in every shape in which a decoder runs and however its input is cut. */

import { byteByByte, concatenate, everySplitInTwo, Random, randomSplit } from '@iocp/testkit';
import { expect } from 'vitest';
import type { DecoderSettings } from '../../src/codec/decoder.js';
import { Blocks } from './blocks.js';
import { type FrameOptions, frame } from './frames.js';
import { client, server, shown, type Told, toldOf } from './recorder.js';
import { referenceOf } from './reference.js';

/** Every shape in which a decoder runs. */
export const shapes: readonly (readonly [name: string, settings: DecoderSettings])[] = [
  ['a server', server],
  ['a client', client],
  ['a server that takes parts', { ...server, parts: true }],
  ['a client that takes parts', { ...client, parts: true }],
  ['a server with memory of the medium', { ...server, memory: new Blocks() }],
  ['a server with deflate', { ...server, deflate: true }],
];

/** Frames as the peer of this side sends them. */
export function stream(settings: DecoderSettings, frames: readonly FrameOptions[]): Uint8Array {
  return concatenate(frames.map((each) => frame(settings.role === 'client' ? { key: null, ...each } : each)));
}

/** The same must be told however the input is cut. */
export function expectTold(
  settings: DecoderSettings,
  frames: readonly FrameOptions[],
  told: readonly Told[],
): void {
  const input = stream(settings, frames);
  expect(toldOf([input], settings)).toEqual(told);
  expect(referenceOf(input, settings)).toEqual(told);
  if (input.byteLength <= 1000) {
    expect(toldOf(byteByByte(input), settings)).toEqual(told);
    for (const parts of everySplitInTwo(input)) expect(toldOf(parts, settings)).toEqual(told);
  } else {
    for (const at of [1, 2, 3, 4, 9, 10, 13, 14, 15, 100, input.byteLength - 1]) {
      expect(toldOf([input.subarray(0, at), input.subarray(at)], settings)).toEqual(told);
    }
    expect(toldOf(randomSplit(input, new Random(1), { partBytesMax: 5000 }), settings)).toEqual(told);
  }
}

export const message = (payload: Uint8Array | string, binary = false): Told => ({
  kind: 'message',
  binary,
  payload: shown(Buffer.from(payload as string)),
});
