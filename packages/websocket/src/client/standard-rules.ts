/** What the WHATWG standard says of arguments, with its exceptions. */

import { closeReasonBytesMax } from '../codec/close-payload.js';
import { CloseCode } from '../codec/frame.js';
import { type ConnectOptions, type ConnectSettings, connectSettings } from './connect-options.js';
import { type Target, targetOf } from './target.js';

/** Throws an `InvalidAccessError` or a `SyntaxError`, both of class `DOMException`. */
export function validateClose(code: number | undefined, reason: string): void {
  if (code !== undefined && code !== CloseCode.NORMAL && !(code >= 3000 && code <= 4999)) {
    throw new DOMException(`The close code must be 1000 or 3000 to 4999, not ${code}`, 'InvalidAccessError');
  }
  if (Buffer.byteLength(reason) > closeReasonBytesMax) {
    const message = `The reason must be at most ${closeReasonBytesMax} bytes of UTF-8 long`;
    throw new DOMException(message, 'SyntaxError');
  }
}

/** Throws a `SyntaxError` of class `DOMException` for a URL or subprotocols that make no sense, else as `connect` rejects. */
export function standardArguments(
  url: string | URL,
  options: ConnectOptions,
): { readonly target: Target; readonly settings: ConnectSettings } {
  try {
    return { target: targetOf(url), settings: connectSettings(options) };
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const isSyntax = code === 'ERR_INVALID_URL' || code === 'ERR_INVALID_ARG_VALUE';
    throw isSyntax ? new DOMException(message, { name: 'SyntaxError', cause }) : cause;
  }
}
