import { validateBoolean, validateInteger, validateObject } from './validate.js';

export interface ConnectionOptions {
  /**
   * `true`: `data` handlers get the receive buffer itself, valid until they return. Default `false`: bytes of their
   * own, which may be kept.
   */
  readonly lend?: boolean | undefined;
  /** Default `false`: once the peer's end has been consumed, our side ends too, as in `node:net`. */
  readonly allowHalfOpen?: boolean | undefined;
  /** Received bytes that wait for `read()` before the peer feels backpressure. Default 65536 (64 KiB). */
  readonly readableHighWaterMark?: number | undefined;
}

/** Checked `ConnectionOptions` with the defaults filled in. One object serves any number of connections. */
export class ConnectionSettings {
  readonly lend: boolean;
  readonly allowHalfOpen: boolean;
  readonly readableHighWaterMark: number;

  constructor(options: ConnectionOptions = {}) {
    validateObject(options, 'options');
    const { lend = false, allowHalfOpen = false, readableHighWaterMark = 64 * 1024 } = options;
    validateBoolean(lend, 'options.lend');
    validateBoolean(allowHalfOpen, 'options.allowHalfOpen');
    validateInteger(readableHighWaterMark, 'options.readableHighWaterMark', 1);
    this.lend = lend;
    this.allowHalfOpen = allowHalfOpen;
    this.readableHighWaterMark = readableHighWaterMark;
  }
}

const defaultSettings = new ConnectionSettings();

/**
 * Checks `options` once, for many connections. Throws `ERR_INVALID_ARG_TYPE` or `ERR_OUT_OF_RANGE`. Already checked
 * settings pass through, and no options give the shared defaults.
 */
export function connectionSettings(options?: ConnectionOptions | ConnectionSettings): ConnectionSettings {
  if (options === undefined) return defaultSettings;
  return options instanceof ConnectionSettings ? options : new ConnectionSettings(options);
}
