/** How a server chooses certificates by the name that the client asks for. */

import { invalidArgumentValue, validateFunction, validateObject } from '@iocp/core/layer';
import { isSecureContext, type SecureContext } from '../context/secure-context.js';
import type { HandshakeSettings, HelloFacts } from './handshake-settings.js';
import { invalidContext } from './option-errors.js';
import { normalizedName, validateServerName } from './server-name.js';

/** Null and undefined: the default context of the server. */
export type ChosenContext = SecureContext | null | undefined;

export type SniAnswer = (error: Error | null, context?: ChosenContext) => void;

/**
 * Chooses a context for a name. Answers by its result, now or later, or, as in `node:tls`, by the callback; what it throws, or an
 * error given to the callback, ends the handshake.
 */
export type SniCallback =
  | ((servername: string, answer: SniAnswer) => ChosenContext | Promise<ChosenContext>)
  | ((servername: string, answer: SniAnswer) => void);

type SelectContext = NonNullable<HandshakeSettings['selectContext']>;

/** Contexts by name. `*.example.com` stands for every name with one label more than `example.com`. */
export class ServerContexts {
  readonly #exact = new Map<string, SecureContext>();
  /** By what follows the first label. */
  readonly #wildcards = new Map<string, SecureContext>();

  /** Throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, and what `makeContext` throws. */
  constructor(servernames: object, makeContext: (given: object) => SecureContext) {
    validateObject(servernames, 'options.servernames');
    for (const [name, given] of Object.entries(servernames)) {
      const where = `options.servernames['${name}']`;
      validateServerName(name, where);
      validateObject(given, where);
      this.#add(normalizedName(name), where, isSecureContext(given) ? given : makeContext(given));
    }
  }

  /** Every context. */
  get all(): SecureContext[] {
    return [...this.#exact.values(), ...this.#wildcards.values()];
  }

  /** The context for a name: an exact one before a wildcard. */
  find(name: string): SecureContext | undefined {
    const wanted = normalizedName(name);
    const dot = wanted.indexOf('.');
    return this.#exact.get(wanted) ?? (dot < 0 ? undefined : this.#wildcards.get(wanted.slice(dot + 1)));
  }

  #add(name: string, where: string, context: SecureContext): void {
    const parent = name.startsWith('*.') ? name.slice(2) : undefined;
    if (name === '' || (parent ?? name).includes('*') || parent === '') {
      throw invalidArgumentValue(where, name, 'must be a host name, with "*." before it at most');
    }
    if (parent === undefined) this.#exact.set(name, context);
    else this.#wildcards.set(parent, context);
  }
}

/** The names of `contexts` first; then `callback` is asked. */
export function contextSelection(
  contexts: ServerContexts | undefined,
  callback: SniCallback | undefined,
): SelectContext | undefined {
  if (callback !== undefined) validateFunction(callback, 'options.SNICallback');
  if (contexts === undefined && callback === undefined) return undefined;
  return ({ servername }: HelloFacts) => {
    if (servername === undefined) return undefined;
    const known = contexts?.find(servername);
    if (known !== undefined || callback === undefined) return known;
    return askedOf(callback, servername);
  };
}

/** Whichever answers first, the result or the callback. */
function askedOf(callback: SniCallback, servername: string): Promise<ChosenContext> {
  return new Promise((resolve, reject) => {
    const answer = (context: unknown): void => {
      if (context === undefined || context === null || isSecureContext(context)) resolve(context);
      else reject(invalidContext('options.SNICallback'));
    };
    const result: unknown = callback(servername, (error, context) => {
      if (error) reject(error);
      else answer(context);
    });
    // Nothing: it answers by the callback, unless it takes none.
    if (isPromise(result)) result.then(answer, reject);
    else if (result !== undefined || callback.length === 1) answer(result);
  });
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function';
}
