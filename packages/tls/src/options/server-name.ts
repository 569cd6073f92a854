/** Names of servers: Server Name Indication, RFC 6066 section 3. */

import { isIP } from 'node:net';
import { invalidArgumentValue, validateString } from '@iocp/core/layer';

/** What DNS allows (RFC 1035 section 3.1). */
const nameCharactersMax = 255;

/**
 * Throws `ERR_INVALID_ARG_TYPE`, or `ERR_INVALID_ARG_VALUE` when it is no name in ASCII.
 * @param where as the caller knows it
 */
export function validateServerName(name: unknown, where: string): asserts name is string {
  validateString(name, where);
  if (/^[\x21-\x7e]*$/.test(name) && name.length <= nameCharactersMax) return;
  throw invalidArgumentValue(where, name, 'must be a host name in ASCII: see url.domainToASCII()');
}

/** The name as it is sent and looked for. */
export function normalizedName(name: string): string {
  return name.replace(/\.$/, '').toLowerCase();
}

/** What to ask a server for: names only, as the RFC wants it. Empty: nothing. */
export function nameToAskFor(name: string): string {
  return isIP(name) === 0 ? name.replace(/\.$/, '') : '';
}
