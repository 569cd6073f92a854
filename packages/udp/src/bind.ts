import { AsyncResource } from 'node:async_hooks';
import { portOption, resolveHost, validateHost, validateObject } from '@iocp/core/layer';
import { bindEvents } from './diagnostics.js';
import { openChannel } from './open-channel.js';
import { type UdpOptions, type UdpSettings, udpSettings } from './socket-options.js';
import type { UdpChannel } from './udp-channel.js';
import { type UdpHandlers, validateHandlers } from './udp-handlers.js';
import { UdpSocket } from './udp-socket.js';

/** Where to receive, and how. */
export interface BindOptions extends UdpOptions {
  /**
   * Address to receive at; a name is resolved and its first address taken. Default `'::'`, which takes IPv4 as well (dual
   * stack), or `'0.0.0.0'` where the system has no IPv6.
   */
  readonly host?: string | undefined;
  /** 0 to 65535; 0 (the default) lets the system choose: `socket.address()` says which. */
  readonly port?: number | undefined;
}

/**
 * A UDP socket that receives at an address, from anybody, and sends to anybody.
 *
 * With `handlers` datagrams are handed to them in batches; without, they wait in the system for `receive()` or for iteration
 * over the socket. Handlers run in the async context (`AsyncLocalStorage`) of this call.
 *
 * Rejects with Node's codes for bad arguments before anything else is done: `ERR_INVALID_ARG_TYPE`,
 * `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_SOCKET_BAD_PORT`; with an `IoError` that carries the system's code,
 * `syscall`, `address` and `port`: EADDRINUSE, EACCES (ports below 1024 need privileges on Linux), EADDRNOTAVAIL, ENOTFOUND,
 * ENOPROTOOPT for an option that the system or the backend does not have; with `signal.reason`; and with
 * `ERR_IOCP_NO_BACKEND` where no completion port can be opened.
 */
export async function bind(options: BindOptions = {}, handlers?: UdpHandlers): Promise<UdpSocket> {
  if (handlers !== undefined) validateHandlers(handlers, 'handlers');
  const channel = await bindChannel(options);
  const socket = UdpSocket.over(channel, undefined, options);
  if (bindEvents.hasSubscribers) bindEvents.publish({ socket });
  if (handlers !== undefined) socket.handle(handlers);
  return socket;
}

/** As `bind`, for layers: the channel itself, with nobody attached. `lend` and `receiveQueueMax` are of no use here. */
export async function bindChannel(options: BindOptions = {}): Promise<UdpChannel> {
  validateObject(options, 'options');
  const { host, port: wanted = 0 } = options;
  if (host !== undefined) validateHost(host, 'options.host');
  const port = portOption(wanted, 'options.port', 0);
  const settings = udpSettings(options);
  const context = new AsyncResource('IOCP_UDP_SOCKET');
  const local = { host: host && (await numericHost(host, port, settings)), port };
  return openChannel(settings, { local }, context);
}

async function numericHost(host: string, port: number, settings: UdpSettings): Promise<string | undefined> {
  const { ipv6Only, lookup, signal } = settings;
  const [first] = await resolveHost({ host, port, family: ipv6Only ? 6 : 0, lookup, signal });
  return first?.address;
}
