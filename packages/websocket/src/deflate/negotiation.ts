/** What both sides of a connection agree on for permessage-deflate, RFC 7692 section 7.1. */

import { webSocketError } from '../errors.js';
import { type Extension, parseExtensions } from './extensions.js';
import { type DeflateSettings, windowBitsMax } from './settings.js';

const extensionName = 'permessage-deflate';

/** The settings of one connection: those of this side, as far as the peer has agreed. Windows are 8 to 15. */
export type DeflateAgreement = DeflateSettings;

/** The parameters of one offer or answer. Windows are undefined when they are not there. */
interface Parameters {
  readonly serverNoContextTakeover: boolean;
  readonly clientNoContextTakeover: boolean;
  readonly serverWindowBits: number | undefined;
  /** True: there, without a value. */
  readonly clientWindowBits: number | true | undefined;
}

/**
 * Of a server: takes the first offer that it can keep; offers that are invalid or unknown are passed over.
 * Throws `WebSocketError` (`ERR_WS_HANDSHAKE`, to be answered with status 400) when the header cannot be read.
 * @param header the client's `Sec-WebSocket-Extensions`
 * @returns what to put in the answer's header, and what then holds; null: no compression, and no header
 */
export function answerOffer(
  header: string | undefined,
  settings: DeflateSettings,
): { header: string; agreement: DeflateAgreement } | null {
  if (header === undefined) return null;
  for (const extension of parseExtensions(header)) {
    const offer = extension.name === extensionName ? parametersOf(extension) : null;
    if (offer === null || typeof offer === 'string') continue;
    const agreement = agreementOn(offer, settings);
    if (agreement !== null) return { header: answerHeader(offer, agreement), agreement };
  }
  return null;
}

/** Null when the offer does not let us keep to `settings`. */
function agreementOn(offer: Parameters, settings: DeflateSettings): DeflateAgreement | null {
  const peerWindowBits = Math.min(settings.peerWindowBits, windowLimit(offer.clientWindowBits));
  // A window of the client's can be limited only when it has said that it knows how (section 7.1.2.2).
  if (peerWindowBits < windowBitsMax && offer.clientWindowBits === undefined) return null;
  return {
    ...settings,
    contextTakeover: settings.contextTakeover && !offer.serverNoContextTakeover,
    windowBits: Math.min(settings.windowBits, windowLimit(offer.serverWindowBits)),
    peerContextTakeover: settings.peerContextTakeover && !offer.clientNoContextTakeover,
    peerWindowBits,
  };
}

function answerHeader(offer: Parameters, agreement: DeflateAgreement): string {
  const { windowBits, peerWindowBits } = agreement;
  let header = extensionName;
  if (!agreement.contextTakeover) header += '; server_no_context_takeover';
  if (!agreement.peerContextTakeover) header += '; client_no_context_takeover';
  // What was asked for must be in the answer (section 7.1.2.1); what is as without it need not.
  if (windowBits < windowBitsMax || offer.serverWindowBits !== undefined) {
    header += `; server_max_window_bits=${windowBits}`;
  }
  if (peerWindowBits < windowBitsMax) header += `; client_max_window_bits=${peerWindowBits}`;
  return header;
}

/** Of a client: what to put in the request's header. */
export function makeOffer(settings: DeflateSettings): string {
  let header = extensionName;
  if (!settings.contextTakeover) header += '; client_no_context_takeover';
  if (!settings.peerContextTakeover) header += '; server_no_context_takeover';
  if (settings.peerWindowBits < windowBitsMax)
    header += `; server_max_window_bits=${settings.peerWindowBits}`;
  // Without a value it says no more than that we can keep to a limit.
  header += '; client_max_window_bits';
  if (settings.windowBits < windowBitsMax) header += `=${settings.windowBits}`;
  return header;
}

/**
 * Of a client: reads the answer to `makeOffer(settings)`.
 * Throws `WebSocketError` (`ERR_WS_HANDSHAKE`) when the server has answered what was not offered, or left out what it had to keep.
 * @param header the server's `Sec-WebSocket-Extensions`
 * @returns null: no compression
 */
export function acceptAnswer(header: string | undefined, settings: DeflateSettings): DeflateAgreement | null {
  if (header === undefined) return null;
  const extensions = parseExtensions(header);
  const [extension] = extensions;
  if (extension === undefined || extensions.length > 1 || extension.name !== extensionName) {
    throw badAnswer(header, 'only permessage-deflate was offered, once');
  }
  const answer = parametersOf(extension);
  if (typeof answer === 'string') throw badAnswer(header, answer);
  const { serverNoContextTakeover, serverWindowBits, clientWindowBits } = answer;
  if (clientWindowBits === true) throw badAnswer(header, 'client_max_window_bits has no value');
  if (!settings.peerContextTakeover && !serverNoContextTakeover) {
    throw badAnswer(header, 'server_no_context_takeover was asked for');
  }
  if (windowLimit(serverWindowBits) > settings.peerWindowBits) {
    throw badAnswer(header, `server_max_window_bits=${settings.peerWindowBits} was asked for`);
  }
  if (clientWindowBits !== undefined && clientWindowBits > settings.windowBits) {
    throw badAnswer(header, `client_max_window_bits=${settings.windowBits} was offered`);
  }
  return {
    ...settings,
    contextTakeover: settings.contextTakeover && !answer.clientNoContextTakeover,
    windowBits: Math.min(settings.windowBits, windowLimit(clientWindowBits)),
    peerContextTakeover: !serverNoContextTakeover,
    peerWindowBits: windowLimit(serverWindowBits),
  };
}

function windowLimit(bits: number | true | undefined): number {
  return typeof bits === 'number' ? bits : windowBitsMax;
}

/** A whole number without leading zeros (section 7.1.2). */
const windowBitsPattern = /^(?:[89]|1[0-5])$/;

/** What is wrong with them, in words, if something is. */
function parametersOf({ parameters }: Extension): Parameters | string {
  const found = new Map<string, number | true>();
  for (const { name, value } of parameters) {
    if (found.has(name)) return `${name} is there twice`;
    switch (name) {
      case 'server_no_context_takeover':
      case 'client_no_context_takeover':
        if (value !== undefined) return `${name} takes no value`;
        found.set(name, true);
        break;
      case 'server_max_window_bits':
      case 'client_max_window_bits':
        if (value === undefined && name === 'client_max_window_bits') {
          found.set(name, true);
          break;
        }
        if (value === undefined || !windowBitsPattern.test(value)) return `${name} must be 8 to 15`;
        found.set(name, Number(value));
        break;
      default:
        return `${name} is unknown`;
    }
  }
  return {
    serverNoContextTakeover: found.has('server_no_context_takeover'),
    clientNoContextTakeover: found.has('client_no_context_takeover'),
    serverWindowBits: found.get('server_max_window_bits') as number | undefined,
    clientWindowBits: found.get('client_max_window_bits'),
  };
}

function badAnswer(header: string, reason: string) {
  const message = `The server's Sec-WebSocket-Extensions is "${header}", but ${reason}`;
  return webSocketError('ERR_WS_HANDSHAKE', message, 1010);
}
