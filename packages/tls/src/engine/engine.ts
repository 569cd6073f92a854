/**
 * TLS without input and output: bytes go in, bytes and events come out. What opens connections, waits, or has timers is
 * elsewhere, so that an engine can be fed with anything by a test.
 */

import type { WriteMemory } from '@iocp/core/layer';
import type { SecureContext } from '../context/secure-context.js';
import type { HandshakeSettings } from '../options/handshake-settings.js';
import type { TlsFacts } from './facts.js';

export type EngineName = 'native' | 'node';

/**
 * What an engine has to say. Events come from inside a call of the engine (`native`), or later (`node`); a handler may
 * call the engine again, and must not throw. After `onError`, and after `destroy`, nothing comes any more.
 */
export interface EngineEvents {
  /** Records for the peer, in order. Lent: valid until this returns; `write` of a channel keeps them alive. */
  onOutput(records: Uint8Array): void;
  /** The handshake is done and the peer is who it should be: `send` and `end` may be called, `facts` are known. Once. */
  onHandshake(): void;
  /** What the peer has sent, never empty. Lent: valid until this returns. */
  onData(plain: Uint8Array): void;
  /** The peer has said close_notify: it will send no more. At most once. */
  onEnd(): void;
  /**
   * It cannot go on: the peer was refused, or has broken the protocol. Last of all; the alert, if there is one to send, has
   * come by `onOutput` before.
   */
  onError(error: Error): void;
  /** `true`: waits for an answer of the application and wants no input until `false`. */
  onBusy(busy: boolean): void;
  /** Client: a session to resume later, in OpenSSL's DER form. Several with TLS 1.3. */
  onSession(session: Buffer): void;
  /** A line of the NSS key log format, with its newline. Only when `settings.keylog` is set. */
  onKeylog(line: Buffer): void;
}

/** One connection's TLS. Made by `createEngine`; every engine must be destroyed. */
export interface TlsEngine {
  readonly name: EngineName;
  /** Begins: a client puts its ClientHello out. Once, first. */
  start(): void;
  /** Takes in what came from the peer. Lent: consumed or copied when it returns. */
  receive(records: Uint8Array): void;
  /** The stream from the peer has ended. Without a close_notify before it, `onError` with `ERR_TLS_TRUNCATED` follows. */
  receiveEnd(): void;
  /**
   * Encrypts `plain`, of any length above 0. After `onHandshake`, before `end`.
   * @param done called once when all records of it were put out: inside this call (`native`) or later (`node`), during which
   * time `plain` must not change
   */
  send(plain: Uint8Array, done: () => void): void;
  /** Puts out a close_notify: nothing more will be sent. The peer may go on. `done` as for `send`. */
  end(done: () => void): void;
  /** What is known of the connection; complete from `onHandshake` on, and readable after `destroy`. */
  readonly facts: TlsFacts;
  /** Frees it. No event comes from it any more. Idempotent. */
  destroy(): void;
}

/** What an engine is made from. */
export interface EngineOptions {
  readonly role: 'client' | 'server';
  readonly context: SecureContext;
  readonly settings: HandshakeSettings;
  /** Memory that records and plain text are best put into, when the channel below has any. */
  readonly memory: WriteMemory | null;
  readonly events: EngineEvents;
}

export type CreateEngine = (options: EngineOptions) => TlsEngine;
