import {
  asError,
  type Channel,
  ChannelError,
  type ChannelInfo,
  type Layer,
  onAbort,
  stack,
} from '@iocp/core/layer';
import type { TcpChannel } from './tcp-channel.js';

/** Who is told what came of a handshake. */
export interface HandshakeOwner {
  handshakeDone(tcp: TcpChannel, top: Channel): void;
  /** @param info the connection it was about */
  handshakeFailed(info: ChannelInfo, error: Error): void;
}

/** Puts layers on accepted channels, each within a time. */
export class Handshakes {
  readonly #layers: readonly Layer[];
  readonly #timeoutMs: number;
  readonly #owner: HandshakeOwner;
  readonly #underWay = new Set<AbortController>();

  constructor(layers: readonly Layer[], timeoutMs: number, owner: HandshakeOwner) {
    this.#layers = layers;
    this.#timeoutMs = timeoutMs;
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
    const timer = setTimeout(() => controller.abort(handshakeTimeout(this.#timeoutMs)), this.#timeoutMs);
    timer.unref();
    const result = await this.#wrap(tcp, controller.signal);
    clearTimeout(timer);
    this.#underWay.delete(controller);
    if (!(result instanceof Error)) {
      this.#owner.handshakeDone(tcp, result);
      return;
    }
    // The layers should have done so; those of others may not.
    tcp.abort(result);
    this.#owner.handshakeFailed(info, result);
  }

  /** Never rejects. Does not wait for a layer that does not heed the signal. */
  #wrap(tcp: TcpChannel, signal: AbortSignal): Promise<Channel | Error> {
    return new Promise((resolve) => {
      onAbort(signal, () => resolve(asError(signal.reason)));
      stack(tcp, 'server', this.#layers, { signal }).then(resolve, (error: unknown) =>
        resolve(asError(error)),
      );
    });
  }
}

function handshakeTimeout(timeoutMs: number): ChannelError {
  const message = `The handshake was not finished within ${timeoutMs} ms (handshakeTimeoutMs)`;
  return new ChannelError('ERR_CHANNEL_HANDSHAKE_TIMEOUT', message);
}
