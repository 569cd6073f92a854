import { AsyncResource } from 'node:async_hooks';
import { onAbort, throwLater } from '@iocp/core/layer';
import { type ConnectOptions, type ConnectSettings, connectSettings } from './connect-options.js';
import { connectChannel, connectFailedChannel } from './diagnostics.js';
import { dial } from './dial.js';
import { Handshake } from './handshakes.js';
import { TcpChannel } from './tcp-channel.js';
import { TcpConnection, type TcpHandlers } from './tcp-connection.js';
import { validateHandlers } from './tcp-handlers.js';

/**
 * Connects to a host and port, or to the path of a Unix socket.
 *
 * A name with several addresses is tried as Happy Eyeballs says (RFC 8305): families take turns, attempts go on in parallel,
 * the first that connects is kept and the others are aborted. With `handlers` the connection is served by them, `open`
 * first; without, use any face of `TcpConnection`. With `layers` it resolves when their handshakes are done. Handlers run in
 * the async context (`AsyncLocalStorage`) of this call.
 *
 * Rejects with Node's codes for bad arguments before anything else is done: `ERR_INVALID_ARG_TYPE`,
 * `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_SOCKET_BAD_PORT`; with `signal.reason`; with an `IoError` when there was
 * one address: ECONNREFUSED, EHOSTUNREACH, ETIMEDOUT, ENOENT (Unix), ENOTFOUND; with a `ConnectError`, which is an
 * `AggregateError`, when there were several; and with what a layer's handshake failed with, or `ERR_CHANNEL_HANDSHAKE_TIMEOUT`.
 * Whatever it rejects with, nothing is left open.
 */
export async function connect(options: ConnectOptions, handlers?: TcpHandlers): Promise<TcpConnection> {
  const settings = connectSettings(options);
  if (handlers !== undefined) validateHandlers(handlers, 'handlers');
  const context = new AsyncResource('IOCP_TCP_CONNECT');
  let connection: TcpConnection;
  try {
    connection = await establish(settings, context);
  } catch (error) {
    if (connectFailedChannel.hasSubscribers) connectFailedChannel.publish({ options, error });
    throw error;
  }
  if (connectChannel.hasSubscribers) connectChannel.publish({ connection });
  if (handlers !== undefined) serve(connection, handlers);
  return connection;
}

async function establish(settings: ConnectSettings, context: AsyncResource): Promise<TcpConnection> {
  const { socket } = await dial(settings);
  const tcp = new TcpChannel(socket, settings.connection, context);
  const { layers, signal } = settings;
  if (layers.layers.length === 0) return new TcpConnection(tcp, tcp, settings.connection);
  const handshake = new Handshake(tcp, 'client', layers, signal);
  const stopListening = onAbort(signal, () => handshake.giveUp(signal?.reason));
  try {
    return new TcpConnection(await handshake.top, tcp, settings.connection);
  } finally {
    stopListening();
  }
}

/** What `open` throws is the application's, as what `data` throws is: it does not make the connection a failed one. */
function serve(connection: TcpConnection, handlers: TcpHandlers): void {
  try {
    connection.handle(handlers);
  } catch (error) {
    throwLater(error);
  }
}
