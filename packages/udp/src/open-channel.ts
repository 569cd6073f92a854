/** From checked options to an open channel. */

import type { AsyncResource } from 'node:async_hooks';
import type { CompletionHandler, DatagramSocketOptions, Socket } from '@iocp/core';
import type { IoError } from '@iocp/core/layer';
import type { UdpSettings } from './socket-options.js';
import { UdpChannel } from './udp-channel.js';

type Endpoints = Pick<DatagramSocketOptions, 'local' | 'remote'>;

/** Opens a socket at the endpoints. Rejects with the system's error, and with the signal's reason. */
export async function openChannel(
  settings: UdpSettings,
  endpoints: Endpoints,
  context: AsyncResource,
): Promise<UdpChannel> {
  const { port, ipv6Only, reuseAddress, reusePort, socketOptions, signal } = settings;
  signal?.throwIfAborted();
  const socket = await port.openDatagram({
    ...endpoints,
    ipv6Only,
    reuseAddress,
    reusePort,
    options: socketOptions,
  });
  try {
    signal?.throwIfAborted();
    const receiveOffload = settings.receiveOffload && joinsArriving(socket);
    return new UdpChannel(socket, { ...settings, receiveOffload }, context);
  } catch (error) {
    if (!port.closed) port.submitClose(socket, ignoreCompletion);
    throw error;
  }
}

/** Tells the system to join what arrives; false where it cannot. */
function joinsArriving(socket: Socket): boolean {
  try {
    socket.setOption('receiveSegments', true);
    return true;
  } catch (error) {
    if ((error as IoError).code !== 'ENOPROTOOPT') throw error;
    return false;
  }
}

const ignoreCompletion: CompletionHandler = { asyncResource: null, onCompletion() {} };
