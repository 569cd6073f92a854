import { type CompletionPort, SegmentList } from '@iocp/core';
import { contentsOf, type Exchange } from './payload.js';

const binaryFrame = 0x82; // FIN, opcode 2
const masked = 0x80;
/** Any but zero would do: a server must not find the payload unmasked. */
const maskKey = Buffer.from([0x5a, 0xc3, 0x17, 0x9e]);

/** The example of RFC 6455, section 1.3. */
const key = 'dGhlIHNhbXBsZSBub25jZQ==';
const acceptance = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';

/** The request that makes a connection a WebSocket, ready to be sent any number of times. */
export class Opening {
  readonly request: SegmentList;

  constructor(port: CompletionPort) {
    const lines = [
      'GET / HTTP/1.1',
      'Host: 127.0.0.1',
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      `Sec-WebSocket-Key: ${key}`,
    ];
    this.request = new SegmentList(port);
    this.request.add(Buffer.from(`${lines.join('\r\n')}\r\n\r\n`));
  }

  /** Whether the server has accepted; undefined while the answer is not complete. Nothing may follow it yet. */
  accepts(answer: string): boolean | undefined {
    if (!answer.includes('\r\n\r\n')) return undefined;
    return answer.startsWith('HTTP/1.1 101 ') && answer.includes(acceptance) && answer.endsWith('\r\n\r\n');
  }

  /** The port may have the memory back. */
  release(): void {
    this.request.releaseAll();
  }
}

/** A binary message, masked as clients have to, and its echo. */
export function webSocketExchange(messageBytes: number, variant: number): Exchange {
  const contents = contentsOf(messageBytes, variant);
  const hidden = contents.map((byte, index) => byte ^ (maskKey[index % 4] as number));
  return {
    request: Buffer.concat([header(messageBytes, masked), maskKey, hidden]),
    reply: Buffer.concat([header(messageBytes, 0), contents]),
  };
}

/** RFC 6455, section 5.2, for up to 65,535 bytes. */
function header(payloadBytes: number, maskBit: number): Buffer {
  if (payloadBytes < 126) return Buffer.from([binaryFrame, maskBit | payloadBytes]);
  return Buffer.from([binaryFrame, maskBit | 126, payloadBytes >> 8, payloadBytes & 0xff]);
}
