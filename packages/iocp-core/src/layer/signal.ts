import { validateObject, validateSignal } from './validate.js';

/** For everything that waits. */
export interface SignalOptions {
  /** Gives up the wait: the promise rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
}

/** The checked signal of `options`; throws `ERR_INVALID_ARG_TYPE`. */
export function signalOf(options: SignalOptions | undefined): AbortSignal | undefined {
  if (options === undefined) return undefined;
  validateObject(options, 'options');
  const { signal } = options;
  if (signal !== undefined) validateSignal(signal);
  return signal;
}

function nothing(): void {}

/**
 * Calls `listener` when `signal`, which has not fired yet, does.
 * @returns stops listening; to be called in every case, because a long-lived signal would collect listeners
 */
export function onAbort(signal: AbortSignal | undefined, listener: () => void): () => void {
  if (signal === undefined) return nothing;
  signal.addEventListener('abort', listener, { once: true });
  return () => signal.removeEventListener('abort', listener);
}

/** Something thrown or given as a reason, as an Error. */
export function asError(reason: unknown): Error {
  if (reason instanceof Error) return reason;
  // An error of another realm has no prototype in common with ours.
  if (Object.prototype.toString.call(reason) === '[object Error]') return reason as Error;
  return new Error(`Not an Error was thrown or given as a reason: ${String(reason)}`, { cause: reason });
}
