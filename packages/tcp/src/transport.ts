import type { SocketAddress } from '@iocp/core';
import type { Channel, ChannelListener, SignalOptions, Transport } from '@iocp/core/layer';
import { connect } from './connect.js';
import { listen } from './listen.js';

/** Where a transport connects or listens: a host and port, or the path of a Unix socket. */
export type TcpAddress = { readonly host?: string; readonly port: number } | { readonly path: string };

/** TCP and Unix sockets as a `Transport`, for code that does not care what carries its bytes. All other options at their defaults. */
export const tcpTransport: Transport<TcpAddress> = {
  async connect(address: TcpAddress, options?: SignalOptions): Promise<Channel> {
    return (await connect({ ...address, signal: options?.signal })).channel;
  },

  async listen(address: TcpAddress): Promise<ChannelListener<TcpAddress>> {
    const listener = await listen(address);
    return {
      address: () => addressOf(listener.address()),
      accept: async (options) => (await listener.accept(options))?.channel ?? null,
      close: () => listener.close(),
    };
  },
};

function addressOf({ family, address, port }: SocketAddress): TcpAddress {
  return family === 'unix' ? { path: address } : { host: address, port };
}
