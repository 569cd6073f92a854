/** How a request for a WebSocket is refused. */

import { STATUS_CODES } from 'node:http';
import { type Channel, Connection } from '@iocp/core/layer';
import { type HeaderFields, hasField } from '../handshake/request-head.js';

/** An answer that is no WebSocket. */
export class Refusal {
  readonly status: number;
  readonly headers: HeaderFields;
  readonly body: string | Uint8Array;
  /** What went wrong on our side, if it did. */
  readonly cause: unknown;

  constructor(
    status: number,
    body: string | Uint8Array,
    headers: HeaderFields = [],
    cause: unknown = undefined,
  ) {
    this.status = status;
    this.body = body;
    this.headers = headers;
    this.cause = cause;
  }

  /** The response as it is sent. The connection ends with it. */
  toBytes(): Buffer {
    const body = Buffer.from(this.body);
    const lines = [
      `HTTP/1.1 ${this.status} ${STATUS_CODES[this.status] ?? 'Refused'}`,
      `Date: ${new Date().toUTCString()}`,
      `Content-Length: ${body.byteLength}`,
    ];
    if (!hasField(this.headers, 'connection')) lines.push('Connection: close');
    if (!hasField(this.headers, 'content-type')) lines.push('Content-Type: text/plain; charset=utf-8');
    for (const [name, value] of this.headers) lines.push(`${name}: ${value}`);
    return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), body]);
  }
}

/** 426, which says what is spoken here (RFC 9110 section 15.5.22, RFC 6455 section 4.4). */
export function upgradeRequired(why: string): Refusal {
  return new Refusal(426, why, [
    ['Connection', 'Upgrade, close'],
    ['Upgrade', 'websocket'],
    ['Sec-WebSocket-Version', '13'],
  ]);
}

/** How long the client may take to read the refusal and close. */
const lingerMs = 2000;

/**
 * Answers and ends. What the client still sends is thrown away: to reset it would take the answer from it.
 * @param channel without a receiver
 */
export function refuse(channel: Channel, refusal: Refusal): void {
  const connection = new Connection(channel);
  connection.write(refusal.toBytes());
  connection.close({ signal: AbortSignal.timeout(lingerMs) }).catch(() => {
    // It has gone, or was too slow and is aborted.
  });
}
