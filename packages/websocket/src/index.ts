/**
 * WebSocket (RFC 6455, RFC 7692): servers and clients over TCP, TLS, or any channel of bytes.
 * @packageDocumentation
 */

export type { BackoffOptions } from './client/backoff.js';
export { connect } from './client/connect.js';
export type { ConnectOptions, SuppliedChannel } from './client/connect-options.js';
export { type MessageStreams, webSocketStreams } from './client/message-streams.js';
export {
  type ReconnectingHandlers,
  ReconnectingWebSocket,
  type ReconnectOptions,
  reconnecting,
} from './client/reconnecting.js';
export type { Target } from './client/target.js';
export { type BinaryType, WebSocket, type WebSocketData } from './client/web-socket.js';
export { CloseEvent, ErrorEvent, type WebSocketEventMap } from './client/web-socket-events.js';
export {
  type WebSocketCloseInfo,
  type WebSocketOpenInfo,
  WebSocketStream,
} from './client/web-socket-stream.js';
export { CloseCode } from './codec/frame.js';
export type { WebSocketHandlers } from './connection/handlers-face.js';
export type { HeartbeatOptions } from './connection/heartbeat.js';
export type { CloseFacts } from './connection/link.js';
export type { Message } from './connection/message-reader.js';
export { MessageWriter } from './connection/message-writer.js';
export type { SendStatus } from './connection/sender.js';
export {
  ConnectionSettings,
  connectionSettings,
  type SlowConsumerPolicy,
  type WebSocketOptions,
} from './connection/settings.js';
export type { TopicMembership } from './connection/topic-membership.js';
export {
  type ConnectionSetup,
  openConnection,
  WebSocketConnection,
} from './connection/websocket-connection.js';
export type { DeflateAgreement } from './deflate/negotiation.js';
export type { DeflateOptions } from './deflate/settings.js';
export { WebSocketError, type WebSocketErrorCode } from './errors.js';
export { HandshakeError } from './handshake/handshake-error.js';
export type { RequestHeaders } from './handshake/request-head.js';
export type { ResponseHead, ResponseHeaders } from './handshake/response-head.js';
export type { ByteChannel } from './layer/byte-channel.js';
export {
  byteStreamProtocol,
  WebSocketLayer,
  type WebSocketLayerOptions,
  type WebSocketLayerRequest,
  webSocket,
} from './layer/layer.js';
export { PreparedMessage, type PrepareOptions, prepare, type Sendable } from './prepared.js';
export { createWebSocketServer } from './server/create.js';
export type {
  HandshakeOptions,
  PathFilter,
  Verdict,
  VerifyAcceptance,
  VerifyContext,
  VerifyRefusal,
} from './server/handshake-options.js';
export { listen, type WebSocketListenOptions } from './server/listen.js';
export type { WebSocketServerHandlers, WebSocketServerOptions } from './server/server-options.js';
export type {
  AttachOptions,
  BroadcastOptions,
  WebSocketServer,
  WebSocketServerCloseOptions,
  WebSocketServerStats,
} from './server/websocket-server.js';
