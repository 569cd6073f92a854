/** Options of every connection and their checks. */

import { validateBoolean, validateInteger, validateObject, validateOneOf } from '@iocp/core/layer';
import type { DecoderSettings } from '../codec/decoder.js';
import { DecoderStock } from '../codec/decoder-stock.js';
import { payloadBytesMaxDefault } from '../codec/frame.js';
import type { DeflateOptions, DeflateSettings } from '../deflate/settings.js';
import { deflateSettings } from '../deflate/settings.js';
import { Heartbeat, type HeartbeatOptions } from './heartbeat.js';

/** What happens to a message that would exceed `bufferedBytesMax`. */
export type SlowConsumerPolicy = 'close' | 'skip' | 'block';

/** Limits and habits of a connection. */
export interface WebSocketOptions {
  /**
   * Longest message taken, in bytes, inclusive, all its fragments together, and after decompression. Longer ones are answered
   * with close code 1009. Default 16777216 (16 MiB).
   */
  readonly payloadBytesMax?: number | undefined;
  /**
   * Hard cap of what waits to be sent, in bytes, frame headers included. One message to an empty queue is taken whatever its
   * size. Default 16777216 (16 MiB); the channel below has a cap of its own, of 16 MiB by default.
   */
  readonly bufferedBytesMax?: number | undefined;
  /**
   * What to do with a peer that reads too slowly, once `bufferedBytesMax` would be exceeded. `'close'` (default): the connection
   * is reset, with `ERR_WS_SLOW_CONSUMER`; nothing more is sent. `'skip'`: the message is refused, and later ones are taken again
   * when there is room. `'block'`: as `'skip'`; besides, nothing is read from a peer while `send` says `'full'`, so that one that
   * asks without reading the answers is stopped by its own backpressure.
   */
  readonly slowConsumer?: SlowConsumerPolicy | undefined;
  /** Longest wait for the peer's part of the close, in milliseconds; then the connection is reset. Default 5000. */
  readonly closeTimeoutMs?: number | undefined;
  /** Pings for peers that are silent. Servers: every 30 s, with 30 s to answer. Clients: `false`, none. */
  readonly heartbeat?: HeartbeatOptions | boolean | undefined;
  /** permessage-deflate (RFC 7692). Default `false`: it costs much memory and time. `true`: with its defaults. */
  readonly deflate?: DeflateOptions | boolean | undefined;
  /**
   * `true`: handlers get received bytes where they lie, valid until they return. Default `false`: bytes of their own, which
   * may be kept.
   */
  readonly lend?: boolean | undefined;
  /** Bytes of messages that wait for iteration before the peer feels backpressure. Default 65536 (64 KiB). */
  readonly readableHighWaterMark?: number | undefined;
}

const durationMsMax = 2 ** 31 - 1;

/** Checked `WebSocketOptions` with the defaults filled in. One object serves any number of connections. */
export class ConnectionSettings {
  readonly payloadBytesMax: number;
  readonly bufferedBytesMax: number;
  readonly slowConsumer: SlowConsumerPolicy;
  readonly closeTimeoutMs: number;
  readonly heartbeat: Heartbeat | null;
  readonly deflate: DeflateSettings | null;
  readonly lend: boolean;
  readonly readableHighWaterMark: number;
  readonly #decoders: { readonly settings: DecoderSettings; readonly stock: DecoderStock }[] = [];

  constructor(options: WebSocketOptions, role: 'client' | 'server') {
    validateObject(options, 'options');
    const { payloadBytesMax = payloadBytesMaxDefault, bufferedBytesMax = 16 * 1024 * 1024 } = options;
    const { slowConsumer = 'close', closeTimeoutMs = 5000, heartbeat = role === 'server' } = options;
    const { lend = false, readableHighWaterMark = 64 * 1024 } = options;
    validateInteger(payloadBytesMax, 'options.payloadBytesMax', 0, Number.MAX_SAFE_INTEGER);
    validateInteger(bufferedBytesMax, 'options.bufferedBytesMax', 1, 0x7fffffff);
    validateOneOf(slowConsumer, 'options.slowConsumer', ['close', 'skip', 'block'] as const);
    validateInteger(closeTimeoutMs, 'options.closeTimeoutMs', 1, durationMsMax);
    validateBoolean(lend, 'options.lend');
    validateInteger(readableHighWaterMark, 'options.readableHighWaterMark', 1);
    this.payloadBytesMax = payloadBytesMax;
    this.bufferedBytesMax = bufferedBytesMax;
    this.slowConsumer = slowConsumer;
    this.closeTimeoutMs = closeTimeoutMs;
    this.heartbeat = heartbeatOf(heartbeat);
    this.deflate = deflateSettings(options.deflate);
    this.lend = lend;
    this.readableHighWaterMark = readableHighWaterMark;
  }

  /** @internal What connections that differ in none of these share. There are few: one for each port and kind of handlers. */
  decoderStock(given: Omit<DecoderSettings, 'payloadBytesMax'>): DecoderStock {
    const { role, parts, deflate, memory } = given;
    const known = this.#decoders.find(
      ({ settings }) =>
        settings.role === role &&
        settings.parts === parts &&
        settings.deflate === deflate &&
        settings.memory === memory,
    );
    if (known !== undefined) return known.stock;
    const settings = { ...given, payloadBytesMax: this.payloadBytesMax };
    const stock = new DecoderStock(settings);
    this.#decoders.push({ settings, stock });
    return stock;
  }
}

function heartbeatOf(option: HeartbeatOptions | boolean): Heartbeat | null {
  if (typeof option === 'boolean') return option ? new Heartbeat({}) : null;
  validateObject(option, 'options.heartbeat');
  return new Heartbeat(option);
}

/**
 * Checks `options` once, for many connections. Throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE` or `ERR_OUT_OF_RANGE`.
 * Already checked settings pass through.
 */
export function connectionSettings(
  options: WebSocketOptions | ConnectionSettings = {},
  role: 'client' | 'server' = 'server',
): ConnectionSettings {
  return options instanceof ConnectionSettings ? options : new ConnectionSettings(options, role);
}
