import { type Channel, type ChannelOptions, channelLimits, type Layer, type Role } from '@iocp/core/layer';
import { type HandshakeOptions, handshake } from '../../src/handshake.js';
import { TlsChannel, type TlsChannelSettings } from '../../src/tls-channel.js';
import { XorEngine, type XorEngineOptions } from './xor-engine.js';

export interface XorOptions
  extends Partial<Pick<XorEngineOptions, 'late' | 'truncation' | 'answer'>>,
    Partial<HandshakeOptions>,
    Partial<Pick<TlsChannelSettings, 'closeTimeoutMs'>> {
  readonly limits?: ChannelOptions;
  /** Gets the engine, to look behind the channel. */
  readonly onEngine?: (engine: XorEngine) => void;
}

/** What `TlsLayer.wrap` does, with the other engine. */
export function xorWrap(lower: Channel, role: Role, options: XorOptions = {}): Promise<TlsChannel> {
  const { late = false, truncation = 'error', closeTimeoutMs = 2000, timeoutMs = 10_000 } = options;
  const settings: TlsChannelSettings = {
    limits: channelLimits(options.limits),
    stepBytesMax: 256 * 1024,
    closeTimeoutMs,
    onSession: undefined,
    onKeylog: undefined,
  };
  const channel = new TlsChannel(lower, settings, (memory, events) => {
    const { answer } = options;
    const engine = new XorEngine({ role, memory, events, late, truncation, ...(answer && { answer }) });
    options.onEngine?.(engine);
    return engine;
  });
  return handshake(channel, { timeoutMs, signal: options.signal, head: options.head });
}

export function xorLayer(options: XorOptions = {}): Layer {
  return {
    name: 'tls',
    async wrap(lower, role, { signal } = {}) {
      if (signal?.aborted === true) {
        lower.abort();
        throw signal.reason;
      }
      return xorWrap(lower, role, { ...options, signal });
    },
  };
}
