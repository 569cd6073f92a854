import { AsyncResource } from 'node:async_hooks';
import { statSync, unlinkSync } from 'node:fs';
import type { Socket } from '@iocp/core';
import { resolveHost, systemLookup } from '@iocp/core/layer';
import { listenChannel } from './diagnostics.js';
import { type ListenOptions, type ListenSettings, listenSettings } from './listen-options.js';
import { type ListenHandlers, validateHandlers } from './tcp-handlers.js';
import { TcpListener } from './tcp-listener.js';

/**
 * Listens on an address and port, or on the path of a Unix socket.
 *
 * With `handlers` connections are served by them; without, they wait for `accept()`, for iteration over the listener, or for
 * `attachTo(httpServer)`. Handlers run in the async context (`AsyncLocalStorage`) of this call.
 *
 * Rejects with Node's codes for bad arguments before anything else is done: `ERR_INVALID_ARG_TYPE`,
 * `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_SOCKET_BAD_PORT`; with an `IoError` that carries the system's code,
 * `syscall`, `address` and `port`: EADDRINUSE, EACCES (ports below 1024 need privileges on Linux), EADDRNOTAVAIL, ENOTFOUND;
 * and with `ERR_IOCP_NO_BACKEND` where no completion port can be opened.
 *
 * Linux: a socket file left behind by a crash gives EADDRINUSE, and is not removed for you.
 */
export async function listen(options: ListenOptions = {}, handlers?: ListenHandlers): Promise<TcpListener> {
  const settings = listenSettings(options);
  if (handlers !== undefined) validateHandlers(handlers, 'handlers');
  const context = new AsyncResource('IOCP_TCP_LISTENER');
  const socket = await openListener(settings, await numericHost(settings));
  const listener = new TcpListener(socket, settings, context, pathRelease(settings.path));
  if (handlers !== undefined) listener.handle(handlers);
  if (listenChannel.hasSubscribers) listenChannel.publish({ listener });
  return listener;
}

function openListener(settings: ListenSettings, host: string | undefined): Promise<Socket> {
  const { path, port, backlog, ipv6Only, reusePort, connection } = settings;
  const options = connection.socketOptions;
  if (path !== undefined) return connection.port.listen({ path, backlog, options });
  return connection.port.listen({ host, port, backlog, ipv6Only, reusePort, options });
}

async function numericHost({ host, port }: ListenSettings): Promise<string | undefined> {
  if (host === undefined) return undefined;
  const [first] = await resolveHost({ host, port, family: 0, lookup: systemLookup });
  return first?.address;
}

/** Removes the file of a Unix socket, unless it is another one by then. */
function pathRelease(path: string | undefined): () => void {
  if (path === undefined || path.startsWith('\0')) return () => {};
  // A named pipe is no file, and looking at one would connect to it.
  if (process.platform === 'win32' && path.startsWith('\\\\')) return () => {};
  const ours = fileAt(path);
  return () => {
    const found = fileAt(path);
    if (found === undefined || found.ino !== ours?.ino || found.dev !== ours.dev) return;
    try {
      unlinkSync(path);
    } catch {
      // Its directory is gone or not writable any more: the next listener will say EADDRINUSE.
    }
  };
}

/** With `bigint`: without it, Node.js 20 no longer sees through symbolic links in imports, once a socket was looked at. */
const fileAt = (path: string) => statSync(path, { bigint: true, throwIfNoEntry: false });
