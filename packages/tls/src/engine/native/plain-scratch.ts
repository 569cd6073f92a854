/** Where plain text goes when the channel below has no memory to lend. */

import { ownCopy } from '@iocp/core/layer';

/** A record holds so much (RFC 8446 section 5.1). */
const scratchBytes = 16_384;
/** More than this much is handed out with the scratch around it. */
const copiedBytesMax = 4096;

let spare: Buffer | null = null;

/** Yours until `takeFrom`: there may be several at once. */
export function openScratch(): Buffer {
  const scratch = spare ?? Buffer.allocUnsafeSlow(scratchBytes);
  spare = null;
  return scratch;
}

/** What was written to a scratch, for good: whoever gets it may keep it. The scratch is not yours any more. */
export function takeFrom(scratch: Buffer, length: number): Uint8Array {
  if (length > copiedBytesMax) return scratch.subarray(0, length);
  spare = scratch;
  return length === 0 ? noBytes : ownCopy(scratch.subarray(0, length));
}

const noBytes = new Uint8Array(0);
