/** The bytes of a short connection, as places to cut, damage or tear it. */

import { chooseSeed, Random } from '../../prng.js';
import type { TlsScene } from './scene.js';

export const directions = ['toServer', 'toClient'] as const;
export type Direction = (typeof directions)[number];

/** Bytes that one direction of a short connection has. Signatures differ in length: it may be some more or less. */
export async function placesOf(scene: TlsScene, direction: Direction): Promise<number> {
  const connection = scene.connect();
  await connection.converse();
  const { byteCount } = connection.wire[direction];
  scene.release();
  return byteCount;
}

/** Offsets from 1 to `byteCount` - 1: all, or so many of them at random. */
export function choosePlaces(byteCount: number, placesMax: number): number[] {
  const random = new Random(chooseSeed());
  const all = Array.from({ length: Math.max(0, byteCount - 1) }, (_, index) => index + 1);
  while (all.length > placesMax) all.splice(random.integer(0, all.length - 1), 1);
  return all;
}
