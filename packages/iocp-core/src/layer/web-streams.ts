import {
  type ReadableByteStreamController,
  ReadableStream,
  type UnderlyingByteSource,
  WritableStream,
} from 'node:stream/web';
import type { ConnectionCore } from './connection-core.js';
import { ChannelError } from './errors.js';
import { ownCopy } from './lease.js';
import { Reader } from './reader.js';
import { asError } from './signal.js';
import { validateBytes } from './validate.js';

export interface WebStreams {
  /** A byte stream: readers may bring their own buffer. Cancelling it throws away what still arrives. */
  readonly readable: ReadableStream<Uint8Array>;
  /** Closing it half-closes the connection, aborting it aborts the connection. */
  readonly writable: WritableStream<Uint8Array>;
}

/** Byte streams take the whole `ArrayBuffer` of a chunk away: every chunk needs one of its own. */
class WebReader extends Reader {
  onClosed: (error: Error | null) => void = () => {};

  protected override own(bytes: Uint8Array): Uint8Array {
    return ownCopy(bytes);
  }

  override close(core: ConnectionCore, error: Error | null): void {
    super.close(core, error);
    this.onClosed(error);
  }
}

/** Makes `core` flow through web streams. */
export function toWeb(core: ConnectionCore): WebStreams {
  const reader = new WebReader(core);
  core.claim(reader);
  return { readable: readableFrom(core, reader), writable: writableTo(core, reader) };
}

function readableFrom(core: ConnectionCore, reader: Reader): ReadableStream<Uint8Array> {
  const source: UnderlyingByteSource = {
    type: 'bytes',
    async pull(controller: ReadableByteStreamController) {
      const chunk = await reader.read(undefined);
      if (chunk !== null) {
        enqueue(controller, reader, chunk);
      } else {
        controller.close();
        // A reader that brought a buffer waits for it back.
        controller.byobRequest?.respond(0);
      }
    },
    cancel() {
      reader.closing(core);
    },
  };
  // Reading ahead is the reader's business: here, a chunk is fetched when someone asks for one.
  return new ReadableStream(source, { highWaterMark: 0 });
}

function enqueue(controller: ReadableByteStreamController, reader: Reader, chunk: Uint8Array): void {
  const request = controller.byobRequest;
  const view = request?.view;
  if (request === null || view === null || view === undefined) {
    controller.enqueue(chunk);
    return;
  }
  const target = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  const fits = Math.min(target.byteLength, chunk.byteLength);
  target.set(chunk.subarray(0, fits));
  if (fits < chunk.byteLength) reader.unread(ownCopy(chunk.subarray(fits)));
  request.respond(fits);
}

function writableTo(core: ConnectionCore, reader: WebReader): WritableStream<Uint8Array> {
  return new WritableStream<Uint8Array>({
    start(controller) {
      reader.onClosed = (error) => {
        const reason = error ?? new ChannelError('ERR_CHANNEL_CLOSED', 'The connection has closed');
        controller.error(reason);
      };
    },
    write(chunk) {
      validateBytes(chunk, 'chunk');
      return new Promise<void>((resolve, reject) => {
        const hasRoom = core.write(chunk, (error) => (error === null ? resolve() : reject(error)));
        if (hasRoom) resolve();
      });
    },
    close() {
      return new Promise<void>((resolve, reject) => {
        core.channel.write([], (error) => (error === null ? resolve() : reject(error)));
        core.end();
      });
    },
    abort(reason: unknown) {
      core.channel.abort(reason === undefined ? undefined : asError(reason));
    },
  });
}
