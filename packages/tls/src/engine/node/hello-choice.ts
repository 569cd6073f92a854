/** What a server answers to a ClientHello, before OpenSSL has seen it. */

import { asError } from '@iocp/core/layer';
import type { SecureContext } from '../../context/secure-context.js';
import { TlsError } from '../../errors.js';
import type { HandshakeSettings } from '../../options/handshake-settings.js';
import type { ClientHello } from './client-hello.js';

/** Alerts, as OpenSSL would send them (RFC 8446 section 6). */
const unrecognizedName = 112;
const noApplicationProtocol = 120;

/** The handshake ends here. */
export class Refusal {
  readonly error: Error;
  /** A record that says so, in the clear, as nothing is encrypted yet. */
  readonly alert: Buffer;

  constructor(error: unknown, alert: number) {
    this.error = asError(error);
    this.alert = Buffer.of(21, 3, 3, 0, 2, 2, alert);
  }
}

/** The context to go on with. Throws a Refusal, or rejects with it. */
export function chooseContext(
  hello: ClientHello,
  settings: HandshakeSettings,
  preset: SecureContext,
): SecureContext | Promise<SecureContext> {
  const refuse = (error: unknown): never => {
    throw new Refusal(error, unrecognizedName);
  };
  let chosen: ReturnType<NonNullable<HandshakeSettings['selectContext']>>;
  try {
    chosen = settings.selectContext?.(hello);
  } catch (error) {
    return refuse(error);
  }
  if (!(chosen instanceof Promise)) return chosen ?? preset;
  return chosen.then((context) => context ?? preset, refuse);
}

/** The protocol of ALPN, or undefined for none. Throws a Refusal. */
export function chooseProtocol(hello: ClientHello, settings: HandshakeSettings): string | undefined {
  const { alpnProtocols, selectProtocol } = settings;
  const offered = hello.protocols;
  if (offered.length === 0 || (selectProtocol === undefined && alpnProtocols.length === 0)) return undefined;
  let chosen: string | undefined;
  try {
    chosen = selectProtocol ? selectProtocol(hello) : alpnProtocols.find((name) => offered.includes(name));
  } catch (error) {
    throw new Refusal(error, noApplicationProtocol);
  }
  if (chosen === undefined) throw new Refusal(nothingInCommon(), noApplicationProtocol);
  return chosen;
}

/** As OpenSSL says it. */
function nothingInCommon(): TlsError {
  const reason = 'no application protocol';
  return new TlsError('ERR_SSL_NO_APPLICATION_PROTOCOL', reason, { library: 'SSL routines', reason });
}
