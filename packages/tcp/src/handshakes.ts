import {
  asError,
  type Channel,
  ChannelError,
  type ChannelInfo,
  invalidArgumentType,
  type Layer,
  onAbort,
  type Role,
  stack,
  validateArray,
  validateInteger,
} from '@iocp/core/layer';
import { durationMsMax } from './connection-options.js';
import type { TcpChannel } from './tcp-channel.js';

/** Options of what is put on top of connections. */
export interface LayerOptions {
  /** Protocols on top of each connection, bottom to top; what is handed out is finished. Default none. */
  readonly layers?: readonly Layer[] | undefined;
  /** Time for the handshakes of all `layers` together, in milliseconds; then the connection is aborted. Default 10000. */
  readonly handshakeTimeoutMs?: number | undefined;
}

/** Checked options with the defaults filled in. */
export interface LayerSettings {
  readonly layers: readonly Layer[];
  readonly handshakeTimeoutMs: number;
}

/** Checks what is put on top of connections. */
export function layerSettings({ layers = [], handshakeTimeoutMs = 10_000 }: LayerOptions): LayerSettings {
  validateArray(layers, 'options.layers');
  layers.forEach((layer, index) => {
    if (typeof layer?.wrap !== 'function')
      throw invalidArgumentType(`options.layers[${index}]`, 'a Layer', layer);
  });
  validateInteger(handshakeTimeoutMs, 'options.handshakeTimeoutMs', 1, durationMsMax);
  return { layers, handshakeTimeoutMs };
}

/**
 * Puts layers on a channel, within their time. When it rejects, with the failure or the reason of `controller`, the channel
 * is aborted. Does not wait for a layer that does not heed the signal.
 */
export async function putOn(
  tcp: TcpChannel,
  role: Role,
  { layers, handshakeTimeoutMs }: LayerSettings,
  controller: AbortController,
): Promise<Channel> {
  const { signal } = controller;
  const timer = setTimeout(() => controller.abort(handshakeTimeout(handshakeTimeoutMs)), handshakeTimeoutMs);
  timer.unref();
  try {
    return await new Promise<Channel>((resolve, reject) => {
      onAbort(signal, () => reject(signal.reason));
      stack(tcp, role, layers, { signal }).then(resolve, reject);
    });
  } catch (error) {
    // The layers should have done so; those of others may not.
    tcp.abort(asError(error));
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** Who is told what came of a handshake. */
export interface HandshakeOwner {
  handshakeDone(tcp: TcpChannel, top: Channel): void;
  /** @param info the connection it was about */
  handshakeFailed(info: ChannelInfo, error: Error): void;
}

/** Puts layers on accepted channels. */
export class Handshakes {
  readonly #settings: LayerSettings;
  readonly #owner: HandshakeOwner;
  readonly #underWay = new Set<AbortController>();

  constructor(settings: LayerSettings, owner: HandshakeOwner) {
    this.#settings = settings;
    this.#owner = owner;
  }

  /** Handshakes under way. */
  get count(): number {
    return this.#underWay.size;
  }

  /** Aborts all that are under way. */
  abort(reason: Error): void {
    for (const controller of this.#underWay) controller.abort(reason);
  }

  async start(tcp: TcpChannel): Promise<void> {
    // Asked for now: the system forgets the peer when a connection fails.
    const { info } = tcp;
    const controller = new AbortController();
    this.#underWay.add(controller);
    const result = await putOn(tcp, 'server', this.#settings, controller).catch(asError);
    this.#underWay.delete(controller);
    if (result instanceof Error) this.#owner.handshakeFailed(info, result);
    else this.#owner.handshakeDone(tcp, result);
  }
}

function handshakeTimeout(timeoutMs: number): ChannelError {
  const message = `The handshake was not finished within ${timeoutMs} ms (handshakeTimeoutMs)`;
  return new ChannelError('ERR_CHANNEL_HANDSHAKE_TIMEOUT', message);
}
