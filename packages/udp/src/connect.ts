import { AsyncResource } from 'node:async_hooks';
import { isIP } from 'node:net';
import type { IpEndpoint } from '@iocp/core';
import {
  invalidArgumentValue,
  portOption,
  resolveHost,
  validateHost,
  validateObject,
  validateString,
} from '@iocp/core/layer';
import { connectEvents } from './diagnostics.js';
import { openChannel } from './open-channel.js';
import { type UdpOptions, udpSettings } from './socket-options.js';
import type { UdpChannel } from './udp-channel.js';
import { type UdpHandlers, validateHandlers } from './udp-handlers.js';
import { UdpSocket } from './udp-socket.js';

/** Whom to talk to, and how. */
export interface UdpConnectOptions extends UdpOptions {
  /** Address or name of the peer. Default `'localhost'`. */
  readonly host?: string | undefined;
  /** 1 to 65535. */
  readonly port: number;
  /** Numeric address to send from. Default: the system chooses. */
  readonly localHost?: string | undefined;
  /** Port to send from, 0 to 65535. Default 0: the system chooses. */
  readonly localPort?: number | undefined;
}

/**
 * A UDP socket with one peer: only its datagrams are received, `send` needs no address, and what the network answers
 * (ECONNREFUSED when nobody receives there, …) is told. Nothing is sent by connecting, so that it says nothing of whether
 * the peer is there. Of several addresses of a name the first is taken that the system has a route to.
 *
 * Handlers and rejections as with `bind`; also with ENETUNREACH and EHOSTUNREACH.
 */
export async function connect(options: UdpConnectOptions, handlers?: UdpHandlers): Promise<UdpSocket> {
  if (handlers !== undefined) validateHandlers(handlers, 'handlers');
  const channel = await connectChannel(options);
  const socket = UdpSocket.over(channel, undefined, options);
  if (connectEvents.hasSubscribers) connectEvents.publish({ socket });
  if (handlers !== undefined) socket.handle(handlers);
  return socket;
}

/** As `connect`, for layers: the channel itself, with nobody attached. `lend` and `receiveQueueMax` are of no use here. */
export async function connectChannel(options: UdpConnectOptions): Promise<UdpChannel> {
  validateObject(options, 'options');
  const { host = 'localhost' } = options;
  validateHost(host, 'options.host');
  const port = portOption(options.port, 'options.port', 1);
  const localOf = localEnd(options);
  const settings = udpSettings(options);
  const context = new AsyncResource('IOCP_UDP_SOCKET');
  const { lookup, signal } = settings;
  const family = familyOf(options.localHost ?? '');
  let failure: unknown;
  for (const { address } of await resolveHost({ host, port, family, lookup, signal })) {
    try {
      return await openChannel(
        settings,
        { local: localOf(address), remote: { host: address, port } },
        context,
      );
    } catch (error) {
      signal?.throwIfAborted();
      failure ??= error;
    }
  }
  throw failure;
}

/** Checks where to send from. Returns the local endpoint for a peer's address. */
function localEnd(options: UdpConnectOptions): (remote: string) => IpEndpoint | undefined {
  const { host, localHost, localPort = 0 } = options;
  const port = portOption(localPort, 'options.localPort', 0);
  if (localHost === undefined && port === 0) return () => undefined;
  if (localHost === undefined) return (remote) => ({ host: familyOf(remote) === 6 ? '::' : '0.0.0.0', port });
  validateString(localHost, 'options.localHost');
  const family = familyOf(localHost);
  if (family === 0)
    throw invalidArgumentValue('options.localHost', localHost, 'must be a numeric IP address');
  const remoteFamily = familyOf(host ?? '');
  if (remoteFamily !== 0 && remoteFamily !== family)
    throw invalidArgumentValue('options.localHost', localHost, 'must be of the same family as the peer');
  return () => ({ host: localHost, port });
}

function familyOf(address: string): 0 | 4 | 6 {
  return isIP(address) as 0 | 4 | 6;
}
