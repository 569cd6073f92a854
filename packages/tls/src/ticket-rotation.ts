import { randomBytes } from 'node:crypto';
import { invalidArgumentType, validateInteger, validateObject } from '@iocp/core/layer';
import { isSecureContext, type SecureContext } from './context/secure-context.js';
import { ticketKeyBytes } from './context/ticket-keys.js';
import type { TlsLayer } from './layer.js';

export interface TicketRotationOptions {
  /** Milliseconds between two keys, 1 to 2147483647. Default 43200000: twelve hours. */
  readonly intervalMs?: number | undefined;
  /**
   * Keys of before whose tickets are still taken, 0 to 100. A ticket serves for `intervalMs * keep` at least. Default 2. The engine
   * `node` takes tickets of any of them, too.
   */
  readonly keep?: number | undefined;
}

const longestMs = 2 ** 31 - 1;

/**
 * Changes the keys of session tickets now and then, so that who gets hold of one can read little of what was recorded (RFC 9325
 * section 3.4). The first change is at once; keys known from before are the first to be kept. For servers of one process: those of
 * several share keys by `setTicketKeys`.
 * @param target a layer, with whatever contexts it has at the time, or a context
 * @returns ends it; the keys of that moment stay. The timer does not keep the process alive
 * @throws `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`
 */
export function rotateTicketKeys(
  target: TlsLayer | SecureContext,
  options: TicketRotationOptions = {},
): Disposable {
  validateObject(options, 'options');
  const { intervalMs = 12 * 60 * 60 * 1000, keep = 2 } = options;
  validateInteger(intervalMs, 'options.intervalMs', 1, longestMs);
  validateInteger(keep, 'options.keep', 0, 100);
  let keys: readonly Uint8Array[] = defaultContextOf(target).settings.ticketKeys ?? [];
  const rotate = (): void => {
    keys = [randomBytes(ticketKeyBytes), ...keys.slice(0, keep)];
    for (const context of contextsOf(target)) context.setTicketKeys(keys);
  };
  rotate();
  const timer = setInterval(rotate, intervalMs);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

function defaultContextOf(target: TlsLayer | SecureContext): SecureContext {
  if (isSecureContext(target)) return target;
  if (isSecureContext(target?.secureContext)) return target.secureContext;
  throw invalidArgumentType('target', 'an instance of TlsLayer or SecureContext', target);
}

function contextsOf(target: TlsLayer | SecureContext): readonly SecureContext[] {
  return isSecureContext(target) ? [target] : target.secureContexts;
}
