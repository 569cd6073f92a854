import { asError, ChannelError, onAbort } from '@iocp/core/layer';
import { CloseCode } from '../codec/frame.js';
import type { WebSocketHandlers } from '../connection/handlers-face.js';
import type { WebSocketConnection } from '../connection/websocket-connection.js';
import { establish } from './connect.js';
import type { ConnectOptions } from './connect-options.js';
import { standardArguments, validateClose } from './standard-rules.js';
import { CloseEvent, ErrorEvent, type WebSocketEventMap } from './web-socket-events.js';

/** How binary messages are handed out; `'nodebuffer'` is not in the standard. */
export type BinaryType = 'blob' | 'arraybuffer' | 'nodebuffer';

/** What `send` takes. */
export type WebSocketData = string | ArrayBufferLike | ArrayBufferView | Blob;

type AnyListener = Parameters<EventTarget['addEventListener']>[1];
type AddOptions = Parameters<EventTarget['addEventListener']>[2];
type RemoveOptions = Parameters<EventTarget['removeEventListener']>[2];
type ListenerOf<Type extends keyof WebSocketEventMap> =
  | ((this: WebSocket, event: WebSocketEventMap[Type]) => unknown)
  | { handleEvent(event: WebSocketEventMap[Type]): unknown }
  | null;
type Listener<T> = ((this: WebSocket, event: T) => unknown) | null;

const binaryTypes: readonly unknown[] = ['blob', 'arraybuffer', 'nodebuffer'];
/** Up to this size `send` of a connection copies. */
const copiedBytesMax = 4096;

const CONNECTING = 0;
const OPEN = 1;
const CLOSING = 2;
const CLOSED = 3;

/**
 * The `WebSocket` of browsers (WHATWG), over `connect`. There is no receive backpressure in it: for that, and for options of
 * sending, see `connect` and `WebSocketStream`.
 */
export class WebSocket extends EventTarget {
  static readonly CONNECTING = CONNECTING;
  static readonly OPEN = OPEN;
  static readonly CLOSING = CLOSING;
  static readonly CLOSED = CLOSED;
  /** For all of them: `data` of their connection says whose it is. */
  static readonly #handlers: WebSocketHandlers = {
    open: ({ data }) => void (data as WebSocket).dispatchEvent(new Event('open')),
    message: ({ data }, bytes, binary) => (data as WebSocket).#received(bytes, binary),
    error: ({ data }, error) => {
      (data as WebSocket).#error = error;
    },
    close: ({ data }, code, reason) => (data as WebSocket).#closed(code, reason),
  };
  readonly CONNECTING = CONNECTING;
  readonly OPEN = OPEN;
  readonly CLOSING = CLOSING;
  readonly CLOSED = CLOSED;
  /** Without user and password. */
  readonly url: string;
  readonly #listeners = new Map<string, Listener<never>>();
  readonly #dialing = new AbortController();
  readonly #origin: string;
  #connection: WebSocketConnection | null = null;
  #readyState: 0 | 1 | 2 | 3 = CONNECTING;
  #binaryType: BinaryType = 'blob';
  #protocol = '';
  #extensions = '';
  /** Bytes given to `send` that the connection does not have: they wait for a Blob, or came too late. */
  #keptBytes = 0;
  /** Ends when all that was given to `send` went to the connection; null while nothing waits. */
  #queue: Promise<void> | null = null;
  #error: Error | null = null;

  /**
   * @param protocols subprotocols, or all options of `connect`
   * @throws `DOMException` (`SyntaxError`) for a URL or subprotocols that make no sense; and as `connect` rejects for options
   */
  constructor(url: string | URL, protocols: string | readonly string[] | ConnectOptions = {}) {
    super();
    const isList = typeof protocols === 'string' || Array.isArray(protocols);
    const options = (isList ? { protocols } : protocols) as ConnectOptions;
    const { target, settings } = standardArguments(url, options);
    this.url = target.socketPath === undefined ? target.url.href : new URL(url).href;
    this.#origin = target.url.origin;
    const { signal } = settings;
    if (signal?.aborted) this.#dialing.abort(signal.reason);
    const stopListening = onAbort(signal, () => this.#dialing.abort(signal?.reason));
    establish(target, { ...settings, signal: this.#dialing.signal })
      .then(
        (connection) => this.#opened(connection),
        (error) => this.#failed(asError(error)),
      )
      .finally(stopListening);
  }

  /** `CONNECTING` 0, `OPEN` 1, `CLOSING` 2 or `CLOSED` 3. */
  get readyState(): 0 | 1 | 2 | 3 {
    return this.#readyState;
  }

  /**
   * Bytes given to `send` that were not sent yet. Those given after the close began stay counted, as in the standard; frame
   * headers count, too, which the standard does not want.
   */
  get bufferedAmount(): number {
    return this.#keptBytes + (this.#connection?.bufferedAmount ?? 0);
  }

  /** The subprotocol that the server has chosen; empty: none, or not open yet. */
  get protocol(): string {
    return this.#protocol;
  }

  /** The extensions that the server has chosen; empty: none, or not open yet. */
  get extensions(): string {
    return this.#extensions;
  }

  /** Default `'blob'`, as in the standard. What is none of the three values changes nothing. */
  get binaryType(): BinaryType {
    return this.#binaryType;
  }

  set binaryType(type: BinaryType) {
    if (binaryTypes.includes(type)) this.#binaryType = type;
  }

  /**
   * Sends a message: text for a string, binary for the rest. When more waits than `bufferedBytesMax`, the connection closes.
   * @throws `DOMException` (`InvalidStateError`) before the connection is open
   */
  send(data: WebSocketData): void {
    if (this.#readyState === CONNECTING) {
      throw new DOMException('The WebSocket is not open yet: wait for the event "open"', 'InvalidStateError');
    }
    const message = data instanceof Blob ? data : messageOf(data);
    if (this.#readyState !== OPEN) this.#keptBytes += sizeOf(message);
    else if (this.#queue !== null || message instanceof Blob) this.#sendInTurn(message);
    else this.#sendNow(message);
  }

  /**
   * Closes in order, once all was sent; before the connection is open, at once.
   * @param code 1000 or 3000 to 4999. Default: none
   * @param reason at most 123 bytes of UTF-8
   * @throws `DOMException` (`InvalidAccessError`, `SyntaxError`)
   */
  close(code?: number, reason = ''): void {
    const text = String(reason);
    validateClose(code, text);
    if (this.#readyState >= CLOSING) return;
    const wasConnecting = this.#readyState === CONNECTING;
    this.#readyState = CLOSING;
    if (wasConnecting) {
      const message = 'close() was called before the WebSocket was open';
      this.#dialing.abort(new ChannelError('ERR_CHANNEL_ABORTED', message));
      return;
    }
    const close = () => void this.#connection?.close(code ?? (text === '' ? null : CloseCode.NORMAL), text);
    if (this.#queue === null) close();
    else this.#queue.then(close);
  }

  get onopen(): Listener<Event> {
    return this.#listener('open');
  }

  set onopen(listener: Listener<Event>) {
    this.#listen('open', listener);
  }

  get onmessage(): Listener<MessageEvent> {
    return this.#listener('message');
  }

  set onmessage(listener: Listener<MessageEvent>) {
    this.#listen('message', listener);
  }

  get onerror(): Listener<ErrorEvent> {
    return this.#listener('error');
  }

  set onerror(listener: Listener<ErrorEvent>) {
    this.#listen('error', listener);
  }

  get onclose(): Listener<CloseEvent> {
    return this.#listener('close');
  }

  set onclose(listener: Listener<CloseEvent>) {
    this.#listen('close', listener);
  }

  override addEventListener<Type extends keyof WebSocketEventMap>(
    type: Type,
    listener: ListenerOf<Type>,
    options?: AddOptions,
  ): void {
    super.addEventListener(type, listener as AnyListener, options);
  }

  override removeEventListener<Type extends keyof WebSocketEventMap>(
    type: Type,
    listener: ListenerOf<Type>,
    options?: RemoveOptions,
  ): void {
    super.removeEventListener(type, listener as AnyListener, options);
  }

  #listener<T>(type: string): Listener<T> {
    return (this.#listeners.get(type) ?? null) as Listener<T>;
  }

  /** The listener of an attribute keeps its place among the others when it is replaced. */
  #listen<T>(type: keyof WebSocketEventMap, listener: Listener<T>): void {
    if (!this.#listeners.has(type)) {
      super.addEventListener(type, (event) => this.#listener<Event>(type)?.call(this, event));
    }
    this.#listeners.set(type, typeof listener === 'function' ? (listener as Listener<never>) : null);
  }

  #opened(connection: WebSocketConnection): void {
    if (this.#readyState === CLOSING) {
      connection.terminate();
      this.#failed(asError(this.#dialing.signal.reason));
      return;
    }
    this.#connection = connection;
    this.#protocol = connection.protocol;
    this.#extensions = connection.extensions;
    this.#readyState = OPEN;
    connection.data = this;
    connection.handle(WebSocket.#handlers, { lend: true });
  }

  #failed(error: Error): void {
    this.#error = error;
    this.#closed(CloseCode.ABNORMAL, '');
  }

  #received(data: Buffer, binary: boolean): void {
    if (this.#readyState !== OPEN) return;
    const content = binary ? bytesAs(this.#binaryType, data) : data.toString();
    this.dispatchEvent(new MessageEvent('message', { data: content, origin: this.#origin }));
  }

  #closed(code: number, reason: string): void {
    this.#readyState = CLOSED;
    const error = this.#error;
    if (error !== null) this.dispatchEvent(new ErrorEvent('error', error));
    const wasClean = error === null && code !== CloseCode.ABNORMAL;
    this.dispatchEvent(new CloseEvent('close', { code, reason, wasClean }));
  }

  #sendNow(message: string | Uint8Array): void {
    // With compression it is read later, and the caller may change it as soon as this returns.
    const changes =
      this.#extensions !== '' && typeof message !== 'string' && message.byteLength > copiedBytesMax;
    const kept = changes ? Uint8Array.from(message) : message;
    const status = this.#connection?.send(kept);
    if (status === 'refused') this.#keptBytes += sizeOf(message);
  }

  /** A Blob takes its time: what is sent behind it waits. */
  #sendInTurn(message: string | Uint8Array | Blob): void {
    const kept = message instanceof Uint8Array ? Uint8Array.from(message) : message;
    const bytes = sizeOf(kept);
    this.#keptBytes += bytes;
    const turn = this.#sendAfter(this.#queue, kept, bytes).finally(() => {
      if (this.#queue === turn) this.#queue = null;
    });
    this.#queue = turn;
  }

  async #sendAfter(
    before: Promise<void> | null,
    message: string | Uint8Array | Blob,
    bytes: number,
  ): Promise<void> {
    await before;
    try {
      const ready = message instanceof Blob ? new Uint8Array(await message.arrayBuffer()) : message;
      if (this.#connection?.closed !== false) return;
      this.#keptBytes -= bytes;
      this.#sendNow(ready);
    } catch (error) {
      // A Blob of a file that has changed or gone.
      this.#connection?.terminate(asError(error));
    }
  }
}

function messageOf(data: Exclude<WebSocketData, Blob>): string | Uint8Array {
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (data instanceof ArrayBuffer || data instanceof SharedArrayBuffer) return new Uint8Array(data);
  return String(data);
}

function sizeOf(message: string | Uint8Array | Blob): number {
  if (typeof message === 'string') return Buffer.byteLength(message);
  return message instanceof Blob ? message.size : message.byteLength;
}

/** @param data lent */
function bytesAs(type: BinaryType, data: Buffer): Blob | ArrayBuffer | Buffer {
  if (type === 'blob') return new Blob([data as Uint8Array<ArrayBuffer>]);
  return type === 'nodebuffer' ? Buffer.from(data) : Uint8Array.from(data).buffer;
}
