/** The application's word on a handshake, while the client is watched: it may leave, or send what is meant for the WebSocket. */

import type { IncomingMessage } from 'node:http';
import { type Channel, ownCopy, type Receiver } from '@iocp/core/layer';
import { type HeaderFields, headerFields } from '../handshake/request-head.js';
import type {
  HandshakeOptions,
  HandshakeSettings,
  VerifyAcceptance,
  VerifyRefusal,
} from './handshake-options.js';
import type { Medium } from './medium.js';
import { Refusal } from './refusal.js';

/** What `verify` has accepted. */
export interface Acceptance {
  readonly data: unknown;
  readonly headers: HeaderFields;
}

export interface Verified {
  /** Null when the client has gone; its channel is aborted then. */
  readonly verdict: Acceptance | Refusal | null;
  readonly medium: Medium;
}

type Verify = NonNullable<HandshakeOptions['verify']>;

export const acceptedPlainly: Acceptance = { data: undefined, headers: [] };

/** Clients wait for the answer before they send anything. One that does not has to wait from here on. */
const heldBytesMax = 64 * 1024;

/**
 * Asks `verify`.
 * @param watches has the watch while it lasts, for whoever wants to conclude it
 */
export async function verified(
  request: IncomingMessage,
  { channel, head }: Medium,
  verify: Verify,
  { handshakeTimeoutMs }: HandshakeSettings,
  watches: Set<ClientWatch>,
): Promise<Verified> {
  const watch = new ClientWatch(channel);
  watches.add(watch);
  const timer = setTimeout(() => watch.conclude(tooLate(handshakeTimeoutMs)), handshakeTimeoutMs);
  const verdict = await Promise.race([watch.concluded, ask(verify, request, watch.signal)]);
  clearTimeout(timer);
  watches.delete(watch);
  const medium = { channel, head: [...head, ...watch.release()] };
  if (!watch.gone) return { verdict, medium };
  channel.abort();
  return { verdict: null, medium };
}

/** A client that waits for the verdict. */
export class ClientWatch implements Receiver {
  readonly concluded: Promise<Refusal | null>;
  /** It has ended or closed. */
  gone = false;
  readonly #channel: Channel;
  readonly #abort = new AbortController();
  readonly #received: Uint8Array[] = [];
  #receivedBytes = 0;
  #conclude: (outcome: Refusal | null) => void = () => {};

  constructor(channel: Channel) {
    this.#channel = channel;
    this.concluded = new Promise((resolve) => {
      this.#conclude = resolve;
    });
    channel.attach(this);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Nobody needs the verdict any more. */
  conclude(outcome: Refusal | null): void {
    this.#conclude(outcome);
    this.#abort.abort();
  }

  /** Gives the channel back, and what has come meanwhile. */
  release(): Uint8Array[] {
    return this.#received.concat(this.#channel.detach());
  }

  onData(data: Uint8Array): void {
    this.#received.push(ownCopy(data));
    this.#receivedBytes += data.byteLength;
    if (this.#receivedBytes >= heldBytesMax) this.#channel.pause();
  }

  onEnd(): void {
    this.#leave();
  }

  onDrain(): void {}

  onClose(): void {
    this.#leave();
  }

  #leave(): void {
    this.gone = true;
    this.conclude(null);
  }
}

async function ask(
  verify: Verify,
  request: IncomingMessage,
  signal: AbortSignal,
): Promise<Acceptance | Refusal> {
  try {
    const verdict: unknown = await verify(request, { signal });
    if (verdict === true) return acceptedPlainly;
    if (typeof verdict !== 'object' || verdict === null) return new Refusal(403, 'Refused');
    return (verdict as VerifyRefusal).status === undefined
      ? acceptanceOf(verdict as VerifyAcceptance)
      : refusalOf(verdict as VerifyRefusal);
  } catch (cause) {
    return new Refusal(500, 'The server failed to decide', [], cause);
  }
}

function acceptanceOf({ data, headers }: VerifyAcceptance): Acceptance {
  return { data, headers: headerFields(headers, 'headers of what options.verify gives') };
}

function refusalOf({ status, headers, body = '' }: VerifyRefusal): Refusal {
  if (!Number.isInteger(status) || status < 300 || status > 599) {
    throw new RangeError(
      `options.verify gave the status ${status}: it must be 300 to 599, or undefined to accept`,
    );
  }
  return new Refusal(status, body, headerFields(headers, 'headers of what options.verify gives'));
}

function tooLate(timeoutMs: number): Refusal {
  return new Refusal(503, `The server did not decide within ${timeoutMs} ms`);
}
