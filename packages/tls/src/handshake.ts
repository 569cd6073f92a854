import { asError, ChannelError, onAbort } from '@iocp/core/layer';
import type { TlsChannel } from './tls-channel.js';

export interface HandshakeOptions {
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  /** What came from the peer already. */
  readonly head: Uint8Array | undefined;
}

/**
 * Does the handshake of a new channel, and gives the channel. When it fails, the promise rejects with the reason as soon as the
 * channel below has closed, so that the peer gets to see the alert; when `signal` fires, at once, with its reason.
 */
export function handshake(channel: TlsChannel, options: HandshakeOptions): Promise<TlsChannel> {
  const { timeoutMs, signal, head } = options;
  return new Promise((resolve, reject) => {
    const stopListening = onAbort(signal, () => {
      const reason: unknown = signal?.reason;
      channel.abort(asError(reason));
      reject(reason);
    });
    const timer = setTimeout(() => channel.abort(tookTooLong(timeoutMs)), timeoutMs);
    timer.unref();
    const whenReady = (error: Error | null): void => {
      clearTimeout(timer);
      stopListening();
      if (error === null) resolve(channel);
      else reject(error);
    };
    try {
      channel.begin(head, whenReady);
    } catch (error) {
      // The channel below has another receiver.
      channel.abort(asError(error));
      whenReady(asError(error));
    }
  });
}

function tookTooLong(timeoutMs: number): ChannelError {
  const message = `The TLS handshake was not finished within ${timeoutMs} ms (handshakeTimeoutMs)`;
  return new ChannelError('ERR_CHANNEL_HANDSHAKE_TIMEOUT', message);
}
