/**
 * The contract between layers, and everything that needs only the contract: no native code is loaded from here.
 * @packageDocumentation
 */

export { AcceptQueue } from './accept-queue.js';
export { BaseChannel } from './base-channel.js';
export type {
  Channel,
  ChannelInfo,
  ChannelListener,
  Layer,
  Receiver,
  Role,
  Transport,
  WrapOptions,
  WriteCallback,
} from './channel.js';
export { ChannelDuplex, type ReleasedChannel, type ToDuplexOptions } from './channel-duplex.js';
export { ChannelLimits, type ChannelOptions, channelLimits, type OverflowPolicy } from './channel-limits.js';
export { Connection, type Writable } from './connection.js';
export { type ConnectionOptions, ConnectionSettings, connectionSettings } from './connection-settings.js';
export { DatagramAddress } from './datagram-address.js';
export type {
  Datagram,
  DatagramBatch,
  DatagramChannel,
  DatagramInfo,
  DatagramOverflowPolicy,
  DatagramQueueOptions,
  DatagramReceiver,
  DatagramSendOptions,
  DatagramStats,
} from './datagram-channel.js';
export { ChannelError, type ChannelErrorCode, IoError, type IoErrorDetails } from './errors.js';
export { fromDuplex } from './from-duplex.js';
export type { Handlers } from './handlers-face.js';
export {
  type HostAddress,
  type LookupFunction,
  type LookupRequest,
  portOption,
  resolveHost,
  systemLookup,
  validateHost,
} from './host-names.js';
export { type Lease, type LeaseOwner, lease, leaseOwnerOf, ownCopy, registerLeaseOwner } from './lease.js';
export { copyToArena, ownBytes } from './owned-bytes.js';
export { asError, onAbort, type SignalOptions, signalOf } from './signal.js';
export { stack } from './stack.js';
export { flushSoon, throwLater } from './turn.js';
export {
  invalidArgumentType,
  invalidArgumentValue,
  outOfRange,
  validateArray,
  validateBoolean,
  validateBytes,
  validateFunction,
  validateInteger,
  validateObject,
  validateOneOf,
  validatePort,
  validateSignal,
  validateString,
} from './validate.js';
export type { WebStreams } from './web-streams.js';
export type { WriteMemory } from './write-memory.js';
