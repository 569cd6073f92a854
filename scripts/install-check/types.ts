// Checked as types.mts and as types.cts: both find the declarations of their kind.
import { CompletionPort, type PortInfo } from '@iocp/core';
import type { Channel, Layer } from '@iocp/core/layer';
import { listen, type TcpConnection } from '@iocp/tcp';
import { assertNoLeaks } from '@iocp/testkit';
import { bind, type UdpMessage } from '@iocp/udp';
import { createSocket, type Socket } from '@iocp/udp/dgram';

export const nothing: Layer = { name: 'nothing', wrap: async (lower: Channel) => lower };

export const socket: Socket = createSocket({ type: 'udp6', reuseAddr: true });

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
