import { ChannelError, onAbort } from '@iocp/core/layer';

/** The error of a handshake that took too long. */
function tookTooLong(timeoutMs: number): ChannelError {
  const message = `The WebSocket was not open within ${timeoutMs} ms (handshakeTimeoutMs)`;
  return new ChannelError('ERR_CHANNEL_HANDSHAKE_TIMEOUT', message);
}

/** Whether a signal of `withinTime` has fired because time was up. */
export function isTimeUp(signal: AbortSignal): boolean {
  const { reason } = signal;
  return reason instanceof ChannelError && reason.code === 'ERR_CHANNEL_HANDSHAKE_TIMEOUT';
}

/**
 * Gives `action` a signal that fires with the caller's, or when time is up.
 * @param timeoutMs 1 to 2147483647
 */
export async function withinTime<T>(
  timeoutMs: number,
  signal: AbortSignal | undefined,
  action: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const controller = new AbortController();
  const stopListening = onAbort(signal, () => controller.abort(signal?.reason));
  const timer = setTimeout(() => controller.abort(tookTooLong(timeoutMs)), timeoutMs);
  try {
    return await action(controller.signal);
  } finally {
    clearTimeout(timer);
    stopListening();
  }
}
