/** What `send` is given, checked. */

import {
  type DatagramAddress,
  type DatagramSendOptions,
  IoError,
  invalidArgumentType,
  validateBytes,
  validateFunction,
  validateInteger,
  validateObject,
} from '@iocp/core/layer';

/** One datagram; chunks of an array become one. */
export type DatagramData = Uint8Array | readonly Uint8Array[];

/** Checks the data of a datagram. Returns its number of bytes. Throws `ERR_INVALID_ARG_TYPE`. */
export function checkedLength(data: unknown): number {
  if (data instanceof Uint8Array) return data.byteLength;
  if (!Array.isArray(data)) {
    validateBytes(data, 'data');
    return data.byteLength;
  }
  let bytes = 0;
  for (let index = 0; index < data.length; index++) {
    const chunk: unknown = data[index];
    if (!(chunk instanceof Uint8Array)) validateBytes(chunk, `data[${index}]`);
    bytes += chunk.byteLength;
  }
  return bytes;
}

/** Throws unless `to` is there when it must be, and only then. */
export function checkDestination(to: unknown, connected: boolean): void {
  if (to === undefined) {
    if (!connected) throw notConnectedError('say where to send to');
    return;
  }
  if (!isAddress(to)) throw invalidArgumentType('to', 'an instance of DatagramAddress', to);
  if (connected) {
    throw new IoError('The socket is connected: leave the address out, or disconnect first', {
      code: 'ERR_SOCKET_DGRAM_IS_CONNECTED',
      syscall: 'send',
    });
  }
}

/** Throws `ERR_INVALID_ARG_TYPE` or `ERR_OUT_OF_RANGE`, naming the option. */
export function checkSendOptions(options: unknown): asserts options is DatagramSendOptions {
  validateObject(options, 'options');
  const { tos, ttl, source, interfaceIndex, done } = options as DatagramSendOptions;
  if (tos !== undefined) validateInteger(tos, 'options.tos', 0, 255);
  if (ttl !== undefined) validateInteger(ttl, 'options.ttl', 1, 255);
  if (interfaceIndex !== undefined) validateInteger(interfaceIndex, 'options.interfaceIndex', 0, 0x7fffffff);
  if (source !== undefined && !isAddress(source)) {
    throw invalidArgumentType('options.source', 'an instance of DatagramAddress', source);
  }
  if (done !== undefined) validateFunction(done, 'options.done');
}

/** Not instanceof: it may come from the other module format of core. */
export function isAddress(value: unknown): value is DatagramAddress {
  return value !== null && typeof value === 'object' && 'word0' in value;
}

export function notConnectedError(advice: string): IoError {
  return new IoError(`The socket is not connected: ${advice}`, {
    code: 'ERR_SOCKET_DGRAM_NOT_CONNECTED',
    syscall: 'send',
  });
}
