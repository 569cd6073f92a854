/** Making, resetting and closing the sockets of `node:net`. */

import { fstatSync } from 'node:fs';
import { Socket } from 'node:net';
import type { NativeOpenOptions } from '../../port/binding.js';
import { nativeError, resultOf } from './errors.js';

/** A socket on its way to the remote address. Half-open, paused, and not holding the process. */
export function connectingSocket({ remote, local }: NativeOpenOptions): Socket {
  const socket = new Socket({ allowHalfOpen: true });
  socket.pause();
  if ('path' in remote) socket.connect({ path: remote.path });
  else socket.connect({ ...remote, ...(local && { localAddress: local.host, localPort: local.port }) });
  // Only now: before, there is no handle, and it would be put off until the connection is made.
  return socket.unref();
}

/**
 * Takes over a descriptor.
 * @throws EBADF, ENOTSOCK, EPROTOTYPE when it is no stream socket
 */
export function socketOfDescriptor(fd: number): Socket {
  requireSocket(fd);
  try {
    const socket = new Socket({ fd, allowHalfOpen: true, readable: true, writable: true });
    socket.pause();
    return socket.unref();
  } catch (error) {
    const { code } = error as { code?: string };
    throw nativeError(code === 'ERR_INVALID_FD_TYPE' ? 'EPROTOTYPE' : (code ?? 'EINVAL'), 'open');
  }
}

function requireSocket(fd: number): void {
  let isSocket: boolean;
  try {
    // With `bigint`: without it, Node.js 20 no longer sees through symbolic links in imports afterwards.
    isSocket = fstatSync(fd, { bigint: true }).isSocket();
  } catch (error) {
    throw Object.assign(new Error('fstat'), { errno: -resultOf(error), syscall: 'fstat' });
  }
  if (!isSocket) throw nativeError('ENOTSOCK', 'fstat');
}

/** Closes the descriptor at once and resets the peer, which a Unix socket cannot: there it is the end. */
export function resetSocket(socket: Socket, unix: boolean): void {
  // By itself this waits for everything written; that it was asked for is remembered by destroy.
  if (!unix && !socket.destroyed) socket.resetAndDestroy();
  socket.destroy();
}
