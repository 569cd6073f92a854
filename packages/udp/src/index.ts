/**
 * UDP in batches on completion input and output.
 * @packageDocumentation
 */

export type { LookupFunction } from '@iocp/core/layer';
export { type BindOptions, bind, bindChannel } from './bind.js';
export { connect, connectChannel, type UdpConnectOptions } from './connect.js';
export { datagramPort } from './datagram-port.js';
export { UdpMessage } from './message.js';
export type { ReceiveInfoOptions, UdpFaceOptions, UdpOptions } from './socket-options.js';
export type { UdpTarget } from './targets.js';
export { UdpChannel, type UdpChannelSettings } from './udp-channel.js';
export type { UdpHandlers } from './udp-handlers.js';
export { type OutgoingMessage, type UdpData, UdpSocket } from './udp-socket.js';
