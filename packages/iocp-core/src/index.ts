/**
 * Completion-based input and output: one port per thread, whose operations are submitted and completed through shared
 * memory. Protocols for applications are in packages of their own, made with what is exported here.
 * @packageDocumentation
 */

export { IoError, type IoErrorDetails } from './layer/errors.js';
export type { BackendChoice, FaultOptions, RejectedBackend } from './port/binding.js';
export type { BufferPool, SlotCounts, SlotHolder } from './port/buffer-pool.js';
export type { CompletionHandler, TurnTask } from './port/completion-handler.js';
export { CompletionPort } from './port/completion-port.js';
export { DatagramList } from './port/datagram-list.js';
export { defaultPort } from './port/default-port.js';
export { type ErrorTarget, ioError } from './port/io-error.js';
export type { MembershipChange } from './port/membership.js';
export type { PortInfo, PortStats } from './port/port-info.js';
export type { PoolOptions, PortOptions } from './port/port-options.js';
export { type PortPoster, type PostHandle, postTo } from './port/poster.js';
export { SegmentList, type SegmentMemory } from './port/segment-list.js';
export type { Socket, SocketAddress } from './port/socket.js';
export type {
  DatagramSocketOptions,
  IpEndpoint,
  SocketListenOptions,
  SocketOpenOptions,
  UnixEndpoint,
} from './port/socket-addresses.js';
export {
  type SocketOptionName,
  type SocketOptions,
  validateSocketOptions,
} from './port/socket-options.js';
export type { Token } from './port/token-table.js';
export type { WriteArena } from './port/write-arena.js';
export {
  CompleteFlag,
  IncomingFlag,
  IncomingWord,
  Limit,
  Operation,
  OutgoingFlag,
  OutgoingWord,
  ShutdownDirection,
} from './protocol.gen.js';
