/** How long to wait before each attempt: ever longer, and never all clients at once. */

import { validateInteger } from '@iocp/core/layer';

export interface BackoffOptions {
  /** Bound of the first wait, in milliseconds; it doubles with each failure. Default 1000. */
  readonly delayMs?: number | undefined;
  /** Largest bound, in milliseconds. Default 30000. */
  readonly delayMsMax?: number | undefined;
}

const durationMsMax = 2 ** 31 - 1;

/** Checked options with the defaults filled in. */
export class Backoff {
  readonly #delayMs: number;
  readonly #delayMsMax: number;

  /** @throws `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE` */
  constructor({ delayMs = 1000, delayMsMax = Math.max(30_000, delayMs) }: BackoffOptions) {
    validateInteger(delayMs, 'options.delayMs', 0, durationMsMax);
    validateInteger(delayMsMax, 'options.delayMsMax', delayMs, durationMsMax);
    this.#delayMs = delayMs;
    this.#delayMsMax = delayMsMax;
  }

  /**
   * A wait of any length up to its bound ("full jitter").
   * @param failures attempts in a row that have failed
   * @param random 0 to below 1
   * @returns milliseconds
   */
  waitMs(failures: number, random: number = Math.random()): number {
    const bound = Math.min(this.#delayMsMax, this.#delayMs * 2 ** Math.max(0, failures - 1));
    return Math.round(bound * random);
  }
}
