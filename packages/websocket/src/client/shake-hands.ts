/** The opening handshake over a channel. */

import { asError, type Channel, onAbort, type Receiver } from '@iocp/core/layer';
import type {
  ClientHandshake,
  HandshakeOutcome,
  Redirected,
  Upgraded,
} from '../handshake/client-handshake.js';
import { isTimeUp } from './deadline.js';

/** The channel has no receiver, and is the caller's again. */
export interface Opened {
  readonly upgraded: Upgraded;
  /** What the server has sent behind its answer. Bytes of their own. */
  readonly head: readonly Uint8Array[];
}

/**
 * Sends the request and waits for the outcome. When the server redirects, it resolves once the channel has closed. It rejects
 * once the channel has closed, with what has gone wrong; when `signal` fires, at once, with its reason, or with what is known
 * of a refusal when time was up.
 */
export function shakeHands(
  channel: Channel,
  handshake: ClientHandshake,
  signal: AbortSignal | undefined,
): Promise<Opened | Redirected> {
  return new Promise((resolve, reject) => {
    const opening = new Opening(channel, handshake, (result) => {
      stopListening();
      if (result instanceof Error) reject(result);
      else resolve(result);
    });
    const stopListening = onAbort(signal, () => {
      const { reason } = signal as AbortSignal;
      channel.abort(asError(reason));
      reject(isTimeUp(signal as AbortSignal) ? (handshake.refusal ?? reason) : reason);
    });
    opening.begin();
  });
}

type Settle = (result: Opened | Redirected | Error) => void;

class Opening implements Receiver {
  readonly #channel: Channel;
  readonly #handshake: ClientHandshake;
  readonly #settle: Settle;
  /** What to settle with, once the channel has closed. */
  #result: Redirected | Error | null = null;

  constructor(channel: Channel, handshake: ClientHandshake, settle: Settle) {
    this.#channel = channel;
    this.#handshake = handshake;
    this.#settle = settle;
  }

  begin(): void {
    try {
      this.#channel.attach(this);
    } catch (error) {
      // The channel has another receiver.
      this.#channel.abort(asError(error));
      this.#settle(asError(error));
      return;
    }
    this.#channel.resume();
    this.#channel.write(this.#handshake.request);
  }

  onData(bytes: Uint8Array): void {
    let outcome: HandshakeOutcome | null;
    try {
      outcome = this.#handshake.receive(bytes);
    } catch (error) {
      this.#closeWith(asError(error));
      return;
    }
    if (outcome === null) return;
    if (outcome.kind === 'redirected') this.#closeWith(outcome);
    else this.#open(outcome);
  }

  onEnd(): void {
    if (this.#result === null) this.#closeWith(this.#handshake.ended());
  }

  onDrain(): void {}

  onClose(error: Error | null): void {
    const { refusal } = this.#handshake;
    this.#settle(this.#result ?? refusal ?? error ?? this.#handshake.ended());
  }

  #open(upgraded: Upgraded): void {
    const own = Uint8Array.from(upgraded.head);
    this.#settle({ upgraded, head: [own, ...this.#channel.detach()].filter(hasBytes) });
  }

  #closeWith(result: Redirected | Error): void {
    this.#result = result;
    this.#channel.abort(result instanceof Error ? result : undefined);
  }
}

function hasBytes(bytes: Uint8Array): boolean {
  return bytes.byteLength > 0;
}
