import type { Duplex } from 'node:stream';
import Ws from 'ws';
import { type DialOptions, dialTcp, dialTls } from './dial.js';

/** As those of `ws`. With an `agent` or a `createConnection` of your own, that one connects, and not we. */
export interface ClientOptions extends Ws.ClientOptions {
  /** The port whose thread serves the connection. Default: the one of this thread. */
  readonly completionPort?: DialOptions['completionPort'];
}

/** `WebSocket` of `ws`, whose clients connect with `@iocp/tcp` and `@iocp/tls`. */
export class WebSocket extends Ws {
  /** As of `ws`; a server passes null as the address. @throws as `ws` does: `SyntaxError`, `RangeError` */
  constructor(address: null);
  constructor(address: string | URL, options?: ClientOptions);
  constructor(address: string | URL, protocols?: string | string[], options?: ClientOptions);
  constructor(
    address: string | URL | null,
    protocols?: string | string[] | ClientOptions,
    options?: ClientOptions,
  ) {
    const hasOptionsSecond = typeof protocols === 'object' && !Array.isArray(protocols);
    const given = hasOptionsSecond ? protocols : options;
    const names = hasOptionsSecond ? [] : protocols;
    super(address as string, names as string[], address === null ? given : dialling(given));
  }
}

/** The types that `ws` has in this place. */
export namespace WebSocket {
  export type RawData = Ws.RawData;
  export type Data = Ws.Data;
  export type Event = Ws.Event;
  export type MessageEvent = Ws.MessageEvent;
  export type CloseEvent = Ws.CloseEvent;
  export type ErrorEvent = Ws.ErrorEvent;
  export type PerMessageDeflateOptions = Ws.PerMessageDeflateOptions;
}

function dialling(options: ClientOptions | null | undefined): Ws.ClientOptions {
  if (options?.agent || options?.createConnection) return options;
  // The default port, which is then left to ws, tells what has to be dialled: a redirect may lead from one to the other.
  return { ...options, defaultPort: undefined, createConnection } as object;
}

/** What `http.request` and `https.request` connect with. */
function createConnection(
  options: DialOptions & { readonly defaultPort: number },
  done: (error: Error | null, stream?: Duplex) => void,
): Duplex | undefined {
  if (options.defaultPort === 80) return dialTcp(options);
  dialTls(options, done);
  return undefined;
}
