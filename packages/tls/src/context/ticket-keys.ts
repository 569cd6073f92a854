import { invalidArgumentValue, validateBytes } from '@iocp/core/layer';

/** As in `node:tls`: 16 bytes of name, 16 for HMAC-SHA-256, 16 for AES-128. */
export const ticketKeyBytes = 48;

/**
 * Copies of one or several keys of session tickets.
 * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`
 */
export function readTicketKeys(given: unknown, name: string): readonly Buffer[] {
  const keys: readonly unknown[] = Array.isArray(given) ? given : [given];
  if (keys.length === 0) throw invalidArgumentValue(name, given, 'must hold at least one key');
  return keys.map((key) => {
    validateBytes(key, name);
    if (key.byteLength !== ticketKeyBytes) {
      throw invalidArgumentValue(name, key.byteLength, `must be exactly ${ticketKeyBytes} bytes`);
    }
    return Buffer.from(key);
  });
}
