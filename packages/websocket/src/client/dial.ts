/** From a target to a channel that reaches it. */

import type { Duplex } from 'node:stream';
import {
  asError,
  type Channel,
  fromDuplex,
  invalidArgumentType,
  onAbort,
  type WrapOptions,
} from '@iocp/core/layer';
import { connect as connectTcp } from '@iocp/tcp';
import { carrierLimits } from '../server/medium.js';
import { tlsLayer } from '../tls-layer.js';
import type { ConnectSettings, SuppliedChannel } from './connect-options.js';
import type { Target } from './target.js';

/**
 * Dials, and does the handshake of TLS for `wss:`. When it rejects, nothing is left open; when `signal` fires, at once, with
 * its reason.
 */
export async function dial(target: Target, settings: ConnectSettings, signal: AbortSignal): Promise<Channel> {
  // First, because without TLS there is no need to dial.
  const tls = target.secure ? await tlsLayer(settings.tls) : null;
  const { channel } = settings;
  const lower =
    channel === undefined ? await dialTcp(target, settings, signal) : await taken(channel, target, signal);
  if (tls === null) return lower;
  const options: WrapOptions & { host: string } = { signal, host: target.host };
  try {
    return await tls.wrap(lower, 'client', options);
  } catch (error) {
    // TLS of ours has done so; another layer may not.
    lower.abort(asError(error));
    throw error;
  }
}

async function dialTcp({ host, port, socketPath }: Target, { tcp }: ConnectSettings, signal: AbortSignal) {
  const where = socketPath === undefined ? { host, port } : { path: socketPath };
  return (await connectTcp({ ...carrierLimits, ...tcp, ...where, signal })).channel;
}

/** What was supplied, or made for this; what comes when nobody waits for it any more is aborted. */
function taken(supplied: SuppliedChannel, target: Target, signal: AbortSignal): Promise<Channel> {
  return new Promise((resolve, reject) => {
    let late = false;
    const stopListening = onAbort(signal, () => {
      late = true;
      reject(signal.reason);
    });
    const make = async () =>
      channelOf(typeof supplied === 'function' ? await supplied(target, { signal }) : supplied);
    make()
      .then((channel) => {
        if (late) channel.abort(asError(signal.reason));
        resolve(channel);
      }, reject)
      .finally(stopListening);
  });
}

function channelOf(supplied: unknown): Channel {
  if (typeof (supplied as Channel | null)?.attach === 'function') return supplied as Channel;
  if (typeof (supplied as Channel | null)?.write === 'function')
    return fromDuplex(supplied as Duplex, carrierLimits);
  throw invalidArgumentType(
    'options.channel',
    'a Channel, a stream.Duplex, or a function that gives one',
    supplied,
  );
}
