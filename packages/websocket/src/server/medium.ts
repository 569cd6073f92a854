/** What a WebSocket is carried by, taken from HTTP. */

import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type Channel, ChannelDuplex, ChannelError, fromDuplex } from '@iocp/core/layer';

/** A channel without a receiver, and what was received from it already, in order. */
export interface Medium {
  readonly channel: Channel;
  readonly head: readonly Uint8Array[];
}

/** The connection has caps and policies of its own: those of the channel must not come first. */
export const carrierLimits = { bufferedBytesMax: 0x7fffffff } as const;

const taken = new WeakSet<Duplex>();

/**
 * Takes over the stream of an HTTP upgrade. A stream of ours gives its channel back, so that no stream is left on the way of
 * messages; any other is wrapped.
 * @param head what came behind the request, as in the event `'upgrade'`
 * @returns null when the client has gone; a promise only while something written before, the answer to an earlier request,
 * waits to be sent
 * @throws {ChannelError} `ERR_CHANNEL_CONSUMER` when it was taken over before
 */
export function mediumOf(
  { socket }: IncomingMessage,
  stream: Duplex,
  head: Uint8Array,
): Medium | null | Promise<Medium | null> {
  if (taken.has(stream)) throw takenAlready();
  taken.add(stream);
  // Another one when the request has a body that is still to come (Node.js 25 and newer).
  taken.add(socket);
  return stream.writableLength > 0 ? whenWritten(stream, head) : takeOver(stream, head);
}

/** Whether the stream, or what wraps it, was taken over: it is not HTTP's to answer on any more. */
export function wasTakenOver(stream: Duplex): boolean {
  return taken.has(stream);
}

async function whenWritten(stream: Duplex, head: Uint8Array): Promise<Medium | null> {
  const abort = new AbortController();
  const { signal } = abort;
  try {
    const written = new Promise((resolve) => stream.write('', resolve));
    await Promise.race([written, once(stream, 'close', { signal })]);
  } catch {
    // Broken: takeOver() finds it so.
  } finally {
    abort.abort();
  }
  return takeOver(stream, head);
}

function takeOver(stream: Duplex, head: Uint8Array): Medium | null {
  const received = head.byteLength > 0 ? [head] : [];
  if (stream.destroyed || !stream.writable || !stream.readable) {
    stream.destroy();
    return null;
  }
  return isOurs(stream) ? released(stream, received) : wrapped(stream, received);
}

/** Not only instanceof: the stream may come from the other module format of the package. */
function isOurs(stream: Duplex): stream is ChannelDuplex {
  return stream instanceof ChannelDuplex || typeof (stream as ChannelDuplex).releaseChannel === 'function';
}

function released(stream: ChannelDuplex, received: readonly Uint8Array[]): Medium | null {
  if (stream.writableLength > 0) return wrapped(stream, received);
  const { channel, head, ended } = stream.releaseChannel();
  if (!ended) return { channel, head: [...received, ...head] };
  channel.abort();
  return null;
}

interface SocketLike {
  setTimeout?(idleMs: number): void;
  setNoDelay?(): void;
}

function wrapped(stream: Duplex & SocketLike, head: readonly Uint8Array[]): Medium {
  // HTTP may have left its idle timeout there; what is written is gathered here, and not to be held back below.
  stream.setTimeout?.(0);
  stream.setNoDelay?.();
  return { channel: fromDuplex(stream, carrierLimits), head };
}

function takenAlready(): ChannelError {
  const message =
    'The stream is a WebSocket already: handleUpgrade() was called twice, or the server is attached in two ways';
  return new ChannelError('ERR_CHANNEL_CONSUMER', message);
}
