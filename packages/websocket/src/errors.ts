/** Errors of WebSocket. */

import { IoError } from '@iocp/core/layer';

/** What the peer has done against RFC 6455; the close code to say to it is 1002 unless given here. */
export type WebSocketViolationCode =
  /** An opcode that means nothing (section 5.2). */
  | 'ERR_WS_INVALID_OPCODE'
  /** A reserved bit that no extension has given a meaning. */
  | 'ERR_WS_UNEXPECTED_RSV'
  /** A frame of a client without a mask. */
  | 'ERR_WS_EXPECTED_MASK'
  /** A frame of a server with a mask. */
  | 'ERR_WS_UNEXPECTED_MASK'
  /** A length that has its highest bit set or would have fitted into fewer bytes. */
  | 'ERR_WS_INVALID_LENGTH'
  /** A control frame without FIN (section 5.5). */
  | 'ERR_WS_CONTROL_FRAGMENTED'
  /** A control frame with more than 125 bytes. */
  | 'ERR_WS_CONTROL_TOO_LONG'
  /** A continuation of nothing (section 5.4). */
  | 'ERR_WS_UNEXPECTED_CONTINUATION'
  /** A new message in the middle of another. */
  | 'ERR_WS_EXPECTED_CONTINUATION'
  /** A close code that must not be sent (section 7.4). */
  | 'ERR_WS_INVALID_CLOSE_CODE'
  /** A close frame with one byte. */
  | 'ERR_WS_INVALID_CLOSE_PAYLOAD'
  /** A text message or a close reason that is not UTF-8; 1007. */
  | 'ERR_WS_INVALID_UTF8'
  /** A message longer than `payloadBytesMax`; 1009. */
  | 'ERR_WS_MESSAGE_TOO_LONG'
  /** A text message where only bytes make sense; 1003. */
  | 'ERR_WS_UNSUPPORTED_DATA'
  /** A compressed message that cannot be decompressed (RFC 7692); 1007. */
  | 'ERR_WS_INVALID_DEFLATE';

/** Codes of this package. */
export type WebSocketErrorCode =
  | WebSocketViolationCode
  /** The WebSocket was not opened: the handshake was refused or went wrong. */
  | 'ERR_WS_HANDSHAKE'
  /** `wss:` was asked for, and `@iocp/tls` is not installed. */
  | 'ERR_WS_NO_TLS'
  /** The connection has closed or is closing: nothing can be sent any more. */
  | 'ERR_WS_CLOSED'
  /** A message that is written in parts has ended already. */
  | 'ERR_WS_MESSAGE_ENDED'
  /** The peer reads too slowly, and the policy is to close. */
  | 'ERR_WS_SLOW_CONSUMER'
  /** The peer did not answer a ping in time. */
  | 'ERR_WS_HEARTBEAT_TIMEOUT'
  /** The peer did not do its part of the close in time. */
  | 'ERR_WS_CLOSE_TIMEOUT'
  /** The stream has ended without a close frame: what came is perhaps not all. */
  | 'ERR_WS_TRUNCATED';

/** A WebSocket cannot go on, or not begin. `code` says why. */
export class WebSocketError extends IoError {
  declare readonly code: WebSocketErrorCode;
  /** What to say to the peer in a close frame; 1006 where nothing can be said. */
  readonly closeCode: number;

  constructor(code: WebSocketErrorCode, message: string, closeCode: number, cause?: unknown) {
    super(message, { code, cause });
    this.closeCode = closeCode;
  }

  static {
    Object.defineProperty(WebSocketError.prototype, 'name', {
      value: 'WebSocketError',
      configurable: true,
      writable: true,
    });
  }
}

/** @param closeCode default 1002, protocol error */
export function webSocketError(
  code: WebSocketErrorCode,
  message: string,
  closeCode = 1002,
  cause?: unknown,
): WebSocketError {
  return new WebSocketError(code, message, closeCode, cause);
}
