/** The client's half of the opening handshake (RFC 6455 section 4.1): bytes in, a request and an outcome out. */

import { randomBytes } from 'node:crypto';
import { acceptAnswer, type DeflateAgreement, makeOffer } from '../deflate/negotiation.js';
import type { DeflateSettings } from '../deflate/settings.js';
import { acceptKeyOf } from './accept-key.js';
import { HandshakeError, handshakeFailed } from './handshake-error.js';
import { listNames } from './header-tokens.js';
import { RefusedBody } from './refused-body.js';
import { type HeaderFields, requestHead } from './request-head.js';
import { type ResponseHead, ResponseHeadReader } from './response-head.js';

/** What a client asks for. All of it checked. */
export interface ClientHandshakeSettings {
  /** Of the field Host. */
  readonly host: string;
  /** Path and query. */
  readonly target: string;
  readonly headers: HeaderFields;
  readonly protocols: readonly string[];
  /** Whether a server that chooses none of them is refused. */
  readonly protocolRequired: boolean;
  /** What is offered of compression. */
  readonly deflate: DeflateSettings | null;
  /** Whether an answer that leads elsewhere is an outcome, or a refusal. */
  readonly followsRedirects: boolean;
}

/** The WebSocket is open. */
export interface Upgraded {
  readonly kind: 'upgraded';
  readonly response: ResponseHead;
  /** The subprotocol chosen; empty: none. */
  readonly protocol: string;
  /** As in the answer; empty: none. */
  readonly extensions: string;
  readonly deflate: DeflateAgreement | null;
  /** Bytes of what follows that came with the answer. Lent, as the bytes they are part of. */
  readonly head: Uint8Array;
}

/** The server says where to ask instead. */
export interface Redirected {
  readonly kind: 'redirected';
  readonly response: ResponseHead;
  readonly location: string;
}

export type HandshakeOutcome = Upgraded | Redirected;

const redirects = new Set([301, 302, 303, 307, 308]);

/** One handshake. After an outcome or an error it is over. */
export class ClientHandshake {
  /** What the server is to be sent. */
  readonly request: Buffer;
  readonly #settings: ClientHandshakeSettings;
  readonly #acceptKey: string;
  readonly #reader = new ResponseHeadReader();
  #refused: RefusedBody | null = null;

  /** @param key a fresh nonce of 16 bytes in base64, unless a test brings one */
  constructor(settings: ClientHandshakeSettings, key: string = randomBytes(16).toString('base64')) {
    const { target, host, protocols, deflate, headers } = settings;
    const extensions = deflate === null ? '' : makeOffer(deflate);
    this.#settings = settings;
    this.#acceptKey = acceptKeyOf(key);
    this.request = requestHead({ target, host, key, protocols, extensions, headers });
  }

  /**
   * @param bytes lent
   * @returns the outcome, or null while there is more to come
   * @throws {HandshakeError} when the server has refused, or its answer is no good
   */
  receive(bytes: Uint8Array): HandshakeOutcome | null {
    const known = this.#reader.response;
    const taken = known === null ? this.#reader.read(bytes) : 0;
    const response = this.#reader.response;
    if (response === null) return null;
    const rest = bytes.subarray(taken);
    if (known === null) {
      if (response.statusCode === 101) return this.#upgraded(response, rest);
      const { location } = response.headers;
      if (this.#settings.followsRedirects && redirects.has(response.statusCode) && location !== undefined) {
        return { kind: 'redirected', response, location };
      }
      this.#refused = new RefusedBody(response);
    }
    this.#refused?.read(rest);
    if (this.#refused?.done) throw this.refusal;
    return null;
  }

  /** That the server has refused, as far as it has said so; null while it has not. */
  get refusal(): HandshakeError | null {
    const { response } = this.#reader;
    if (response === null || this.#refused === null) return null;
    const { statusCode, statusMessage } = response;
    const said = statusMessage === '' ? `${statusCode}` : `${statusCode} ${statusMessage}`;
    return new HandshakeError(
      `The server opens no WebSocket at this URL: it answers ${said}`,
      response,
      this.#refused.bytes(),
    );
  }

  /** The error that it is when the stream ends now. */
  ended(): HandshakeError {
    const begun = this.#reader.begun ? 'in the middle of its answer' : 'without an answer';
    return this.refusal ?? handshakeFailed(`The server has closed the connection ${begun}`);
  }

  #upgraded(response: ResponseHead, head: Uint8Array): Upgraded {
    const { headers, minorVersion } = response;
    const fail = (reason: string): never => {
      throw handshakeFailed(`The server's answer to the handshake is wrong: ${reason}`, response);
    };
    if (minorVersion !== 1) fail('it is not HTTP/1.1');
    if (headers.upgrade?.toLowerCase() !== 'websocket') fail('the field Upgrade must be "websocket"');
    if (!listNames(headers.connection, 'upgrade')) fail('the field Connection must contain "Upgrade"');
    if (headers['sec-websocket-accept'] !== this.#acceptKey)
      fail('Sec-WebSocket-Accept does not fit the key of the request');
    return {
      kind: 'upgraded',
      response,
      protocol: this.#protocolOf(response, fail),
      extensions: headers['sec-websocket-extensions'] ?? '',
      deflate: this.#deflateOf(response, fail),
      head,
    };
  }

  #protocolOf({ headers }: ResponseHead, fail: (reason: string) => never): string {
    const { protocols, protocolRequired } = this.#settings;
    const chosen = headers['sec-websocket-protocol'];
    if (chosen !== undefined && !protocols.includes(chosen)) {
      fail(`it chooses the subprotocol "${chosen}", which was not offered`);
    }
    if (chosen === undefined && protocolRequired && protocols.length > 0) {
      fail('it chooses none of the subprotocols offered');
    }
    return chosen ?? '';
  }

  #deflateOf(response: ResponseHead, fail: (reason: string) => never): DeflateAgreement | null {
    const answer = response.headers['sec-websocket-extensions'];
    const { deflate } = this.#settings;
    if (deflate === null) {
      return answer === undefined ? null : fail('it has extensions, and none was offered');
    }
    try {
      return acceptAnswer(answer, deflate);
    } catch (cause) {
      throw handshakeFailed(
        `The server's answer to the handshake is wrong: ${(cause as Error).message}`,
        response,
        cause,
      );
    }
  }
}
