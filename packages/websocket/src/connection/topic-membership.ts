import type { Sendable } from '../prepared.js';
import type { WebSocketConnection } from './websocket-connection.js';

/** Who knows which connections want what. */
export interface TopicMembership {
  subscribe(socket: WebSocketConnection, topic: string): boolean;
  unsubscribe(socket: WebSocketConnection, topic: string): boolean;
  isSubscribed(socket: WebSocketConnection, topic: string): boolean;
  topicsOf(socket: WebSocketConnection): string[];
  /** To all that have subscribed, but not to `from`. @returns how many took it */
  publish(
    from: WebSocketConnection | null,
    topic: string,
    data: Sendable,
    binary?: boolean,
    compress?: boolean,
  ): number;
  /** It has closed. */
  closed(socket: WebSocketConnection): void;
}
