import {
  asError,
  type Channel,
  type ChannelOptions,
  channelLimits,
  type Layer,
  type Role,
  signalOf,
  validateBoolean,
  validateInteger,
  validateObject,
  validateOneOf,
  validateString,
  type WrapOptions,
} from '@iocp/core/layer';
import { withinTime } from '../client/deadline.js';
import { type Opened, shakeHands } from '../client/shake-hands.js';
import { targetOf } from '../client/target.js';
import { ClientHandshake, type ClientHandshakeSettings } from '../handshake/client-handshake.js';
import { headerFields, originField, type RequestHeaders } from '../handshake/request-head.js';
import { validateProtocols } from '../handshake/subprotocols.js';
import {
  type HandshakeOptions,
  type HandshakeSettings,
  handshakeSettings,
} from '../server/handshake-options.js';
import { upgradeOver } from '../server/upgrade-over.js';
import { ByteChannel, type ByteChannelSettings } from './byte-channel.js';

/** The subprotocol of a stream of bytes whose two directions end on their own. */
export const byteStreamProtocol = 'iocp-bytes';

/** What the client of a layer asks for. */
export interface WebSocketLayerRequest {
  /** Host of the field Host, with a port if need be. Default `'localhost'`. */
  readonly host?: string | undefined;
  /** Path and query. Default `'/'`. */
  readonly path?: string | undefined;
  /** Further header fields. Default none. */
  readonly headers?: RequestHeaders | undefined;
  /** The field Origin. Default none. */
  readonly origin?: string | undefined;
}

/** How bytes go over WebSocket. */
export interface WebSocketLayerOptions extends ChannelOptions {
  /**
   * `true` (default): where both sides are of this package, each direction ends on its own. They agree on the subprotocol
   * `iocp-bytes`, which is offered first. `false`: it is not; that is for servers that agree to whatever is offered first without
   * knowing it, as `ws` does. Then, and where the peer does not agree, an end is that of both directions.
   */
  readonly halfClose?: boolean | undefined;
  /** Other subprotocols, best first. Default none. */
  readonly protocols?: readonly string[] | undefined;
  /** Clients: what to ask for. */
  readonly request?: WebSocketLayerRequest | undefined;
  /** Servers: what is served to whom. */
  readonly serve?:
    | Pick<HandshakeOptions, 'paths' | 'origins' | 'verify' | 'headers' | 'headerBytesMax'>
    | undefined;
  /** Longest handshake in milliseconds. Default 10000. */
  readonly handshakeTimeoutMs?: number | undefined;
  /**
   * Once both sides have ended, how long the peer may take to close what is below, in milliseconds; then it is aborted. Default
   * 2000.
   */
  readonly closeTimeoutMs?: number | undefined;
}

const durationMsMax = 2 ** 31 - 1;

/** Streams of bytes over WebSocket, for any number of connections of clients and of servers. Made by `webSocket()`. */
export class WebSocketLayer implements Layer {
  readonly name = 'websocket';
  readonly #channel: ByteChannelSettings;
  readonly #client: ClientHandshakeSettings;
  readonly #server: HandshakeSettings;
  readonly #handshakeTimeoutMs: number;

  /** @internal */
  constructor(options: WebSocketLayerOptions) {
    validateObject(options, 'options');
    const { halfClose = true, protocols = [], request = {}, serve = {} } = options;
    const { handshakeTimeoutMs = 10_000, closeTimeoutMs = 2000 } = options;
    validateBoolean(halfClose, 'options.halfClose');
    validateProtocols(protocols);
    const all = halfClose ? [byteStreamProtocol, ...protocols] : protocols;
    validateProtocols(all);
    validateObject(serve, 'options.serve');
    validateInteger(handshakeTimeoutMs, 'options.handshakeTimeoutMs', 1, durationMsMax);
    validateInteger(closeTimeoutMs, 'options.closeTimeoutMs', 0, durationMsMax);
    this.#channel = { limits: channelLimits(options), closeTimeoutMs };
    this.#client = clientSettings(request, all);
    this.#server = handshakeSettings({ ...serve, protocols: all, handshakeTimeoutMs });
    this.#handshakeTimeoutMs = handshakeTimeoutMs;
  }

  /**
   * Does the handshake over `lower`, which belongs to the layer from here on.
   *
   * Rejects as `connect` and the server's handshake do: `ERR_WS_HANDSHAKE`, `ERR_CHANNEL_HANDSHAKE_TIMEOUT`, the error that closed
   * `lower`, the reason of `signal`. The channel later fails with `ERR_WS_TRUNCATED` when the stream below ends without a close
   * frame, with `ERR_WS_CLOSED` when the peer closes with a code that is not of an orderly end or before it was sent everything,
   * and with other `ERR_WS_*` when it breaks the protocol.
   */
  async wrap(lower: Channel, role: Role, options?: WrapOptions): Promise<ByteChannel> {
    try {
      validateOneOf(role, 'role', ['client', 'server'] as const);
      const signal = signalOf(options);
      signal?.throwIfAborted();
      return role === 'client' ? await this.#ask(lower, signal) : await this.#answer(lower, signal);
    } catch (error) {
      lower.abort(asError(error));
      throw error;
    }
  }

  async #ask(lower: Channel, signal: AbortSignal | undefined): Promise<ByteChannel> {
    const handshake = new ClientHandshake(this.#client);
    const outcome = await withinTime(this.#handshakeTimeoutMs, signal, (either) =>
      shakeHands(lower, handshake, either),
    );
    // It follows no redirects: there is but one outcome.
    const { upgraded, head } = outcome as Opened;
    return this.#open('client', lower, head, upgraded.protocol);
  }

  async #answer(channel: Channel, signal: AbortSignal | undefined): Promise<ByteChannel> {
    const { lower, head, protocol } = await upgradeOver(channel, this.#server, { signal });
    return this.#open('server', lower, head, protocol);
  }

  #open(role: Role, lower: Channel, head: readonly Uint8Array[], protocol: string): ByteChannel {
    const halfClose = protocol === byteStreamProtocol;
    return new ByteChannel({ role, lower, head, halfClose, settings: this.#channel });
  }
}

function clientSettings(
  request: WebSocketLayerRequest,
  protocols: readonly string[],
): ClientHandshakeSettings {
  validateObject(request, 'options.request');
  const { host = 'localhost', path = '/', headers, origin } = request;
  validateString(host, 'options.request.host');
  validateString(path, 'options.request.path');
  const target = targetOf(`ws://${host}${path}`, 'options.request');
  return {
    host: target.authority,
    target: target.path,
    headers: [
      ...originField(origin, 'options.request.origin'),
      ...headerFields(headers, 'options.request.headers'),
    ],
    protocols,
    protocolRequired: false,
    deflate: null,
    followsRedirects: false,
  };
}

/**
 * A stream of bytes over WebSocket, as a layer over any channel of bytes: for `layers` of a listener or of `connect`, or for
 * `stack()`. What is written goes out in binary messages, and what comes in them is received. Messages for an application are the
 * business of `connect` and `listen`.
 *
 * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_INVALID_URL`
 */
export function webSocket(options: WebSocketLayerOptions = {}): WebSocketLayer {
  return new WebSocketLayer(options);
}
