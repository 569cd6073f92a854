/** Who gets the requests to upgrade that come to an `http.Server`. */

import type { EventEmitter } from 'node:events';
import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { asksForWebSocket, pathOf, targetOf } from './offer.js';

/** One WebSocket server attached to an `http.Server`. */
export interface Attachment {
  readonly servesPath: (path: string, request: IncomingMessage) => boolean;
  readonly upgrade: (request: IncomingMessage, stream: Duplex, head: Buffer) => void;
  /** Nobody serves the path. */
  readonly refuseUnknown: (request: IncomingMessage, stream: Duplex, head: Buffer) => void;
}

const switches = new WeakMap<EventEmitter, UpgradeSwitch>();

/**
 * Gives `attachment` its requests, from now on. Several share a server by their paths. What none of them wants is left to other
 * listeners of `'upgrade'`; when there are none it is refused, or served without the upgrade when it is for something else
 * than a WebSocket.
 * @returns takes it away again
 */
export function attach(server: EventEmitter, attachment: Attachment): () => void {
  let found = switches.get(server);
  if (found === undefined) {
    found = new UpgradeSwitch(server);
    switches.set(server, found);
  }
  return found.add(attachment);
}

class UpgradeSwitch {
  readonly #server: EventEmitter;
  readonly #attachments = new Set<Attachment>();

  constructor(server: EventEmitter) {
    this.#server = server;
  }

  add(attachment: Attachment): () => void {
    if (this.#attachments.size === 0) this.#server.on('upgrade', this.#onUpgrade);
    this.#attachments.add(attachment);
    return () => {
      this.#attachments.delete(attachment);
      if (this.#attachments.size === 0) this.#server.off('upgrade', this.#onUpgrade);
    };
  }

  readonly #onUpgrade = (request: IncomingMessage, stream: Duplex, head: Buffer): void => {
    const wanted = asksForWebSocket(request);
    const path = pathOf(targetOf(request) ?? '/');
    for (const attachment of this.#attachments) {
      if (wanted && attachment.servesPath(path, request)) {
        attachment.upgrade(request, stream, head);
        return;
      }
    }
    if (this.#server.listenerCount('upgrade') > 1) return;
    const [first] = this.#attachments;
    if (wanted || hasBody(request)) first?.refuseUnknown(request, stream, head);
    else serveWithoutUpgrade(this.#server, request, stream);
  };
}

/** `http.Server` does not read the body of a request to upgrade: it cannot be served any more. */
function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) !== 0;
}

/** An upgrade may be ignored (RFC 9110 section 7.8): as for HTTP/2 over plain text, which curl and Java ask for. */
function serveWithoutUpgrade(server: EventEmitter, request: IncomingMessage, stream: Duplex): void {
  const socket = stream as Socket;
  const response = new ServerResponse(request);
  try {
    response.assignSocket(socket);
  } catch {
    // The answer to an earlier request is not finished.
    socket.destroy();
    return;
  }
  // Whatever came behind the request is not parsed any more.
  response.setHeader('Connection', 'close');
  response.once('finish', () => socket.destroySoon());
  socket.on('error', () => {});
  server.emit('request', request, response);
}
