import type { Channel, Layer, Role, WrapOptions } from './channel.js';
import { asError, signalOf } from './signal.js';
import { validateArray, validateFunction, validateObject, validateOneOf } from './validate.js';

/**
 * Puts layers on a channel, the lowest first: `stack(tcp, 'client', [tls, webSocket])`.
 *
 * From here on the channel belongs to the stack: when a handshake fails or `signal` fires, it is aborted and the
 * promise rejects with the reason.
 *
 * @param channel any byte channel without a receiver
 * @param role who dialled: handshakes need to know
 * @param layers each gets what the one before gave
 * @param options `signal` cancels the handshakes
 * @returns the channel of the last layer; `channel` itself when there are no layers
 */
export async function stack(
  channel: Channel,
  role: Role,
  layers: readonly Layer[],
  options?: WrapOptions,
): Promise<Channel> {
  validateOneOf(role, 'role', ['client', 'server'] as const);
  validateArray(layers, 'layers');
  layers.forEach((layer, index) => {
    validateObject(layer, `layers[${index}]`);
    validateFunction(layer.wrap, `layers[${index}].wrap`);
  });
  const signal = signalOf(options);
  let top = channel;
  try {
    for (const layer of layers) {
      signal?.throwIfAborted();
      top = await layer.wrap(top, role, options);
    }
    signal?.throwIfAborted();
    return top;
  } catch (error) {
    // A layer that fails aborts what is below it; this catches those that do not.
    top.abort(asError(error));
    throw error;
  }
}
