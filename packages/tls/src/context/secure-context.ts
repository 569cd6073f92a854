import type { EngineName } from '../engine/engine.js';
import type { NativeContext } from '../engine/native/binding.js';
import { createNativeContext } from '../engine/native/native-context.js';
import { NodeContext } from '../engine/node/node-context.js';
import type { SecureContextSettings } from './secure-context-settings.js';
import { readTicketKeys } from './ticket-keys.js';

/**
 * Certificates, keys and protocol versions, prepared once and used by any number of connections. Made by
 * `createSecureContext`. Nothing but its ticket keys ever changes: to change a certificate, make another and use that for new
 * connections.
 */
export class SecureContext {
  #settings: SecureContextSettings;
  #native: NativeContext | undefined;
  #node: NodeContext | undefined;

  /** @internal @param engine the one it is made for at once, so that bad credentials show here */
  constructor(settings: SecureContextSettings, engine: EngineName) {
    this.#settings = settings;
    if (engine === 'native') this.#native = createNativeContext(settings);
    else this.#node = new NodeContext(settings);
  }

  /** @internal */
  get settings(): SecureContextSettings {
    return this.#settings;
  }

  /** @internal For the native engine. */
  forNative(): NativeContext {
    this.#native ??= createNativeContext(this.#settings);
    return this.#native;
  }

  /** @internal For the engine over `node:tls`. */
  forNode(): NodeContext {
    this.#node ??= new NodeContext(this.#settings);
    return this.#node;
  }

  /**
   * Replaces the keys of session tickets, for handshakes from now on.
   * @param keys one or several of 48 bytes, copied. The first encrypts; tickets of the others are accepted and renewed, which
   * lets sessions survive a rotation. The engine `node` accepts them, too, but renews none until their key is gone
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`
   */
  setTicketKeys(keys: Uint8Array | readonly Uint8Array[]): void {
    const ticketKeys = readTicketKeys(keys, 'keys');
    this.#settings = { ...this.#settings, ticketKeys };
    this.#native?.setTicketKeys(ticketKeys);
    this.#node?.setTicketKeys(ticketKeys);
  }
}

/** Also one that was made by the other module format of this package, which no `instanceof` knows. */
export function isSecureContext(given: unknown): given is SecureContext {
  return given instanceof SecureContext || typeof (given as SecureContext | null)?.forNative === 'function';
}
