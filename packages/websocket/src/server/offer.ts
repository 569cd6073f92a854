/** What a request for a WebSocket offers, and whether it is one (RFC 6455 section 4.2.1). */

import type { IncomingMessage } from 'node:http';
import { listNames } from '../handshake/header-tokens.js';
import { offeredProtocols } from '../handshake/subprotocols.js';
import { Refusal, upgradeRequired } from './refusal.js';

/** What a client offers. */
export interface Offer {
  readonly key: string;
  /** Best first. */
  readonly protocols: readonly string[];
  /** `Sec-WebSocket-Extensions`, not parsed yet. */
  readonly extensions: string | undefined;
  /** Path and query asked for. */
  readonly target: string;
}

/** 16 bytes in Base64. */
const keyPattern = /^[+/0-9A-Za-z]{22}==$/;
/** A target with scheme and host (RFC 9112 section 3.2.2). */
const absoluteTarget = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]+([/?][^#]*)?$/i;

/** Whether a request is meant to become a WebSocket. In HTTP/1.0 there is no upgrade (RFC 9110 section 7.8). */
export function asksForWebSocket({ headers, httpVersion }: IncomingMessage): boolean {
  return httpVersion !== '1.0' && listNames(headers.upgrade, 'websocket');
}

/** Path and query of a request; null when it has none. */
export function targetOf({ url = '' }: IncomingMessage): string | null {
  if (url.startsWith('/')) return url;
  const absolute = absoluteTarget.exec(url);
  if (absolute === null) return null;
  const [, rest = ''] = absolute;
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/** The path without the query. */
export function pathOf(target: string): string {
  const query = target.indexOf('?');
  return query < 0 ? target : target.slice(0, query);
}

/** Reads the offer, or says what is wrong with it. */
export function readOffer(request: IncomingMessage): Offer | Refusal {
  const { headers, method } = request;
  if (!asksForWebSocket(request)) {
    return upgradeRequired('Here is a WebSocket: ask for it with HTTP/1.1 and "Upgrade: websocket"');
  }
  if (method !== 'GET') {
    return new Refusal(405, 'A WebSocket is asked for with GET', [['Allow', 'GET']]);
  }
  const version = headers['sec-websocket-version'];
  if (version !== undefined && version !== '13') {
    return upgradeRequired('The version of the WebSocket protocol spoken here is 13');
  }
  const fault = faultOf(request);
  if (fault !== null) return new Refusal(400, fault, [['Sec-WebSocket-Version', '13']]);
  const key = headers['sec-websocket-key'];
  const protocols = offeredProtocols(headers['sec-websocket-protocol']);
  const target = targetOf(request);
  if (key === undefined || !keyPattern.test(key))
    return new Refusal(400, 'Sec-WebSocket-Key must be 16 bytes in Base64');
  if (protocols === null)
    return new Refusal(400, 'Sec-WebSocket-Protocol must be a list of different tokens');
  if (target === null) return new Refusal(400, 'What is asked for must be a path');
  return { key, protocols, extensions: headers['sec-websocket-extensions'], target };
}

/** What is missing in the request, or too much in it. */
function faultOf({ headers }: IncomingMessage): string | null {
  if (!listNames(headers.connection, 'upgrade')) return 'Connection must contain "Upgrade"';
  if (headers['sec-websocket-version'] === undefined) return 'Sec-WebSocket-Version is missing';
  if (headers.host === undefined) return 'Host is missing';
  // What looks like a body to one reader is frames to another.
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) !== 0;
  return hasBody ? 'A request for a WebSocket has no body' : null;
}
