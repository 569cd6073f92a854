import {
  type DatagramOverflowPolicy,
  type DatagramQueueOptions,
  validateInteger,
  validateOneOf,
} from '@iocp/core/layer';

/** Checked `DatagramQueueOptions` with the defaults filled in. */
export interface QueueLimits {
  readonly datagramsMax: number;
  readonly bytesMax: number;
  readonly overflow: DatagramOverflowPolicy;
}

const policies = ['drop-new', 'drop-old', 'block'] as const;

/** Throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE` or `ERR_OUT_OF_RANGE`, naming the option. */
export function queueLimits(options: DatagramQueueOptions): QueueLimits {
  const { queuedDatagramsMax = 4096, queuedBytesMax = 4 * 1024 * 1024, overflow = 'drop-new' } = options;
  validateInteger(queuedDatagramsMax, 'options.queuedDatagramsMax', 1);
  validateInteger(queuedBytesMax, 'options.queuedBytesMax', 1);
  validateOneOf(overflow, 'options.overflow', policies);
  return { datagramsMax: queuedDatagramsMax, bytesMax: queuedBytesMax, overflow };
}
