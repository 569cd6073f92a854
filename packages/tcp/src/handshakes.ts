import {
  asError,
  type Channel,
  ChannelError,
  type ChannelInfo,
  invalidArgumentType,
  type Layer,
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
 * Layers that are being put on a channel, within their time. To end it the channel is aborted, which every layer hears of, and
 * nobody waits for one that does not heed it.
 */
export class Handshake {
  /** What the last layer gave. Rejects with the failure, or with the reason of `giveUp`; then the channel below is aborted. */
  readonly top: Promise<Channel>;
  readonly #tcp: TcpChannel;
  readonly #reject: (reason: unknown) => void;
  readonly #timer: NodeJS.Timeout;
  #over = false;

  /** @param signal passed on to the layers */
  constructor(tcp: TcpChannel, role: Role, settings: LayerSettings, signal?: AbortSignal) {
    const { layers, handshakeTimeoutMs } = settings;
    let resolve: (top: Channel) => void = nothing;
    let reject: (reason: unknown) => void = nothing;
    this.top = new Promise<Channel>((resolveTop, rejectTop) => {
      resolve = resolveTop;
      reject = rejectTop;
    });
    this.#tcp = tcp;
    this.#reject = reject;
    this.#timer = setTimeout(() => this.giveUp(handshakeTimeout(handshakeTimeoutMs)), handshakeTimeoutMs);
    this.#timer.unref();
    stack(tcp, role, layers, signal && { signal }).then(
      (top) => {
        // It was given up, and a layer below has not noticed.
        if (this.#over) return top.abort();
        this.#end();
        resolve(top);
      },
      // The layers should have aborted the channel; those of others may not have.
      (error) => this.giveUp(error),
    );
  }

  /** Without effect once it is done. */
  giveUp(reason: unknown): void {
    if (this.#over) return;
    this.#end();
    this.#tcp.abort(asError(reason));
    this.#reject(reason);
  }

  #end(): void {
    this.#over = true;
    clearTimeout(this.#timer);
  }
}

/** Who is told what came of a handshake. */
export interface HandshakeOwner {
  /** Somebody listens to what is said of failures. */
  readonly tellsOfFailures: boolean;
  handshakeDone(tcp: TcpChannel, top: Channel): void;
  /** @param info the connection it was about */
  handshakeFailed(info: ChannelInfo, error: Error): void;
}

/** Puts layers on accepted channels. */
export class Handshakes {
  readonly #settings: LayerSettings;
  readonly #owner: HandshakeOwner;
  readonly #underWay = new Set<Handshake>();

  constructor(settings: LayerSettings, owner: HandshakeOwner) {
    this.#settings = settings;
    this.#owner = owner;
  }

  /** Handshakes under way. */
  get count(): number {
    return this.#underWay.size;
  }

  /** Gives up all that are under way. */
  abort(reason: Error): void {
    for (const handshake of this.#underWay) handshake.giveUp(reason);
  }

  async start(tcp: TcpChannel): Promise<void> {
    // Asked for now, since the system forgets the peer when a connection fails; and not for nothing: it takes system calls.
    const info = this.#owner.tellsOfFailures ? tcp.info : undefined;
    const handshake = new Handshake(tcp, 'server', this.#settings);
    this.#underWay.add(handshake);
    const result = await handshake.top.catch(asError);
    this.#underWay.delete(handshake);
    if (result instanceof Error) this.#owner.handshakeFailed(info ?? tcp.info, result);
    else this.#owner.handshakeDone(tcp, result);
  }
}

function nothing(): void {}

function handshakeTimeout(timeoutMs: number): ChannelError {
  const message = `The handshake was not finished within ${timeoutMs} ms (handshakeTimeoutMs)`;
  return new ChannelError('ERR_CHANNEL_HANDSHAKE_TIMEOUT', message);
}
