import { ReadableStream, WritableStream } from 'node:stream/web';
import { invalidArgumentType } from '@iocp/core/layer';
import { CloseCode } from '../codec/frame.js';
import type { Message } from '../connection/message-reader.js';
import type { WebSocketConnection } from '../connection/websocket-connection.js';
import { webSocketError } from '../errors.js';
import { validateClose } from './standard-rules.js';

/** Messages as web streams: text as strings, binary as bytes. */
export interface MessageStreams {
  /** The peer feels backpressure while nobody reads. Cancelling it closes the connection. */
  readonly readable: ReadableStream<Message>;
  /** A write ends when there is room for the next. Closing it closes the connection, and so does aborting it. */
  readonly writable: WritableStream<string | ArrayBufferLike | ArrayBufferView>;
}

/** Up to this size `send` of a connection copies. */
const copiedBytesMax = 4096;

/**
 * The messages of a connection, of a server or a client, as web streams with backpressure both ways. They take the place of handlers
 * and iteration.
 * @throws {ChannelError} `ERR_CHANNEL_CONSUMER` when there is a consumer already
 */
export function webSocketStreams(connection: WebSocketConnection): MessageStreams {
  const messages = connection.messages();
  const readable = new ReadableStream<Message>(
    {
      async pull(controller) {
        const { done, value } = await messages.next();
        if (done === true) controller.close();
        else controller.enqueue(value);
      },
      async cancel(reason) {
        await messages.return?.();
        await closeFor(connection, reason);
      },
    },
    // Reading ahead is the connection's business.
    { highWaterMark: 0 },
  );
  return { readable, writable: writableTo(connection) };
}

function writableTo(connection: WebSocketConnection): MessageStreams['writable'] {
  return new WritableStream({
    start(controller) {
      void connection.whenClosed().then(() => controller.error(closed()));
    },
    async write(chunk) {
      const message = messageOf(chunk);
      const status = connection.send(message);
      if (status === 'refused') throw closed();
      // Whoever has written may use the memory again.
      if (message.length > copiedBytesMax) await connection.flushed();
      if (status === 'full') await connection.drained();
    },
    async close() {
      await connection.close();
    },
    async abort(reason) {
      await closeFor(connection, reason);
    },
  });
}

/** A reason may say what to close with: `closeCode` (1000 or 3000 to 4999) and `reason`, as those of the standard do. */
async function closeFor(connection: WebSocketConnection, given: unknown): Promise<void> {
  const { closeCode, reason } = (given ?? {}) as { readonly closeCode?: unknown; readonly reason?: unknown };
  const text = typeof reason === 'string' ? reason : '';
  if (typeof closeCode !== 'number') {
    await connection.close(null);
    return;
  }
  validateClose(closeCode, text);
  await connection.close(closeCode, text);
}

function messageOf(chunk: unknown): string | Uint8Array {
  if (typeof chunk === 'string' || chunk instanceof Uint8Array) return chunk;
  if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  if (chunk instanceof ArrayBuffer || chunk instanceof SharedArrayBuffer) return new Uint8Array(chunk);
  throw invalidArgumentType('chunk', 'a string, an ArrayBuffer or a view of one', chunk);
}

function closed() {
  return webSocketError('ERR_WS_CLOSED', 'The WebSocket has closed', CloseCode.ABNORMAL);
}
