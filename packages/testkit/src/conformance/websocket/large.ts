/** WebSocket suite, 9 and 10: large messages, many fragments, small pieces, and round trips one after another. */

import { concatenate } from '../../chunkings.js';
import { binary, fragments, text } from './frame.js';
import type { Cut } from './peer.js';
import { binaryBack, itCloses, itWithPeer, open, run, textBack, type WebSocketSuite } from './scene.js';

const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;

/** Text whose characters are of one to four bytes, so that fragments cut them. */
export function longText(byteCount: number): Uint8Array {
  const line = Buffer.from('BAsd7&jh23 äöü κόσμε \u{1d11e} ');
  const lines = Array.from({ length: Math.floor(byteCount / line.byteLength) }, () => line);
  return concatenate([...lines, Buffer.alloc(byteCount % line.byteLength, '.')]);
}

/** Bytes of which no two stretches are alike. */
function longBinary(byteCount: number): Uint8Array {
  const bytes = Buffer.alloc(byteCount, 0xfe);
  for (let at = 0; at + 4 <= byteCount; at += 64) bytes.writeUInt32BE(at, at);
  return bytes;
}

function title(bytes: number): string {
  return bytes >= mebibyte
    ? `${bytes / mebibyte} MiB`
    : bytes >= kibibyte
      ? `${bytes / kibibyte} KiB`
      : `${bytes} bytes`;
}

export function largeSuite(suite: WebSocketSuite): void {
  const full = suite.traits.fullSize;

  /** Registers the same for text and binary. */
  function both(
    area: number,
    number: number,
    name: string,
    bytes: number,
    fragmentBytes: number,
    cut?: Cut,
  ): void {
    for (const isBinary of [false, true]) {
      const [letter, make, back] = isBinary
        ? (['binary', longBinary, binaryBack] as const)
        : (['text', longText, textBack] as const);
      itWithPeer(suite, `[9.${area + Number(isBinary)}.${number}] ${letter} of ${name}`, async (peer) => {
        const payload = make(bytes);
        await run(
          peer,
          [{ send: fragments(isBinary, payload, fragmentBytes), cut, back: [back(payload)] }],
          open,
        );
      });
    }
  }

  const sizes = [64, 256, 1024, 4096, 8192, 16_384].map((size) => size * kibibyte);
  for (const [index, bytes] of sizes.entries()) {
    if (full || index % 3 !== 1) both(1, index + 1, title(bytes), bytes, bytes);
  }
  const fragmentedBytes = full ? 4 * mebibyte : mebibyte / 4;
  for (let index = 0; index < 9; index++) {
    const fragmentBytes = 64 * 4 ** Math.min(index, 7) * (index === 8 ? 4 : 1);
    if (fragmentBytes > fragmentedBytes) continue;
    both(
      3,
      index + 1,
      `${title(fragmentedBytes)} in fragments of ${title(fragmentBytes)}`,
      fragmentedBytes,
      fragmentBytes,
    );
  }
  const choppedBytes = full ? mebibyte : mebibyte / 16;
  for (let index = 0; index < 6; index++) {
    const step = 64 << index;
    both(5, index + 1, `${title(choppedBytes)}, ${step} bytes at a time`, choppedBytes, choppedBytes, step);
  }

  const rounds = full ? 1000 : 50;
  for (const isBinary of [false, true]) {
    for (const [index, bytes] of [0, 16, 64, 256, 1024, 4096].entries()) {
      const kind = isBinary ? 'binary' : 'text';
      const payload = isBinary ? longBinary(bytes) : longText(bytes);
      const step = isBinary
        ? { send: [binary(payload)], back: [binaryBack(payload)] }
        : { send: [text(payload)], back: [textBack(payload)] };
      itCloses(
        suite,
        `[9.${isBinary ? 8 : 7}.${index + 1}] ${rounds} times ${kind} of ${bytes} bytes, there and back`,
        {
          steps: Array.from({ length: rounds }, () => step),
          ending: open,
        },
      );
    }
  }

  itCloses(suite, '[10.1.1] 64 KiB in fragments of 1300 bytes', {
    steps: [{ send: fragments(false, longText(65_536), 1300), back: [textBack(longText(65_536))] }],
    ending: open,
  });
}
