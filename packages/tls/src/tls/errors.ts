/** Errors with the codes, names and properties that those of `node:tls` and `node:net` have. */

type CodedError = Error & { readonly code: string };

function coded(error: Error, code: string): CodedError {
  return Object.assign(error, { code });
}

export function handshakeTimeout(cause: unknown): CodedError {
  return coded(new Error('TLS handshake timeout', { cause }), 'ERR_TLS_HANDSHAKE_TIMEOUT');
}

/** The peer has gone before the handshake was done. */
export function disconnected(role: 'client' | 'server', cause: unknown): CodedError {
  const message =
    role === 'server'
      ? 'socket hang up'
      : 'Client network socket disconnected before secure TLS connection was established';
  return coded(new Error(message, { cause }), 'ECONNRESET');
}

export function invalidState(): CodedError {
  return coded(new Error('TLS socket connection must be securely established'), 'ERR_TLS_INVALID_STATE');
}

export function sniFromServer(): CodedError {
  return coded(new Error('Cannot issue SNI from a TLS server-side socket'), 'ERR_TLS_SNI_FROM_SERVER');
}

export function serverNameRequired(): CodedError {
  const message = '"servername" is required parameter for Server.addContext';
  return coded(new Error(message), 'ERR_TLS_REQUIRED_SERVER_NAME');
}

export function renegotiationDisabled(): CodedError {
  const message = 'TLS session renegotiation is never done by @iocp/tls';
  return coded(new Error(message), 'ERR_TLS_RENEGOTIATION_DISABLED');
}

export function invalidMethod(method: string): CodedError {
  const message = `${method} is unknown, or older than TLS 1.2`;
  return coded(new TypeError(message), 'ERR_TLS_INVALID_PROTOCOL_METHOD');
}

export function versionConflict(version: string, method: string): CodedError {
  const message = `TLS protocol version ${JSON.stringify(version)} conflicts with secureProtocol ${JSON.stringify(method)}`;
  return coded(new TypeError(message), 'ERR_TLS_PROTOCOL_VERSION_CONFLICT');
}

/** @param what the names of what is missing, each in quotation marks */
export function missingArguments(what: string): CodedError {
  return coded(new TypeError(`The ${what} argument must be specified`), 'ERR_MISSING_ARGS');
}

export function alreadyListening(): CodedError {
  const message = 'Listen method has been called more than once without closing.';
  return coded(new Error(message), 'ERR_SERVER_ALREADY_LISTEN');
}

export function notRunning(): CodedError {
  return coded(new Error('Server is not running.'), 'ERR_SERVER_NOT_RUNNING');
}
