/** What layers above, and applications, can know of TLS below them. */

import { type ChannelInfo, invalidArgumentType, invalidArgumentValue } from '@iocp/core/layer';
import type { TlsFacts } from './engine/facts.js';

declare module '@iocp/core/layer' {
  interface ChannelInfo {
    /** True when TLS protects the bytes. */
    readonly encrypted?: boolean | undefined;
    /** What is known of the TLS connection; every layer above passes it on. */
    readonly tls?: TlsFacts | undefined;
  }
}

/** What the channel below says, and TLS on top of it. */
export function tlsInfo(lower: ChannelInfo, facts: TlsFacts): ChannelInfo {
  const protocols = [...lower.protocols, 'tls'];
  return { ...lower, protocols, encrypted: true, tls: facts };
}

/**
 * What is known of the TLS below a channel or connection: protocol, cipher, certificates, ALPN. It may have other layers on top,
 * and may have closed.
 *
 * Throws `ERR_INVALID_ARG_TYPE` when it is neither channel nor connection, and `ERR_INVALID_ARG_VALUE` when there is no TLS among
 * its layers.
 */
export function tlsOf(channel: { readonly info: ChannelInfo }): TlsFacts {
  const info: ChannelInfo | undefined = channel?.info;
  if (info === undefined) throw invalidArgumentType('channel', 'a channel or a connection', channel);
  if (info.tls !== undefined) return info.tls;
  const protocols = info.protocols.join(', ');
  throw invalidArgumentValue('channel', protocols, 'has no TLS among its protocols: info.protocols');
}
