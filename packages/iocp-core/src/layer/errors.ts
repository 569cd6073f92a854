/** Errors of channels and of input/output, shared by every layer. */

/** What an input/output error knows besides its message. */
export interface IoErrorDetails {
  /** POSIX code (`ECONNRESET`) or one of ours (`ERR_*`). */
  readonly code: string;
  /** Negative error number, as libuv reports it, when the system gave one. */
  readonly errno?: number | undefined;
  /** The operation that failed: `connect`, `listen`, `read`, `write`, … */
  readonly syscall?: string | undefined;
  readonly address?: string | undefined;
  readonly port?: number | undefined;
  readonly cause?: unknown;
}

/** A failed operation of the system or of a channel. `code` says which; the message says what to do. */
export class IoError extends Error {
  readonly code: string;
  declare readonly errno?: number;
  declare readonly syscall?: string;
  declare readonly address?: string;
  declare readonly port?: number;

  constructor(message: string, details: IoErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = details.code;
    if (details.errno !== undefined) this.errno = details.errno;
    if (details.syscall !== undefined) this.syscall = details.syscall;
    if (details.address !== undefined) this.address = details.address;
    if (details.port !== undefined) this.port = details.port;
  }

  static {
    Object.defineProperty(IoError.prototype, 'name', {
      value: 'IoError',
      configurable: true,
      writable: true,
    });
  }
}

/** Codes that channels of every kind use. */
export type ChannelErrorCode =
  /** The channel has closed: nothing can be written or read any more. */
  | 'ERR_CHANNEL_CLOSED'
  /** `write` after `end`. */
  | 'ERR_CHANNEL_ENDED'
  /** A second receiver or a second face on one channel. */
  | 'ERR_CHANNEL_CONSUMER'
  /** More queued bytes than the hard cap allows. */
  | 'ERR_CHANNEL_OVERFLOW'
  /** `abort()` was called without a reason: pending writes get this. */
  | 'ERR_CHANNEL_ABORTED'
  /** A write was cancelled after it had begun: the position in the stream is unknown, so the channel was aborted. */
  | 'ERR_CHANNEL_WRITE_CANCELED'
  /** Nothing was sent or received for the idle time allowed. */
  | 'ERR_CHANNEL_IDLE'
  /** A handshake took longer than allowed. */
  | 'ERR_CHANNEL_HANDSHAKE_TIMEOUT';

/** A misuse or an early end of a channel. */
export class ChannelError extends IoError {
  declare readonly code: ChannelErrorCode;

  constructor(code: ChannelErrorCode, message: string, cause?: unknown) {
    super(message, { code, cause });
  }

  static {
    Object.defineProperty(ChannelError.prototype, 'name', {
      value: 'ChannelError',
      configurable: true,
      writable: true,
    });
  }
}
