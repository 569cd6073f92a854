/** Options of every socket, bound or connected, and their checks. */

import { type CompletionPort, type SocketOptions, validateSocketOptions } from '@iocp/core';
import {
  type DatagramQueueOptions,
  invalidArgumentType,
  invalidArgumentValue,
  type LookupFunction,
  systemLookup,
  validateBoolean,
  validateFunction,
  validateInteger,
  validateObject,
  validateSignal,
} from '@iocp/core/layer';
import { datagramPort } from './datagram-port.js';
import { type QueueLimits, queueLimits } from './queue-limits.js';

/** What the system is to tell of each datagram received. Default: nothing but the sender. Not on the backend `node`. */
export interface ReceiveInfoOptions {
  /** `localAddress` and `interfaceIndex` of datagrams (`IP_PKTINFO`, `IPV6_RECVPKTINFO`). */
  readonly destination?: boolean | undefined;
  /** `tos` of datagrams, with ECN in its two lowest bits (`IP_RECVTOS`, `IPV6_RECVTCLASS`). */
  readonly tos?: boolean | undefined;
  /** `ttl` of datagrams (`IP_RECVTTL`, `IPV6_RECVHOPLIMIT`). */
  readonly ttl?: boolean | undefined;
}

/** How people consume a socket. */
export interface UdpFaceOptions {
  /**
   * `true`: `messages` handlers get the receive memory itself, valid until the loop over the batch goes on. Default
   * `false`: bytes of their own, which may be kept.
   */
  readonly lend?: boolean | undefined;
  /**
   * Datagrams that may wait for `receive()` or an iteration: with more, receiving pauses until half of them are taken, and
   * the system drops what it has no room for. 1 to 1048576, default 1024.
   */
  readonly receiveQueueMax?: number | undefined;
  /** Finds the addresses of a name, called as `dns.lookup` is, which is the default. Not called for numeric addresses. */
  readonly lookup?: LookupFunction | undefined;
}

/** What `bind` and `connect` know about each socket. What is left out keeps the system's value. */
export interface UdpOptions extends DatagramQueueOptions, UdpFaceOptions {
  /** Takes IPv6 only, no IPv4 through the same socket (`IPV6_V6ONLY`). Default false. */
  readonly ipv6Only?: boolean | undefined;
  /** Others that ask for it, too, may bind the same address and port (`SO_REUSEADDR`): for multicast. Default false. */
  readonly reuseAddress?: boolean | undefined;
  /** Several sockets share a port, and the system spreads the senders over them (`SO_REUSEPORT`, Linux). Default false. */
  readonly reusePort?: boolean | undefined;
  /** Allows broadcast addresses (`SO_BROADCAST`). Default false. */
  readonly broadcast?: boolean | undefined;
  /** Size of the system's receive buffer in bytes (`SO_RCVBUF`): what arrives while it is full is dropped. */
  readonly receiveBuffer?: number | undefined;
  /** Size of the system's send buffer in bytes (`SO_SNDBUF`). */
  readonly sendBuffer?: number | undefined;
  /** Type of service or traffic class of what is sent, 0 to 255. */
  readonly tos?: number | undefined;
  /** Time to live or hop limit of what is sent, 1 to 255. */
  readonly ttl?: number | undefined;
  /** Time to live of multicasts, 0 to 255. The system's value is 1: they stay in the local network. */
  readonly multicastTtl?: number | undefined;
  /** Members on this machine get the multicasts of this socket, too; on Windows the receiver's option counts. */
  readonly multicastLoop?: boolean | undefined;
  /** Interface that multicasts leave through: its name, its index as text, or one of its addresses. */
  readonly multicastInterface?: string | undefined;
  readonly receiveInfo?: ReceiveInfoOptions | undefined;
  /**
   * Tells every answer of the network (ICMP: unreachable, too long, …) with the address it is about, also on a socket that
   * is not connected (`IP_RECVERR`, `IPV6_RECVERR`). Windows: without the address, and only that nobody has a port or that a
   * time to live ran out (`SIO_UDP_CONNRESET`, `SIO_UDP_NETRESET`). ENOPROTOOPT on the backend `node`. Default false.
   */
  readonly icmpErrors?: boolean | undefined;
  /**
   * Runs of datagrams of one size to one peer are handed to the system as one, which it cuts (GSO, `UDP_SEGMENT`). Where the
   * system refuses, they go one by one, and it stays off: `socket.offload` tells. Default true on Linux, except on the
   * backend `node`.
   */
  readonly offload?: boolean | undefined;
  /**
   * Lets the system join datagrams of one size from one sender as they arrive (GRO, `UDP_GRO`, Linux); each is delivered by
   * itself all the same. Where the system cannot it stays off: `socket.receiveOffload` tells. Default false.
   */
  readonly receiveOffload?: boolean | undefined;
  /** More socket options by name, set before the socket is bound; those above win. Default none. */
  readonly socketOptions?: SocketOptions | undefined;
  /** The port whose thread serves the socket. Default: `datagramPort()`, whose slots hold every datagram whole. */
  readonly completionPort?: CompletionPort | undefined;
  /** Gives up: the promise rejects with `signal.reason`, and nothing is left open. No effect on an open socket. */
  readonly signal?: AbortSignal | undefined;
}

/** Checked `UdpFaceOptions` with the defaults filled in. */
export interface UdpFaceSettings {
  readonly lend: boolean;
  readonly receiveQueueMax: number;
  readonly lookup: LookupFunction;
}

/** Checked options with the defaults filled in. */
export interface UdpSettings {
  readonly port: CompletionPort;
  readonly queue: QueueLimits;
  readonly lookup: LookupFunction;
  readonly ipv6Only: boolean;
  readonly reuseAddress: boolean;
  readonly reusePort: boolean;
  /** The socket keeps what the network answers, for `takeDatagramError`. */
  readonly keepsAnswers: boolean;
  readonly offload: boolean;
  readonly receiveOffload: boolean;
  /** Set before `bind`. */
  readonly socketOptions: SocketOptions;
  readonly signal: AbortSignal | undefined;
}

/** The largest that the system joins, and the header before it. */
const joinedSlotBytesMin = 65_535 + 256;

/** Checks the options of a face. */
export function faceSettings(options: UdpFaceOptions): UdpFaceSettings {
  const { lend = false, receiveQueueMax = 1024, lookup = systemLookup } = options;
  validateBoolean(lend, 'options.lend');
  validateInteger(receiveQueueMax, 'options.receiveQueueMax', 1, 1024 * 1024);
  validateFunction(lookup, 'options.lookup');
  return { lend, receiveQueueMax, lookup };
}

/** Checks the options that `bind` and `connect` share. */
export function udpSettings(options: UdpOptions): UdpSettings {
  const { ipv6Only = false, reuseAddress = false, reusePort = false } = options;
  const { icmpErrors = false, receiveOffload = false, signal } = options;
  validateBoolean(ipv6Only, 'options.ipv6Only');
  validateBoolean(reuseAddress, 'options.reuseAddress');
  validateBoolean(reusePort, 'options.reusePort');
  validateBoolean(icmpErrors, 'options.icmpErrors');
  validateBoolean(receiveOffload, 'options.receiveOffload');
  if (options.offload !== undefined) validateBoolean(options.offload, 'options.offload');
  if (signal !== undefined) validateSignal(signal, 'options.signal');
  const checked = {
    queue: queueLimits(options),
    lookup: faceSettings(options).lookup,
    socketOptions: nativeOptions(options, icmpErrors),
  };
  // Last: it may open the default port.
  const port = chosenPort(options.completionPort);
  if (receiveOffload && port.pool.slotBytes < joinedSlotBytesMin) {
    throw invalidArgumentValue(
      'options.receiveOffload',
      receiveOffload,
      `needs a completion port whose pool has slots of at least ${joinedSlotBytesMin} bytes (pool.slotBytes: 131072)`,
    );
  }
  const { offload = process.platform === 'linux' && port.info.backend !== 'node' } = options;
  return {
    ...checked,
    port,
    ipv6Only,
    reuseAddress,
    reusePort,
    // On Windows a receive ends with the answer, and that is all there is of it.
    keepsAnswers: icmpErrors && process.platform === 'linux',
    offload,
    receiveOffload,
    signal,
  };
}

function nativeOptions(options: UdpOptions, icmpErrors: boolean): SocketOptions {
  const { socketOptions = {}, receiveInfo = {} } = options;
  const { broadcast, receiveBuffer, sendBuffer, tos, ttl } = options;
  const { multicastTtl, multicastLoop, multicastInterface } = options;
  validateObject(receiveInfo, 'options.receiveInfo');
  const { destination = false, tos: tosWanted = false, ttl: ttlWanted = false } = receiveInfo;
  validateBoolean(destination, 'options.receiveInfo.destination');
  validateBoolean(tosWanted, 'options.receiveInfo.tos');
  validateBoolean(ttlWanted, 'options.receiveInfo.ttl');
  validateSocketOptions(socketOptions, 'options.socketOptions');
  const own = {
    ...(broadcast !== undefined && { broadcast }),
    ...(receiveBuffer !== undefined && { receiveBuffer }),
    ...(sendBuffer !== undefined && { sendBuffer }),
    ...(tos !== undefined && { tos }),
    ...(ttl !== undefined && { ttl }),
    ...(multicastTtl !== undefined && { multicastTtl }),
    ...(multicastLoop !== undefined && { multicastLoop }),
    ...(multicastInterface !== undefined && { multicastInterface }),
  };
  validateSocketOptions(own, 'options');
  return {
    ...socketOptions,
    ...own,
    ...(destination && { receiveDestination: true }),
    ...(tosWanted && { receiveTos: true }),
    ...(ttlWanted && { receiveTtl: true }),
    ...(icmpErrors && { receiveErrors: true }),
  };
}

function chosenPort(port: CompletionPort | undefined): CompletionPort {
  if (port === undefined) return datagramPort();
  // Not instanceof: the port may come from the other module format of the package.
  if (typeof port !== 'object' || port === null || typeof port.submitRecvFrom !== 'function') {
    throw invalidArgumentType('options.completionPort', 'an instance of CompletionPort', port);
  }
  return port;
}
