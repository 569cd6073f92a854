/** What tests of servers share. */

import { once } from 'node:events';
import net from 'node:net';
import { CompletionPort } from '@iocp/core';
import {
  assertNoLeaks,
  nextTurn,
  type TestCertificates,
  testCertificates,
  withDeadline,
} from '@iocp/testkit';
import { afterEach, beforeAll, beforeEach, describe, test } from 'vitest';
import WebSocket, { type ClientOptions as WsOptions } from 'ws';
import { type Backend, exclusionOf, systemBackends } from '../../../../system.shared.js';
import { listen, type WebSocketListenOptions } from '../../src/server/listen.js';
import type { WebSocketServerHandlers } from '../../src/server/server-options.js';
import type { WebSocketServer } from '../../src/server/websocket-server.js';

export interface ClientOptions extends WsOptions {
  readonly protocols?: string[];
  /** For TLS: the certificate to trust. */
  readonly ca?: string;
}

export interface Fixture {
  readonly backend: Backend;
  /** A port of the backend under test, new for each test. */
  readonly port: CompletionPort;
  readonly certificates: TestCertificates;
  /** Runs after the test, last first, before the leak check. */
  after(cleanup: () => unknown): void;
  /** A server on 127.0.0.1 unless told otherwise, closed after the test. */
  listen(options?: WebSocketListenOptions, handlers?: WebSocketServerHandlers): Promise<WebSocketServer>;
  /** A client that says what it likes, to a port of this machine. */
  raw(target: WebSocketServer | number): Promise<RawClient>;
  /** A client of the package `ws`, not open yet; terminated after the test. */
  ws(target: WebSocketServer | number, path?: string, options?: ClientOptions): WebSocket;
  /** The same, once it is open. */
  open(target: WebSocketServer | number, path?: string, options?: ClientOptions): Promise<WebSocket>;
}

/** Defines the same tests for each backend; after each, operations, sockets, slots and pins must be back at zero. */
export function onEachBackend(name: string, define: (fixture: Fixture) => void): void {
  describe.each(systemBackends)(`${name} on %s`, (backend) => {
    const exclusion = exclusionOf(backend);
    if (exclusion !== undefined) {
      test.skip(exclusion, () => {});
      return;
    }
    let port: CompletionPort;
    let certificates: TestCertificates;
    let cleanups: (() => unknown)[] = [];
    beforeAll(async () => {
      certificates = await testCertificates();
    });
    beforeEach(() => {
      port = new CompletionPort({ backend });
      cleanups = [];
    });
    afterEach(async () => {
      for (const cleanup of cleanups.reverse()) await cleanup();
      await assertNoLeaks(port);
      await port.close();
    });
    const fixture: Fixture = {
      backend,
      get port() {
        return port;
      },
      get certificates() {
        return certificates;
      },
      after(cleanup) {
        cleanups.push(cleanup);
      },
      async listen(options = {}, handlers) {
        const host = options.path === undefined ? { host: '127.0.0.1' } : {};
        const server = await listen({ completionPort: port, ...host, ...options }, handlers);
        cleanups.push(() => server.close({ graceMs: 0 }));
        return server;
      },
      async raw(target) {
        const socket = net.connect({ host: '127.0.0.1', port: portOf(target), allowHalfOpen: true });
        cleanups.push(() => socket.destroy());
        await once(socket, 'connect');
        return new RawClient(socket);
      },
      ws(target, path = '/', { protocols = [], ...options } = {}) {
        const scheme = options.ca === undefined ? 'ws' : 'wss';
        const socket = new WebSocket(`${scheme}://127.0.0.1:${portOf(target)}${path}`, protocols, {
          ...options,
        });
        cleanups.push(() => socket.terminate());
        return socket;
      },
      async open(target, path, options) {
        const socket = fixture.ws(target, path, options);
        await once(socket, 'open');
        return socket;
      },
    };
    define(fixture);
  });
}

export function portOf(target: WebSocketServer | number): number {
  return typeof target === 'number' ? target : (target.address()?.port as number);
}

export interface RawResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Bytes out, and everything that comes in. */
export class RawClient {
  readonly socket: net.Socket;
  received: Buffer = Buffer.alloc(0);
  ended = false;
  reset = false;

  constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on('data', (data: Buffer) => {
      this.received = Buffer.concat([this.received, data]);
    });
    socket.on('end', () => {
      this.ended = true;
    });
    socket.on('error', () => {
      this.reset = true;
    });
  }

  send(data: string | Uint8Array): this {
    this.socket.write(data);
    return this;
  }

  until(condition: () => boolean): Promise<void> {
    return until(condition);
  }

  /** The head and the body of the response, once the server has ended. */
  async refused(): Promise<RawResponse> {
    await this.until(() => this.ended || this.reset);
    const response = this.response();
    if (response === null)
      throw new Error(`No response, but '${this.received}' and ${this.reset ? 'a reset' : 'the end'}`);
    this.socket.end();
    return response;
  }

  /** The response that switches protocols. What follows it stays in `received`. */
  async upgraded(): Promise<RawResponse> {
    await this.until(() => this.response() !== null);
    const response = this.response() as RawResponse;
    this.received = this.received.subarray(this.received.indexOf('\r\n\r\n') + 4);
    return response;
  }

  response(): RawResponse | null {
    const end = this.received.indexOf('\r\n\r\n');
    if (end < 0) return null;
    const [first = '', ...lines] = this.received.toString('latin1', 0, end).split('\r\n');
    const headers: Record<string, string> = {};
    for (const line of lines) {
      const colon = line.indexOf(':');
      headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
    }
    const status = Number(first.split(' ')[1]);
    return { status, headers, body: this.received.toString('latin1', end + 4) };
  }
}

/** Turns of the event loop until it is so. */
export async function until(condition: () => boolean): Promise<void> {
  const waiting = async () => {
    while (!condition()) await nextTurn();
  };
  await withDeadline(waiting(), 4000, () => `what is waited for does not happen: ${condition}`);
}

export interface RequestParts {
  readonly method?: string;
  readonly target?: string;
  readonly version?: string;
  /** Undefined leaves a field out. */
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>>;
}

export const sampleKey = 'dGhlIHNhbXBsZSBub25jZQ==';

/** A request for a WebSocket, with whatever is to be wrong with it. */
export function requestText({
  method = 'GET',
  target = '/',
  version = '1.1',
  headers = {},
}: RequestParts = {}): string {
  const fields: RequestParts['headers'] = {
    Host: 'server.test',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Key': sampleKey,
    'Sec-WebSocket-Version': '13',
    ...headers,
  };
  const lines = Object.entries(fields).flatMap(([name, value]) =>
    value === undefined ? [] : [value].flat().map((each) => `${name}: ${each}`),
  );
  return [`${method} ${target} HTTP/${version}`, ...lines, '', ''].join('\r\n');
}

/** A frame of a client, masked with nothing. */
export function maskedFrame(opcode: number, payload: string | Uint8Array): Buffer {
  const bytes = Buffer.from(payload);
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | bytes.byteLength, 0, 0, 0, 0]), bytes]);
}

/** A frame of a server. */
export function plainFrame(opcode: number, payload: string | Uint8Array): Buffer {
  const bytes = Buffer.from(payload);
  return Buffer.concat([Buffer.from([0x80 | opcode, bytes.byteLength]), bytes]);
}

/** Sends everything back. */
export const echo: WebSocketServerHandlers = {
  message(socket, data, binary) {
    socket.send(data, binary);
  },
};

/** The status with which a client of `ws` was refused. */
export async function refusalOf(socket: WebSocket): Promise<number> {
  socket.on('error', () => {});
  const [, response] = (await once(socket, 'unexpected-response')) as [
    unknown,
    { statusCode: number; resume(): void },
  ];
  response.resume();
  return response.statusCode;
}
