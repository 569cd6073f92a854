/** What the WebSocket suite needs of the implementation under test. */

import type { Channel } from '@iocp/core/layer';

/** How the implementation is set up for permessage-deflate; messages from 1 KiB on are to be compressed. */
export type DeflateSetUp = 'stateless' | 'stateful';

export interface SubjectOptions {
  /** Compression is offered or accepted; `stateful` also keeps the context between messages. Default: no compression. */
  readonly deflate?: DeflateSetUp;
}

/** One connection of the subject. */
export interface SubjectConnection {
  /** The suite's end of it. Nothing was sent or received yet, but by a client. */
  readonly channel: Channel;
  /** A client's: resolves when it takes the connection for open, rejects when it refuses the answer. */
  readonly opened?: Promise<unknown>;
}

/**
 * An implementation that sends each message back as it came: text as text, binary as binary. Its limit is 16 MiB for a
 * message. What it does after a timeout, it must not have done within `deadlineMs`: give it long ones.
 */
export interface WebSocketSubject {
  /** A new connection: to its server, or from its client. */
  open(options?: SubjectOptions): Promise<SubjectConnection>;
  /** Longest wait for an event before a test fails. Default 10 s. */
  readonly deadlineMs?: number;
}

/** How implementations may differ. */
export interface WebSocketTraits {
  /** When invalid UTF-8 is refused: as soon as it has come (the default), or when its message is complete. */
  readonly invalidText?: 'at once' | 'at the end';
  /** Whether lengths in more bytes than needed are refused, as RFC 6455, 5.2 has it. Default true. */
  readonly minimalLengths?: boolean;
  /** Whether what is sent back is compressed once that was agreed on, from 1 KiB on. Default true. */
  readonly compressesAnswers?: boolean;
  /** The large ones and the long ones in the whole size of the Autobahn suite. Default false: as much as shows the kind of error. */
  readonly fullSize?: boolean;
}
