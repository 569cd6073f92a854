import { validateString } from '@iocp/core/layer';
import type { TopicMembership } from '../connection/topic-membership.js';
import type { WebSocketConnection } from '../connection/websocket-connection.js';
import { PreparedMessage, prepare, type Sendable } from '../prepared.js';

/** Who wants what, of the connections of one server. Topics are there while somebody wants them. */
export class Topics implements TopicMembership {
  readonly #topicsPerConnectionMax: number;
  readonly #connectionClosed: (connection: WebSocketConnection) => void;
  readonly #subscribers = new Map<string, Set<WebSocketConnection>>();
  /** Only of those that have subscribed to something. */
  readonly #topics = new Map<WebSocketConnection, Set<string>>();

  /** @param connectionClosed is told of every connection, when it has left its topics */
  constructor(topicsPerConnectionMax: number, connectionClosed: (connection: WebSocketConnection) => void) {
    this.#topicsPerConnectionMax = topicsPerConnectionMax;
    this.#connectionClosed = connectionClosed;
  }

  /** @returns false when it had subscribed already, has closed, or has as many topics as it may */
  subscribe(connection: WebSocketConnection, topic: string): boolean {
    validateString(topic, 'topic');
    if (connection.closed) return false;
    const topics = this.#topics.get(connection);
    if (topics?.has(topic) || (topics?.size ?? 0) >= this.#topicsPerConnectionMax) return false;
    if (topics === undefined) this.#topics.set(connection, new Set([topic]));
    else topics.add(topic);
    const subscribers = this.#subscribers.get(topic);
    if (subscribers === undefined) this.#subscribers.set(topic, new Set([connection]));
    else subscribers.add(connection);
    return true;
  }

  /** @returns false when it had not subscribed */
  unsubscribe(connection: WebSocketConnection, topic: string): boolean {
    const topics = this.#topics.get(connection);
    if (topics === undefined || !topics.delete(topic)) return false;
    if (topics.size === 0) this.#topics.delete(connection);
    this.#leave(connection, topic);
    return true;
  }

  isSubscribed(connection: WebSocketConnection, topic: string): boolean {
    return this.#topics.get(connection)?.has(topic) ?? false;
  }

  topicsOf(connection: WebSocketConnection): string[] {
    return [...(this.#topics.get(connection) ?? [])];
  }

  /** Connections that have subscribed to `topic`. */
  subscribersOf(topic: string): number {
    return this.#subscribers.get(topic)?.size ?? 0;
  }

  /** Topics that somebody has subscribed to. */
  get count(): number {
    return this.#subscribers.size;
  }

  publish(
    from: WebSocketConnection | null,
    topic: string,
    data: Sendable,
    binary?: boolean,
    compress?: boolean,
  ): number {
    validateString(topic, 'topic');
    return sendToAll(this.#subscribers.get(topic) ?? [], from, data, binary, compress);
  }

  closed(connection: WebSocketConnection): void {
    const topics = this.#topics.get(connection);
    if (topics !== undefined) {
      this.#topics.delete(connection);
      for (const topic of topics) this.#leave(connection, topic);
    }
    this.#connectionClosed(connection);
  }

  #leave(connection: WebSocketConnection, topic: string): void {
    const subscribers = this.#subscribers.get(topic);
    if (subscribers?.delete(connection) && subscribers.size === 0) this.#subscribers.delete(topic);
  }
}

/**
 * Sends one message to many: framed once, and compressed once.
 * @param except gets nothing
 * @returns how many took it
 */
export function sendToAll(
  connections: Iterable<WebSocketConnection>,
  except: WebSocketConnection | null,
  data: Sendable,
  binary?: boolean,
  compress?: boolean,
): number {
  const message = data instanceof PreparedMessage ? data : prepare(data, { binary, compress });
  let count = 0;
  for (const connection of connections) {
    if (connection !== except && connection.send(message) !== 'refused') count++;
  }
  return count;
}
