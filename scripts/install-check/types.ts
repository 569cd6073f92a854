// Checked as types.mts and as types.cts: both find the declarations of their kind.
import { CompletionPort, type PortInfo } from '@iocp/core';
import type { Channel, Layer } from '@iocp/core/layer';
import { listen, type TcpConnection } from '@iocp/tcp';
import { assertNoLeaks } from '@iocp/testkit';
import { type TlsFacts, tls, tlsOf } from '@iocp/tls';
import { createServer as createTlsServer, type TLSSocket } from '@iocp/tls/tls';
import { bind, type UdpMessage } from '@iocp/udp';
import { createSocket, type Socket } from '@iocp/udp/dgram';
import type { WebSocketConnection } from '@iocp/websocket';
import WebSocket, { type ClientOptions, WebSocketServer } from '@iocp/websocket/ws';

export const nothing: Layer = { name: 'nothing', wrap: async (lower: Channel) => lower };

export const socket: Socket = createSocket({ type: 'udp6', reuseAddr: true });

export const secured: Layer = tls({ ALPNProtocols: ['http/1.1'], minVersion: 'TLSv1.3' });
// @ts-expect-error: there is no such version.
tls({ minVersion: 'TLSv1.4' });

export const protocolOf = (connection: TcpConnection): string | null => {
  const facts: TlsFacts = tlsOf(connection);
  return facts.protocol;
};

export const tlsServer = createTlsServer({}, (tlsSocket: TLSSocket) => tlsSocket.end());

export const greet = (connection: WebSocketConnection): string => connection.send('hello');

const wsOptions: ClientOptions = { maxPayload: 1000 };
export const wsServer = new WebSocketServer({ port: 0 }).on('connection', (each: WebSocket) => each.ping());
export const wsClient = new WebSocket('ws://localhost', wsOptions);
wsClient.on('message', (data: WebSocket.RawData, binary: boolean) =>
  wsClient.send(data.toString(), { binary }),
);
// @ts-expect-error: a port is a number.
new WebSocketServer({ port: 'http' });

export async function info(): Promise<PortInfo> {
  const completionPort = new CompletionPort();
  const listener = await listen({ host: '127.0.0.1', port: 0, completionPort, layers: [nothing] });
  const accepted: TcpConnection | null = await listener.accept();
  // @ts-expect-error: a number is no bytes.
  await accepted?.send(1);
  await using socket = await bind({ host: '127.0.0.1', completionPort });
  const message: UdpMessage | null = await socket.receive();
  // @ts-expect-error: a number is no bytes.
  socket.send(1, message?.peer);
  await assertNoLeaks(completionPort);
  return completionPort.info;
}
