/** The header `Sec-WebSocket-Extensions`, RFC 6455 section 9.1. */

import { type WebSocketError, webSocketError } from '../errors.js';

export interface ExtensionParameter {
  readonly name: string;
  /** Undefined when the parameter has none. */
  readonly value: string | undefined;
}

/** One element of the header: an extension with its parameters, in their order. Names may come twice. */
export interface Extension {
  readonly name: string;
  readonly parameters: readonly ExtensionParameter[];
}

const token = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y;
/** What is in quotes must be a token once the backslashes are gone (RFC 6455 section 9.1). */
const quotedToken = /"(?:\\?[!#$%&'*+\-.^_`|~0-9A-Za-z])+"/y;
const whitespace = /[ \t]*/y;

/**
 * Parses the header's value. Empty elements are left out, as in every list of HTTP (RFC 9110 section 5.6.1).
 * Throws `WebSocketError` with `ERR_WS_HANDSHAKE` when it does not keep to the grammar: a server answers with status 400.
 */
export function parseExtensions(header: string): Extension[] {
  const scanner = new Scanner(header);
  const extensions: Extension[] = [];
  do {
    const name = scanner.take(token);
    if (name !== undefined) extensions.push({ name, parameters: parametersOf(scanner) });
  } while (scanner.skip(','));
  scanner.expectEnd();
  if (extensions.length === 0) throw malformed(header, 0);
  return extensions;
}

function parametersOf(scanner: Scanner): ExtensionParameter[] {
  const parameters: ExtensionParameter[] = [];
  while (scanner.skip(';')) {
    const name = scanner.require(token);
    const value = scanner.skip('=') ? parameterValue(scanner) : undefined;
    parameters.push({ name, value });
  }
  return parameters;
}

function parameterValue(scanner: Scanner): string {
  const quoted = scanner.take(quotedToken);
  return quoted === undefined ? scanner.require(token) : quoted.slice(1, -1).replaceAll('\\', '');
}

/** Reads the header word by word; whitespace between words does not count. */
class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    this.take(whitespace);
  }

  take(pattern: RegExp): string | undefined {
    const found = this.#match(pattern);
    this.#match(whitespace);
    return found;
  }

  require(pattern: RegExp): string {
    const found = this.take(pattern);
    if (found === undefined) throw malformed(this.#text, this.#at);
    return found;
  }

  skip(separator: string): boolean {
    if (this.#text[this.#at] !== separator) return false;
    this.#at += 1;
    this.#match(whitespace);
    return true;
  }

  expectEnd(): void {
    if (this.#at < this.#text.length) throw malformed(this.#text, this.#at);
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }
}

function malformed(header: string, at: number): WebSocketError {
  const shown = header.length > 60 ? `${header.slice(0, 60)}...` : header;
  const message = `The header Sec-WebSocket-Extensions cannot be read at character ${at}: "${shown}"`;
  return webSocketError('ERR_WS_HANDSHAKE', message, 1002);
}
