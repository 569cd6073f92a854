/** Payloads of close frames (RFC 6455 sections 5.5.1 and 7.4). */

import { isUtf8 } from 'node:buffer';
import { outOfRange, validateInteger, validateString } from '@iocp/core/layer';
import { type WebSocketError, webSocketError } from '../errors.js';
import { CloseCode, controlPayloadMax } from './frame.js';

export const closeReasonBytesMax = controlPayloadMax - 2;
const nothing = Buffer.alloc(0);

/** What a close frame has said. */
export interface CloseInfo {
  /** 1005 when the frame was empty. */
  readonly code: number;
  readonly reason: string;
}

/** True for codes that may be sent: 1000 to 1003, 1007 to 1014 (RFC 6455 and the registry of IANA), 3000 to 4999. */
export function isValidCloseCode(code: number): boolean {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

/** @returns an error with what to answer when the peer must not have sent this */
export function parseClosePayload(payload: Uint8Array): CloseInfo | WebSocketError {
  const length = payload.length;
  if (length === 0) return { code: CloseCode.NO_STATUS, reason: '' };
  if (length === 1) {
    return webSocketError('ERR_WS_INVALID_CLOSE_PAYLOAD', 'The peer has sent a close frame with half a code');
  }
  const code = ((payload[0] as number) << 8) | (payload[1] as number);
  if (!isValidCloseCode(code)) {
    return webSocketError('ERR_WS_INVALID_CLOSE_CODE', `The peer has sent the close code ${code}`);
  }
  const reason = payload.subarray(2);
  if (!isUtf8(reason)) {
    const message = 'The peer has sent a close reason that is not UTF-8';
    return webSocketError('ERR_WS_INVALID_UTF8', message, CloseCode.INVALID_PAYLOAD);
  }
  return { code, reason: Buffer.from(reason.buffer, reason.byteOffset, reason.byteLength).toString() };
}

/**
 * The payload that says `code` and `reason`, in memory of its own; empty without a code.
 *
 * Throws `ERR_OUT_OF_RANGE` for a code that must not be sent, for a reason of more than 123 bytes of UTF-8, and for a reason
 * without a code; `ERR_INVALID_ARG_TYPE` for what is no number or no string.
 */
export function closePayload(code?: number, reason = ''): Buffer {
  validateString(reason, 'reason');
  if (code === undefined) {
    if (reason !== '') throw outOfRange('reason', 'empty without a code', reason);
    return nothing;
  }
  validateInteger(code, 'code');
  if (!isValidCloseCode(code)) {
    throw outOfRange('code', '1000 to 1003, 1007 to 1014 or 3000 to 4999', code);
  }
  const reasonBytes = Buffer.byteLength(reason);
  if (reasonBytes > closeReasonBytesMax) {
    throw outOfRange('reason', `at most ${closeReasonBytesMax} bytes of UTF-8`, reason);
  }
  const payload = Buffer.alloc(2 + reasonBytes);
  payload.writeUInt16BE(code);
  payload.write(reason, 2);
  return payload;
}
