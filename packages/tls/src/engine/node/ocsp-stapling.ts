/** OCSP responses of servers (RFC 6066 section 8): a TLSSocket gets them from its `server`, by an event that does not tell for whom. */

import { createServer, type SecureContextOptions, type Server } from 'node:tls';
import { asError, validateBytes } from '@iocp/core/layer';
import type { HandshakeSettings } from '../../options/handshake-settings.js';

type OcspResponse = NonNullable<HandshakeSettings['ocspResponse']>;
type Callback = (error: Error | null, response: Buffer | null) => void;

interface Stapler extends Server {
  readonly ocspResponse: OcspResponse;
}

/** A server that never listens: it has the certificates that responses are about, for any number of staplers. */
export function createStaplingServer(options: SecureContextOptions): Server {
  const server = createServer(options);
  server.on(
    'OCSPRequest',
    function (this: Stapler, certificate: Buffer, issuer: Buffer | null, callback: Callback) {
      answer(this.ocspResponse, certificate, issuer ?? undefined, callback);
    },
  );
  return server;
}

/** The `server` of one TLSSocket: that one again, but for where it gets the response from. */
export function staplerWith(server: Server, ocspResponse: OcspResponse): Server {
  return Object.create(server, { ocspResponse: { value: ocspResponse } }) as Stapler;
}

function answer(
  ocspResponse: OcspResponse,
  certificate: Buffer,
  issuer: Buffer | undefined,
  callback: Callback,
): void {
  const give = (response: Buffer | null): void => callback(null, response);
  const fail = (error: unknown): void => callback(asError(error), null);
  let response: ReturnType<OcspResponse>;
  try {
    response = ocspResponse(certificate, issuer);
    if (!(response instanceof Promise)) response = checked(response);
  } catch (error) {
    fail(error);
    return;
  }
  if (response instanceof Promise) response.then(checked).then(give, fail);
  else give(response as Buffer | null);
}

function checked(response: Uint8Array | null): Buffer | null {
  if (response === null) return null;
  validateBytes(response, 'the result of ocspResponse');
  return Buffer.from(response);
}
