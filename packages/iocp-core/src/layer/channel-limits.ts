import { validateInteger, validateObject, validateOneOf } from './validate.js';

/** What to do with a write that would exceed `bufferedBytesMax`. */
export type OverflowPolicy = 'abort' | 'reject';

/** How much a channel queues. */
export interface ChannelOptions {
  /** At or above this many buffered bytes `write` returns false. Default 65536 (64 KiB). */
  readonly highWaterMark?: number | undefined;
  /** At or below this many buffered bytes `onDrain` follows. Default a quarter of `highWaterMark`. */
  readonly lowWaterMark?: number | undefined;
  /**
   * Hard cap of what piles up: a write that would exceed it is refused whole with `ERR_CHANNEL_OVERFLOW`. One write to an
   * empty queue is taken whatever its size. Default 16777216 (16 MiB), at most 2147483647.
   */
  readonly bufferedBytesMax?: number | undefined;
  /**
   * `'abort'` (default): the refused write also aborts the channel, because a sender that ignores backpressure that
   * long will not stop by itself. `'reject'`: only the write fails.
   */
  readonly overflow?: OverflowPolicy | undefined;
}

const highWaterMarkDefault = 64 * 1024;
/** Media count what they send in 32 bits. */
const bytesMax = 0x7fffffff;
const bufferedBytesMaxDefault = 16 * 1024 * 1024;

/** Checked `ChannelOptions` with the defaults filled in. One object serves any number of channels. */
export class ChannelLimits {
  readonly highWaterMark: number;
  readonly lowWaterMark: number;
  readonly bufferedBytesMax: number;
  readonly overflow: OverflowPolicy;

  constructor(options: ChannelOptions = {}) {
    validateObject(options, 'options');
    const { highWaterMark = highWaterMarkDefault } = options;
    validateInteger(highWaterMark, 'options.highWaterMark', 1, bytesMax);
    const { lowWaterMark = Math.floor(highWaterMark / 4) } = options;
    validateInteger(lowWaterMark, 'options.lowWaterMark', 0, highWaterMark - 1);
    const { bufferedBytesMax = Math.max(bufferedBytesMaxDefault, highWaterMark) } = options;
    validateInteger(bufferedBytesMax, 'options.bufferedBytesMax', highWaterMark, bytesMax);
    const { overflow = 'abort' } = options;
    validateOneOf(overflow, 'options.overflow', ['abort', 'reject'] as const);
    this.highWaterMark = highWaterMark;
    this.lowWaterMark = lowWaterMark;
    this.bufferedBytesMax = bufferedBytesMax;
    this.overflow = overflow;
  }
}

const defaultLimits = new ChannelLimits();

/**
 * Checks `options` once, for many channels. Throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE` or
 * `ERR_OUT_OF_RANGE`. Already checked limits pass through, and no options give the shared defaults.
 */
export function channelLimits(options?: ChannelOptions | ChannelLimits): ChannelLimits {
  if (options === undefined) return defaultLimits;
  return options instanceof ChannelLimits ? options : new ChannelLimits(options);
}
