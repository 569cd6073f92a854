/** What the application says to a ClientHello, in the form that the addon takes. */

import { validateBytes } from '@iocp/core/layer';
import type { SecureContext } from '../../context/secure-context.js';
import type { HandshakeSettings } from '../../options/handshake-settings.js';
import type { ClientHello, HelloAnswer } from './binding.js';

export interface Answered {
  readonly answer: HelloAnswer;
  /** Why the application will have none of it. */
  readonly refusal: Error | null;
}

/** Some part of the answer needs a look at the hello. */
export function needsHello({ selectContext, selectProtocol, ocspResponse }: HandshakeSettings): boolean {
  return selectContext !== undefined || selectProtocol !== undefined || ocspResponse !== undefined;
}

/**
 * A promise only when the application has given one. Throws, or rejects with, what the application has thrown.
 * @param preset the context to go on with when no other is chosen
 */
export function answerHello(
  hello: ClientHello,
  settings: HandshakeSettings,
  preset: SecureContext,
): Answered | Promise<Answered> {
  const selected = settings.selectContext?.(hello);
  if (!(selected instanceof Promise)) return answerWith(hello, settings, selected ?? preset);
  return selected.then((context) => answerWith(hello, settings, context ?? preset));
}

/** What is said to the peer when the application has failed. */
export function refuseHello(error: Error): Answered {
  return { answer: { refused: true }, refusal: error };
}

function answerWith(
  hello: ClientHello,
  settings: HandshakeSettings,
  context: SecureContext,
): Answered | Promise<Answered> {
  const native = context.forNative();
  let protocol: string | null | undefined;
  if (settings.selectProtocol !== undefined && hello.protocols.length > 0) {
    try {
      protocol = settings.selectProtocol(hello) ?? null;
    } catch (error) {
      return { answer: { protocol: null }, refusal: error as Error };
    }
  }
  const answered = (ocspResponse: Uint8Array | null): Answered => {
    if (ocspResponse !== null) validateBytes(ocspResponse, 'the result of ocspResponse');
    return { answer: { context: native, protocol, ocspResponse: ocspResponse ?? undefined }, refusal: null };
  };
  const certificate = native.certificate();
  if (settings.ocspResponse === undefined || !hello.wantsOcsp || certificate === undefined)
    return answered(null);
  const issuer = native.issuer();
  const response = settings.ocspResponse(asBuffer(certificate), issuer && asBuffer(issuer));
  return response instanceof Promise ? response.then(answered) : answered(response);
}

/** The same memory. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
