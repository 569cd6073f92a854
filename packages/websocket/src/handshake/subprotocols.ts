/** Subprotocols: the grammar of `Sec-WebSocket-Protocol` (RFC 6455 sections 4.1 and 4.3). */

import { invalidArgumentValue, validateArray, validateString } from '@iocp/core/layer';
import { isToken, listOf } from './header-tokens.js';

/**
 * The names a client offers, best first.
 * @returns null when the field is against the grammar: names are tokens, and none is there twice
 */
export function offeredProtocols(header: string | undefined): readonly string[] | null {
  if (header === undefined) return [];
  const names = listOf(header);
  const wellFormed = names.length > 0 && names.every(isToken) && new Set(names).size === names.length;
  return wellFormed ? names : null;
}

/** Throws `ERR_INVALID_ARG_TYPE` or `ERR_INVALID_ARG_VALUE` unless `protocols` are names that can be offered or served. */
export function validateProtocols(
  protocols: unknown,
  name = 'options.protocols',
): asserts protocols is readonly string[] {
  validateArray(protocols, name);
  for (const [index, protocol] of protocols.entries()) {
    validateString(protocol, `${name}[${index}]`);
    if (!isToken(protocol)) {
      throw invalidArgumentValue(`${name}[${index}]`, protocol, 'must be a token (RFC 9110 section 5.6.2)');
    }
  }
  if (new Set(protocols).size < protocols.length) {
    throw invalidArgumentValue(name, protocols, 'must not name a protocol twice');
  }
}
