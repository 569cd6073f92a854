/** From a request to a WebSocket, or to a refusal (RFC 6455 section 4.2.2). */

import type { IncomingMessage } from 'node:http';
import type { TopicMembership } from '../connection/topic-membership.js';
import type { ConnectionSetup } from '../connection/websocket-connection.js';
import { answerOffer } from '../deflate/negotiation.js';
import { acceptKeyOf } from '../handshake/accept-key.js';
import type { HeaderFields } from '../handshake/request-head.js';
import type { HandshakeSettings } from './handshake-options.js';
import type { Medium } from './medium.js';
import { type Offer, readOffer } from './offer.js';
import { Refusal, refuse } from './refusal.js';
import { type Acceptance, acceptedPlainly, type ClientWatch, verified } from './verification.js';

/** A handshake that has succeeded: the answer is on its way. */
export interface Upgraded {
  readonly setup: ConnectionSetup;
  /** What `verify` gave with it. */
  readonly data: unknown;
}

/** What came of a request. Null: the client has left before there was an answer. */
export type Outcome = Upgraded | Refusal | null;

/** Who lets requests in, besides what the settings say. */
export interface Gate {
  /** Asked before `verify`, and again after it. */
  refusalOf(request: IncomingMessage, offer: Offer): Refusal | null;
  /** Clients that wait for `verify`. */
  readonly watches: Set<ClientWatch>;
}

/**
 * Answers a request. What is refused is answered and ended here.
 *
 * Without `verify` in the settings everything has happened when this returns, and no promise is made.
 */
export function upgrade(
  request: IncomingMessage,
  medium: Medium,
  settings: HandshakeSettings,
  topics: TopicMembership | null,
  gate: Gate,
): Outcome | Promise<Outcome> {
  const offer = attempt(() => readOffer(request));
  const refusal =
    offer instanceof Refusal
      ? offer
      : attempt(() => gate.refusalOf(request, offer) ?? originRefusal(request, settings));
  if (refusal instanceof Refusal || offer instanceof Refusal) return refused(medium, refusal as Refusal);
  const { verify } = settings;
  if (verify === undefined) return answer(request, medium, settings, topics, offer, acceptedPlainly);
  return verified(request, medium, verify, settings, gate.watches).then((result) => {
    const { verdict } = result;
    if (verdict === null) return null;
    if (verdict instanceof Refusal) return refused(result.medium, verdict);
    const late = attempt(() => gate.refusalOf(request, offer));
    if (late !== null) return refused(result.medium, late);
    return answer(request, result.medium, settings, topics, offer, verdict);
  });
}

function originRefusal(request: IncomingMessage, { allowsOrigin }: HandshakeSettings): Refusal | null {
  if (allowsOrigin(request.headers.origin, request) === true) return null;
  return new Refusal(403, 'This origin may not connect');
}

function answer(
  request: IncomingMessage,
  medium: Medium,
  settings: HandshakeSettings,
  topics: TopicMembership | null,
  offer: Offer,
  acceptance: Acceptance,
): Outcome {
  const agreement = attempt(() => agree(request, settings, offer));
  if (agreement instanceof Refusal) return refused(medium, agreement);
  const { protocol, extensions, deflate, headers } = agreement;
  const { channel, head } = medium;
  if (channel.closed) return null;
  channel.write(switching(offer.key, protocol, extensions, [...headers, ...acceptance.headers]));
  const { connection } = settings;
  const path = offer.target;
  return {
    setup: {
      role: 'server',
      lower: channel,
      head,
      protocol,
      extensions,
      deflate,
      path,
      settings: connection,
      topics,
    },
    data: acceptance.data,
  };
}

/** What is agreed on besides that this is a WebSocket. */
function agree(request: IncomingMessage, settings: HandshakeSettings, offer: Offer) {
  const protocol = settings.selectProtocol(offer.protocols, request) ?? '';
  if (protocol !== '' && !offer.protocols.includes(protocol)) {
    throw new RangeError(`options.selectProtocol gave '${protocol}', which the client has not offered`);
  }
  const deflate = deflateAnswer(offer, settings);
  if (deflate instanceof Refusal) return deflate;
  const headers = settings.headersFor(request);
  return { protocol, extensions: deflate?.header ?? '', deflate: deflate?.agreement ?? null, headers };
}

function deflateAnswer({ extensions }: Offer, { connection }: HandshakeSettings) {
  if (connection.deflate === null) return null;
  try {
    return answerOffer(extensions, connection.deflate);
  } catch (error) {
    return new Refusal(400, 'Sec-WebSocket-Extensions is against its grammar', [], error);
  }
}

function switching(key: string, protocol: string, extensions: string, headers: HeaderFields): Buffer {
  const lines = [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${acceptKeyOf(key)}`,
  ];
  if (protocol !== '') lines.push(`Sec-WebSocket-Protocol: ${protocol}`);
  if (extensions !== '') lines.push(`Sec-WebSocket-Extensions: ${extensions}`);
  for (const [name, value] of headers) lines.push(`${name}: ${value}`);
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

function refused({ channel }: Medium, refusal: Refusal): Refusal {
  refuse(channel, refusal);
  return refusal;
}

/** What a function of the application throws is a failure of the server. */
function attempt<T>(action: () => T): T | Refusal {
  try {
    return action();
  } catch (cause) {
    return new Refusal(500, 'The server failed', [], cause);
  }
}
