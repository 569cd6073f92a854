/** TLS with a key that both sides know (RFC 4279): encrypted connections without certificates. */

import { randomBytes } from 'node:crypto';

const psk = randomBytes(32);
const ciphers = { ciphers: 'PSK', maxVersion: 'TLSv1.2' } as const;

export const serverOptions = { ...ciphers, pskCallback: () => psk };

export const clientOptions = {
  ...ciphers,
  pskCallback: () => ({ psk, identity: 'test' }),
  // There is no certificate whose name could be checked.
  checkServerIdentity: () => undefined,
};
