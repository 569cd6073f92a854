/** What `DatagramChannel.send` is given: checked, counted, and kept. */

import {
  type DatagramSendOptions,
  IoError,
  invalidArgumentType,
  type Lease,
  lease,
  leaseOwnerOf,
  ownCopy,
  validateBytes,
  validateFunction,
  validateInteger,
  validateObject,
} from '@iocp/core/layer';
import { concatenate } from '../chunkings.js';

export type DatagramData = Uint8Array | readonly Uint8Array[];

/** Throws for what no channel takes, whatever its state, with the codes of `DatagramChannel.send`. */
export function checkSend(
  data: unknown,
  to: unknown,
  options: DatagramSendOptions | undefined,
  connected: boolean,
): void {
  checkData(data);
  checkDestination(to, connected);
  if (options !== undefined) checkOptions(options);
}

function checkData(data: unknown): void {
  if (!Array.isArray(data)) validateBytes(data, 'data');
  else for (const [index, chunk] of data.entries()) validateBytes(chunk, `data[${index}]`);
}

function checkDestination(to: unknown, connected: boolean): void {
  if (to === undefined) {
    if (connected) return;
    throw misuse('ERR_SOCKET_DGRAM_NOT_CONNECTED', 'This channel is not connected: say where to send to');
  }
  checkAddress(to, 'to');
  if (!connected) return;
  throw misuse('ERR_SOCKET_DGRAM_IS_CONNECTED', 'This channel is connected: leave the address out');
}

function checkAddress(address: unknown, name: string): void {
  // Not instanceof: it may come from the other module format of core.
  if (address !== null && typeof address === 'object' && 'word0' in address) return;
  throw invalidArgumentType(name, 'an instance of DatagramAddress', address);
}

function checkOptions(options: DatagramSendOptions): void {
  validateObject(options, 'options');
  const { tos, ttl, source, interfaceIndex, done } = options;
  if (tos !== undefined) validateInteger(tos, 'options.tos', 0, 255);
  if (ttl !== undefined) validateInteger(ttl, 'options.ttl', 1, 255);
  if (source !== undefined) checkAddress(source, 'options.source');
  if (interfaceIndex !== undefined) validateInteger(interfaceIndex, 'options.interfaceIndex', 0, 0x7fffffff);
  if (done !== undefined) validateFunction(done, 'options.done');
}

function misuse(code: string, message: string): IoError {
  return new IoError(message, { code, syscall: 'send' });
}

export function byteLengthOf(data: DatagramData): number {
  if (!Array.isArray(data)) return (data as Uint8Array).byteLength;
  return data.reduce((sum: number, chunk: Uint8Array) => sum + chunk.byteLength, 0);
}

/** The bytes as they are now, until they are released: lent ones are leased, all others copied. */
export function keepDatagram(data: DatagramData): Lease {
  if (Array.isArray(data)) return lease(concatenate(data));
  const bytes = data as Uint8Array;
  return lease(leaseOwnerOf(bytes) === undefined ? ownCopy(bytes) : bytes);
}

/** Why a datagram is not taken, or no longer sent. */
export function closedError(): IoError {
  return new IoError('The channel has closed: nothing more is sent', { code: 'ERR_CHANNEL_CLOSED' });
}

/** What datagrams are dropped with when nobody gave a reason. */
export function abortedError(): IoError {
  return new IoError('The channel was aborted before the datagram was sent', {
    code: 'ERR_CHANNEL_ABORTED',
  });
}
