/**
 * TCP and Unix stream sockets on completion input and output.
 * @packageDocumentation
 */

export type { LookupFunction } from '@iocp/core/layer';
export type { AcceptPause } from './accept-loop.js';
export { connect } from './connect.js';
export { ConnectError } from './connect-error.js';
export type { ConnectOptions } from './connect-options.js';
export type { KeepAliveOptions, TcpConnectionOptions } from './connection-options.js';
export { listen } from './listen.js';
export type { ConnectionsPolicy, ListenOptions } from './listen-options.js';
export { TcpChannel, type TcpChannelOwner, type TcpChannelSettings } from './tcp-channel.js';
export { TcpConnection, type TcpHandlers } from './tcp-connection.js';
export type { ListenHandlers } from './tcp-handlers.js';
export { type ListenerCloseOptions, type ListenerStats, TcpListener } from './tcp-listener.js';
export { type TcpAddress, tcpTransport } from './transport.js';
