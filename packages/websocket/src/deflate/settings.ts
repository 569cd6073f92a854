/** Options of permessage-deflate and their checks. */

import { validateBoolean, validateInteger, validateObject } from '@iocp/core/layer';

/**
 * permessage-deflate, RFC 7692: what this side asks for and agrees to. "Ours" is what this side sends, "the peer's" what it
 * receives. The defaults keep nothing between messages: connections that are idle hold no memory of zlib's.
 */
export interface DeflateOptions {
  /** Messages of fewer bytes are sent as they are. Default 1024. */
  readonly threshold?: number | undefined;
  /**
   * `true`: our messages may refer back to earlier ones. They get smaller when they are alike, and each connection keeps a
   * compressor: `2 ** (windowBits + 2) + 2 ** (memLevel + 9)` bytes, 256 KiB by default. Default `false`.
   */
  readonly contextTakeover?: boolean | undefined;
  /**
   * `true`: the peer's messages may refer back to earlier ones, and each connection keeps a decompressor: about
   * `2 ** peerWindowBits` bytes and 10 KiB. Default `false`: the peer is told not to.
   */
  readonly peerContextTakeover?: boolean | undefined;
  /** Our window: how far back we refer, `2 ** windowBits` bytes; 9 to 15. Default 15, or less if the peer wishes. */
  readonly windowBits?: number | undefined;
  /** The peer's window, 9 to 15. Default 15. With less, a peer that cannot promise it is answered without compression. */
  readonly peerWindowBits?: number | undefined;
  /** Effort of compression, 0 (none) to 9 (best). Default 6. */
  readonly level?: number | undefined;
  /** Memory of a compressor, 1 (least) to 9 (fastest). Default 8. */
  readonly memLevel?: number | undefined;
  /**
   * Calls of zlib under way at once, of all connections of this thread: each takes a thread of libuv's pool and memory, and files
   * and name lookups wait behind it. Others take their turn. Default 10.
   */
  readonly concurrency?: number | undefined;
}

/** Checked `DeflateOptions` with the defaults filled in. */
export interface DeflateSettings {
  readonly threshold: number;
  readonly contextTakeover: boolean;
  readonly peerContextTakeover: boolean;
  readonly windowBits: number;
  readonly peerWindowBits: number;
  readonly level: number;
  readonly memLevel: number;
  readonly concurrency: number;
}

/** The largest window of DEFLATE, 32 KiB, and what counts when nothing is said (RFC 7692 section 7.1.2). */
export const windowBitsMax = 15;
/** The smallest that zlib compresses with. */
export const windowBitsMin = 9;

/**
 * Checks `options`, once for many connections. Throws `ERR_INVALID_ARG_TYPE` or `ERR_OUT_OF_RANGE`.
 * @param options `true` for the defaults; `false` or undefined for no compression
 * @returns null when there is to be no compression
 */
export function deflateSettings(options: DeflateOptions | boolean | undefined): DeflateSettings | null {
  if (options === undefined || options === false) return null;
  const given = options === true ? {} : options;
  validateObject(given, 'options.deflate');
  const { threshold = 1024, contextTakeover = false, peerContextTakeover = false } = given;
  const { windowBits = windowBitsMax, peerWindowBits = windowBitsMax } = given;
  const { level = 6, memLevel = 8, concurrency = 10 } = given;
  validateInteger(threshold, 'options.deflate.threshold', 0);
  validateBoolean(contextTakeover, 'options.deflate.contextTakeover');
  validateBoolean(peerContextTakeover, 'options.deflate.peerContextTakeover');
  validateInteger(windowBits, 'options.deflate.windowBits', windowBitsMin, windowBitsMax);
  validateInteger(peerWindowBits, 'options.deflate.peerWindowBits', windowBitsMin, windowBitsMax);
  validateInteger(level, 'options.deflate.level', 0, 9);
  validateInteger(memLevel, 'options.deflate.memLevel', 1, 9);
  validateInteger(concurrency, 'options.deflate.concurrency', 1);
  return {
    threshold,
    contextTakeover,
    peerContextTakeover,
    windowBits,
    peerWindowBits,
    level,
    memLevel,
    concurrency,
  };
}
