/** Errors of options, with the codes and texts that Node.js has for them. */

type CodedError = TypeError & { readonly code: string };

function coded(code: string, message: string): CodedError {
  return Object.assign(new TypeError(message), { code });
}

/** `ERR_MISSING_OPTION`: something cannot be done without `name`. */
export function missingOption(name: string, why: string): CodedError {
  return coded('ERR_MISSING_OPTION', `${name} is required: ${why}`);
}

export function callbackWithProtocols(): CodedError {
  const message = 'The ALPNCallback and ALPNProtocols TLS options are mutually exclusive';
  return coded('ERR_TLS_ALPN_CALLBACK_WITH_PROTOCOLS', message);
}

export function protocolNotOffered(chosen: unknown, offered: readonly string[]): CodedError {
  const message =
    `ALPN callback returned a value (${String(chosen)}) that did not match any of the client's offered ` +
    `protocols (${offered.join(', ')})`;
  return coded('ERR_TLS_ALPN_CALLBACK_INVALID_RESULT', message);
}

/** @param where who has given it */
export function invalidContext(where: string): CodedError {
  return coded('ERR_TLS_INVALID_CONTEXT', `${where} must give a SecureContext, null or undefined`);
}
