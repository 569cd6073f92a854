/** Checked options of the layer. */

import { checkServerIdentity as checkedByNode } from 'node:tls';
import {
  channelLimits,
  validateBoolean,
  validateBytes,
  validateFunction,
  validateInteger,
  validateOneOf,
} from '@iocp/core/layer';
import type { SecureContext } from '../context/secure-context.js';
import type { TlsChannelSettings } from '../tls-channel.js';
import { alpnSettings } from './alpn.js';
import type { HandshakeSettings } from './handshake-settings.js';
import { missingOption } from './option-errors.js';
import { contextSelection, ServerContexts } from './server-contexts.js';
import { nameToAskFor, validateServerName } from './server-name.js';
import type { TlsOptions, TlsWrapOptions } from './tls-options.js';

const longestMs = 2 ** 31 - 1;
/** A slow reader must not make us hold all of a long write twice. */
const stepBytes = 256 * 1024;

/** With the defaults filled in. One object serves all connections of a layer. */
export interface TlsSettings {
  /** Those of a client lack the names of the server: see `clientSettings`. */
  readonly handshake: HandshakeSettings;
  readonly channel: TlsChannelSettings;
  readonly handshakeTimeoutMs: number;
  readonly contexts: ServerContexts | undefined;
  /** Of the options; undefined: whatever was dialled. */
  readonly servername: string | undefined;
  /** The name in the certificate of a server decides. */
  readonly needsHost: boolean;
}

/**
 * Checks all but what is of the secure context.
 * @param makeContext for `servernames`
 * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, `ERR_TLS_ALPN_CALLBACK_WITH_PROTOCOLS`, and what
 * `makeContext` throws
 */
export function tlsSettings(options: TlsOptions, makeContext: (given: object) => SecureContext): TlsSettings {
  const { servername, servernames, handshakeTimeoutMs = 10_000, rejectUnauthorized = true } = options;
  if (servername !== undefined) validateServerName(servername, 'options.servername');
  validateInteger(handshakeTimeoutMs, 'options.handshakeTimeoutMs', 1, longestMs);
  const contexts = servernames === undefined ? undefined : new ServerContexts(servernames, makeContext);
  return {
    handshake: handshakeSettings(options, contexts),
    channel: channelSettings(options),
    handshakeTimeoutMs,
    contexts,
    servername,
    needsHost: rejectUnauthorized && options.checkServerIdentity === undefined,
  };
}

/**
 * For one connection of a client.
 * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_MISSING_OPTION` when nothing says whose certificate to expect
 */
export function clientSettings(settings: TlsSettings, options: TlsWrapOptions): HandshakeSettings {
  const { host = '', session = settings.handshake.session } = options;
  const servername = options.servername ?? settings.servername ?? host;
  validateServerName(host, 'options.host');
  validateServerName(servername, 'options.servername');
  if (session !== undefined) validateBytes(session, 'options.session');
  const expectedHost = servername || host;
  if (settings.needsHost && expectedHost === '') {
    throw missingOption('options.servername', 'it says whose certificate the server must have');
  }
  return {
    ...settings.handshake,
    servername: nameToAskFor(servername),
    expectedHost,
    session: session === undefined ? undefined : Buffer.from(session),
  };
}

function handshakeSettings(options: TlsOptions, contexts: ServerContexts | undefined): HandshakeSettings {
  const { requestCert = false, rejectUnauthorized = true, requestOCSP = false } = options;
  const { checkServerIdentity = checkedByNode, ocspResponse, session, truncation = 'error' } = options;
  validateBoolean(requestCert, 'options.requestCert');
  validateBoolean(rejectUnauthorized, 'options.rejectUnauthorized');
  validateBoolean(requestOCSP, 'options.requestOCSP');
  validateFunction(checkServerIdentity, 'options.checkServerIdentity');
  if (ocspResponse !== undefined) validateFunction(ocspResponse, 'options.ocspResponse');
  if (session !== undefined) validateBytes(session, 'options.session');
  validateOneOf(truncation, 'options.truncation', ['error', 'end'] as const);
  return {
    ...alpnSettings(options),
    requestCert,
    rejectUnauthorized,
    selectContext: contextSelection(contexts, options.SNICallback),
    ocspResponse,
    servername: '',
    expectedHost: '',
    checkServerIdentity,
    session: session === undefined ? undefined : Buffer.from(session),
    requestOcsp: requestOCSP,
    sessions: options.onSession !== undefined,
    keylog: options.onKeylog !== undefined,
    truncation,
  };
}

function channelSettings(options: TlsOptions): TlsChannelSettings {
  const { closeTimeoutMs = 2000, onSession, onKeylog } = options;
  validateInteger(closeTimeoutMs, 'options.closeTimeoutMs', 0, longestMs);
  if (onSession !== undefined) validateFunction(onSession, 'options.onSession');
  if (onKeylog !== undefined) validateFunction(onKeylog, 'options.onKeylog');
  const limits = channelLimits(options);
  // The channel below may well have the same limits.
  const stepBytesMax = Math.min(stepBytes, Math.ceil(limits.bufferedBytesMax / 2));
  return { limits, stepBytesMax, closeTimeoutMs, onSession, onKeylog };
}

/** @throws `ERR_INVALID_ARG_TYPE` */
export function headBytes(head: TlsWrapOptions['head']): Uint8Array | undefined {
  if (head === undefined) return undefined;
  if (!Array.isArray(head)) {
    validateBytes(head, 'options.head');
    return head;
  }
  head.forEach((part, index) => {
    validateBytes(part, `options.head[${index}]`);
  });
  return Buffer.concat(head);
}
