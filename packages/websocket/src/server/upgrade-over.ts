import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  asError,
  type Channel,
  ChannelError,
  Connection,
  onAbort,
  type SignalOptions,
  signalOf,
} from '@iocp/core/layer';
import type { ConnectionSetup } from '../connection/websocket-connection.js';
import { webSocketError } from '../errors.js';
import type { HandshakeSettings } from './handshake-options.js';
import { HttpFront } from './http-front.js';
import { mediumOf } from './medium.js';
import { pathOf } from './offer.js';
import { Refusal } from './refusal.js';
import { type Gate, upgrade } from './upgrade.js';

/**
 * Does the server's part of the handshake over any channel of bytes, which belongs to the handshake from here on.
 *
 * Rejects with `ERR_WS_HANDSHAKE` when the client was refused (it has been answered), asked for something else or has left; with
 * `ERR_CHANNEL_HANDSHAKE_TIMEOUT`; and with the reason of `signal`, at once. The channel is aborted then, or ends with the answer.
 */
export async function upgradeOver(
  channel: Channel,
  settings: HandshakeSettings,
  options?: SignalOptions,
): Promise<ConnectionSetup> {
  const signal = signalOf(options);
  let stopListening = () => {};
  let timer: NodeJS.Timeout | undefined;
  const front = new HttpFront(settings);
  try {
    if (signal?.aborted) {
      channel.abort(asError(signal.reason));
      throw signal.reason;
    }
    const stream = new Connection(channel).toDuplex({ allowHalfOpen: true });
    return await new Promise<ConnectionSetup>((resolve, reject) => {
      const giveUp = (reason: unknown) => {
        channel.abort(asError(reason));
        reject(reason);
      };
      stopListening = onAbort(signal, () => giveUp(signal?.reason));
      timer = setTimeout(() => giveUp(tooSlow(settings.handshakeTimeoutMs)), settings.handshakeTimeoutMs * 2);
      front.server.on('upgrade', (request: IncomingMessage, from: Duplex, head: Buffer) => {
        setupOf(request, from, head, settings).then(resolve, reject);
      });
      front.server.on('request', () => reject(refused(426)));
      front.server.on('clientError', (error) => reject(refused(400, error)));
      stream.on('close', () => {
        // A stream that is closed and whose channel is not has given it to the WebSocket.
        if (channel.closed) reject(refused(null));
      });
      front.server.emit('connection', stream);
    });
  } finally {
    clearTimeout(timer);
    stopListening();
    front.close();
  }
}

async function setupOf(
  request: IncomingMessage,
  stream: Duplex,
  head: Buffer,
  settings: HandshakeSettings,
): Promise<ConnectionSetup> {
  const gate: Gate = {
    watches: new Set(),
    refusalOf: (_request, { target }) =>
      settings.servesPath(pathOf(target), request) ? null : new Refusal(404, 'There is no WebSocket here'),
  };
  const medium = await mediumOf(request, stream, head);
  const outcome = medium === null ? null : await upgrade(request, medium, settings, null, gate);
  if (outcome === null) throw refused(null);
  if (outcome instanceof Refusal) throw refused(outcome.status, outcome.cause);
  return outcome.setup;
}

function refused(status: number | null, cause?: unknown) {
  const what =
    status === null
      ? 'The client has left before the WebSocket was open'
      : `The client was refused with ${status}`;
  return webSocketError('ERR_WS_HANDSHAKE', what, 1006, cause);
}

function tooSlow(timeoutMs: number): ChannelError {
  const message = `The handshake was not finished in time (handshakeTimeoutMs is ${timeoutMs})`;
  return new ChannelError('ERR_CHANNEL_HANDSHAKE_TIMEOUT', message);
}
