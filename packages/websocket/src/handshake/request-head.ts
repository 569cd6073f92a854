/** The client's request for a WebSocket (RFC 6455 section 4.1). */

import { invalidArgumentType, invalidArgumentValue, validateString } from '@iocp/core/layer';
import { isToken } from './header-tokens.js';

/** Header fields of a request: an object, or pairs as a `Headers` or a `Map` gives them. */
export type RequestHeaders =
  | Readonly<Record<string, string | readonly string[] | undefined>>
  | Iterable<readonly [name: string, value: string]>;

/** In order, checked. */
export type HeaderFields = readonly (readonly [name: string, value: string])[];

/** What is said of the connection is said by the handshake. */
const reserved = new Set([
  'connection',
  'upgrade',
  'sec-websocket-key',
  'sec-websocket-version',
  'sec-websocket-protocol',
  'sec-websocket-extensions',
  'sec-websocket-accept',
  'transfer-encoding',
  'content-length',
]);

/**
 * Checks header fields.
 * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`
 */
export function headerFields(headers: RequestHeaders | undefined, optionName: string): HeaderFields {
  if (headers === undefined) return [];
  if (headers === null || typeof headers !== 'object') {
    throw invalidArgumentType(optionName, 'of type object', headers);
  }
  const fields: [string, string][] = [];
  for (const [name, value] of pairsOf(headers)) {
    if (value === undefined) continue;
    const values = Array.isArray(value) ? value : [value];
    for (const each of values) fields.push([name, checkedValue(name, each, optionName)]);
  }
  return fields;
}

function pairsOf(headers: RequestHeaders): Iterable<readonly [string, unknown]> {
  return Symbol.iterator in headers
    ? (headers as Iterable<readonly [string, string]>)
    : Object.entries(headers);
}

function checkedValue(name: unknown, value: unknown, optionName: string): string {
  if (typeof name !== 'string' || !isToken(name)) {
    throw invalidArgumentValue(optionName, name, 'has a name that no header field can have');
  }
  if (reserved.has(name.toLowerCase())) {
    throw invalidArgumentValue(optionName, name, 'has a header field that the handshake itself sets');
  }
  validateString(value, `${optionName}.${name}`);
  validateFieldValue(value, `${optionName}.${name}`);
  return value;
}

/** Throws `ERR_INVALID_ARG_VALUE` unless `value` can be that of a header field. */
export function validateFieldValue(value: string, name: string): void {
  if (/[^\t\x20-\x7e\x80-\xff]/.test(value))
    throw invalidArgumentValue(name, value, 'has characters that a header field cannot have');
}

/** Of an option `origin`. Throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`. */
export function originField(origin: string | undefined, optionName: string): HeaderFields {
  if (origin === undefined) return [];
  validateString(origin, optionName);
  validateFieldValue(origin, optionName);
  return [['Origin', origin]];
}

/** What a request is made of. */
export interface RequestParts {
  /** Path and query. */
  readonly target: string;
  /** Of the field Host, unless `headers` have one. */
  readonly host: string;
  readonly key: string;
  readonly protocols: readonly string[];
  /** What is offered of extensions; empty: nothing. */
  readonly extensions: string;
  readonly headers: HeaderFields;
}

export function requestHead(parts: RequestParts): Buffer {
  const { target, host, key, protocols, extensions, headers } = parts;
  const lines = [`GET ${target} HTTP/1.1`];
  if (!hasField(headers, 'host')) lines.push(`Host: ${host}`);
  lines.push(
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Key: ${key}`,
    'Sec-WebSocket-Version: 13',
  );
  if (protocols.length > 0) lines.push(`Sec-WebSocket-Protocol: ${protocols.join(', ')}`);
  if (extensions !== '') lines.push(`Sec-WebSocket-Extensions: ${extensions}`);
  for (const [name, value] of headers) lines.push(`${name}: ${value}`);
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

export function hasField(headers: HeaderFields, lowerCaseName: string): boolean {
  return headers.some(([name]) => name.toLowerCase() === lowerCaseName);
}
