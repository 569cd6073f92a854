import { createHash } from 'node:crypto';

/** Of RFC 6455 section 1.3: no server that does not know the protocol adds it. */
const webSocketGuid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** What a server answers to a `Sec-WebSocket-Key` in `Sec-WebSocket-Accept` (RFC 6455 section 4.2.2). */
export function acceptKeyOf(key: string): string {
  return createHash('sha1').update(key).update(webSocketGuid).digest('base64');
}
