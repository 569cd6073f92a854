/** Application-Layer Protocol Negotiation, RFC 7301. */

import {
  invalidArgumentType,
  invalidArgumentValue,
  outOfRange,
  validateBytes,
  validateFunction,
} from '@iocp/core/layer';
import type { HandshakeSettings, HelloFacts } from './handshake-settings.js';
import { callbackWithProtocols, protocolNotOffered } from './option-errors.js';

/** Names, best first; or all of them in the form they have on the wire, each with its length before it. */
export type AlpnProtocols = readonly (string | Uint8Array)[] | Uint8Array;

/** What a client offers. */
export interface AlpnOffer {
  /** The name asked for (SNI); empty when there is none. */
  servername: string;
  protocols: string[];
}

/** Chooses one of the `protocols` that a client offers. Undefined refuses the connection with an alert. */
export type AlpnCallback = (offer: AlpnOffer) => string | undefined;

const nameBytesMax = 255;
/** The list has a length of 16 bits. */
const listBytesMax = 65535;

interface AlpnOptions {
  readonly ALPNProtocols?: AlpnProtocols | undefined;
  readonly ALPNCallback?: AlpnCallback | undefined;
}

type AlpnSettings = Pick<HandshakeSettings, 'alpnProtocols' | 'selectProtocol'>;

/** Throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_TLS_ALPN_CALLBACK_WITH_PROTOCOLS`. */
export function alpnSettings({
  ALPNProtocols: protocols,
  ALPNCallback: callback,
}: AlpnOptions): AlpnSettings {
  const alpnProtocols = protocols === undefined ? [] : protocolNames(protocols);
  if (callback === undefined) return { alpnProtocols, selectProtocol: undefined };
  validateFunction(callback, 'options.ALPNCallback');
  if (protocols !== undefined) throw callbackWithProtocols();
  return { alpnProtocols, selectProtocol: (hello) => choose(callback, hello) };
}

function choose(callback: AlpnCallback, { servername = '', protocols }: HelloFacts): string | undefined {
  const chosen = callback({ servername, protocols: [...protocols] });
  if (chosen !== undefined && !protocols.includes(chosen)) throw protocolNotOffered(chosen, protocols);
  return chosen;
}

/** Bytes of names are Latin-1, one character each, so that every name has a string. */
function protocolNames(protocols: unknown): readonly string[] {
  const names = Array.isArray(protocols) ? protocols.map(nameOf) : namesOnWire(protocols);
  const byteCount = names.reduce((sum, name) => sum + 1 + name.length, 0);
  if (byteCount > listBytesMax) {
    throw outOfRange('options.ALPNProtocols', `at most ${listBytesMax} bytes in all`, byteCount);
  }
  return names;
}

function nameOf(given: unknown, index: number): string {
  const where = `options.ALPNProtocols[${index}]`;
  if (typeof given !== 'string' && !(given instanceof Uint8Array)) {
    throw invalidArgumentType(where, 'of type string or an instance of Uint8Array', given);
  }
  const name = Buffer.from(given as string).toString('latin1');
  if (name.length >= 1 && name.length <= nameBytesMax) return name;
  throw outOfRange(where, `1 to ${nameBytesMax} bytes long`, name.length);
}

function namesOnWire(given: unknown): string[] {
  if (!ArrayBuffer.isView(given)) {
    validateBytes(given, 'options.ALPNProtocols');
    return [];
  }
  const list = Buffer.from(given.buffer, given.byteOffset, given.byteLength);
  const names: string[] = [];
  for (let at = 0; at < list.byteLength; at += 1 + (list[at] as number)) {
    const end = at + 1 + (list[at] as number);
    if (end === at + 1 || end > list.byteLength) {
      throw invalidArgumentValue('options.ALPNProtocols', given, 'is not a list of names with their lengths');
    }
    names.push(list.toString('latin1', at + 1, end));
  }
  return names;
}
