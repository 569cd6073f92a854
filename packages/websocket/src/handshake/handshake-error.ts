import { CloseCode } from '../codec/frame.js';
import { WebSocketError } from '../errors.js';
import type { ResponseHead, ResponseHeaders } from './response-head.js';

const noHeaders: ResponseHeaders = Object.freeze(Object.create(null));

/**
 * A server did not open the WebSocket: it refused, or its answer is not one to a WebSocket handshake. Code
 * `ERR_WS_HANDSHAKE`.
 */
export class HandshakeError extends WebSocketError {
  /** Of the answer; undefined when it was none of a web server. */
  readonly statusCode: number | undefined;
  /** Of the answer: names in lower case, fields of one name joined with `', '`. */
  readonly headers: ResponseHeaders;
  /** The first 64 KiB of what a server that refused has said besides. */
  readonly body: Buffer;

  constructor(message: string, response: ResponseHead | null, body: Buffer, cause?: unknown) {
    super('ERR_WS_HANDSHAKE', message, CloseCode.ABNORMAL, cause);
    this.statusCode = response?.statusCode;
    this.headers = response?.headers ?? noHeaders;
    this.body = body;
  }

  static {
    Object.defineProperty(HandshakeError.prototype, 'name', {
      value: 'HandshakeError',
      configurable: true,
      writable: true,
    });
  }
}

/** The server's answer is no good. */
export function handshakeFailed(
  message: string,
  response: ResponseHead | null = null,
  cause?: unknown,
): HandshakeError {
  return new HandshakeError(message, response, Buffer.alloc(0), cause);
}
