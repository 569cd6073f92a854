/** The TLSSockets behind the engine. */

import { type ConnectionOptions, connect, TLSSocket } from 'node:tls';
import type { SecureContext } from '../../context/secure-context.js';
import { type AuthorizationError, verificationError } from '../../identity.js';
import type { HandshakeSettings } from '../../options/handshake-settings.js';
import { sessionDer } from '../session-form.js';
import type { ClientHello } from './client-hello.js';
import { staplerWith } from './ocsp-stapling.js';
import type { RecordStream } from './record-stream.js';

/** Begins the handshake at once. Whether the peer is who it should be, the engine judges itself. */
export function clientSocket(
  stream: RecordStream,
  context: SecureContext,
  settings: HandshakeSettings,
): TLSSocket {
  const { servername, session, alpnProtocols } = settings;
  const options: ConnectionOptions & { requestOCSP: boolean } = {
    socket: stream,
    secureContext: context.forNode().secureContext,
    // Neither would Node take a session in OpenSSL's form, nor is its check of names done when one is resumed.
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
    requestOCSP: settings.requestOcsp,
    ...(servername !== '' && { servername }),
    ...(session !== undefined && { session: sessionDer(session) }),
    ...(alpnProtocols.length > 0 && { ALPNProtocols: namesOnWire(alpnProtocols) }),
  };
  return connect(options);
}

/** Waits for the hello, which it has still to be given. */
export function serverSocket(
  stream: RecordStream,
  context: SecureContext,
  settings: HandshakeSettings,
  hello: ClientHello,
  protocol: string | undefined,
): TLSSocket {
  const { requestCert, rejectUnauthorized, ocspResponse } = settings;
  const nodeContext = context.forNode();
  const options = {
    isServer: true,
    secureContext: nodeContext.serverContext(hello.ticketKeyName, requestCert),
    requestCert,
    rejectUnauthorized: requestCert && rejectUnauthorized,
    ...(protocol !== undefined && { ALPNProtocols: namesOnWire([protocol]) }),
  };
  if (ocspResponse === undefined || !hello.wantsOcsp) return new TLSSocket(stream, options);
  const server = staplerWith(nodeContext.staplingServer, ocspResponse);
  return new TLSSocket(stream, { ...options, server });
}

/** Each name with its length before it (RFC 7301 section 3.1). */
function namesOnWire(names: readonly string[]): Buffer {
  return Buffer.concat(names.flatMap((name) => [Buffer.of(name.length), Buffer.from(name, 'latin1')]));
}

interface Verifying {
  /** An error, or in Deno its code; null or undefined when there is none. */
  verifyError?(): AuthorizationError | string | null | undefined;
}

/**
 * What OpenSSL has against the peer's certificate, or null. Of clients `authorized` tells whether there is something; the rest only
 * `ssl` knows, which is no public API, but older than what is, and also there in other runtimes.
 */
export function verificationOf(socket: TLSSocket, role: 'client' | 'server'): AuthorizationError | null {
  const { ssl } = socket as { ssl?: Verifying };
  const found = ssl?.verifyError?.();
  if (!found && (socket.authorized || (role === 'server' && ssl?.verifyError !== undefined))) return null;
  if (found && typeof found !== 'string') return verificationError(found.code, found.message);
  const code = found || String(socket.authorizationError ?? 'UNSPECIFIED');
  return verificationError(code, `The certificate of the peer is not good: ${code}`);
}
