/** The suite's own permessage-deflate (RFC 7692): what was agreed on, and messages in and out of it. */

import assert from 'node:assert/strict';
import {
  constants,
  createDeflateRaw,
  createInflateRaw,
  type DeflateRaw,
  deflateRawSync,
  type InflateRaw,
} from 'node:zlib';
import type { Role } from '@iocp/core/layer';

/** Terms of an agreement, by the names of RFC 7692, 7.1. */
export interface DeflateTerms {
  readonly server_no_context_takeover: boolean;
  readonly client_no_context_takeover: boolean;
  /** 8 to 15. */
  readonly server_max_window_bits: number;
  /** 8 to 15. */
  readonly client_max_window_bits: number;
}

/** What a header says of permessage-deflate: one map of parameters for each time it is named. `true`: without a value. */
export type DeflateParameters = ReadonlyMap<string, string | true>;

/** @param header `Sec-WebSocket-Extensions`. Fails for an extension that nobody has asked for */
export function parseDeflate(header: string | undefined): DeflateParameters[] {
  if (header === undefined) return [];
  return header.split(',').map((item) => {
    const [name, ...parameters] = item.split(';').map((part) => part.trim());
    assert.equal(name, 'permessage-deflate', `an extension that is not known: ${item}`);
    const entries = parameters.map((parameter): [string, string | true] => {
      const [key = '', value] = parameter.split('=').map((part) => part.trim());
      return [key, value === undefined ? true : value.replace(/^"(.*)"$/, '$1')];
    });
    const map = new Map(entries);
    assert.equal(map.size, entries.length, `a parameter twice: ${item}`);
    return map;
  });
}

/** Terms that an answer sets. */
export function termsOf(answer: DeflateParameters): DeflateTerms {
  const bits = (name: string) => {
    const value = answer.get(name);
    if (value === undefined) return 15;
    assert.match(String(value), /^([89]|1[0-5])$/, `${name} is ${value} in an answer`);
    return Number(value);
  };
  for (const name of ['server_no_context_takeover', 'client_no_context_takeover']) {
    assert.ok([true, undefined].includes(answer.get(name) as true | undefined), `${name} has a value`);
  }
  return {
    server_no_context_takeover: answer.has('server_no_context_takeover'),
    client_no_context_takeover: answer.has('client_no_context_takeover'),
    server_max_window_bits: bits('server_max_window_bits'),
    client_max_window_bits: bits('client_max_window_bits'),
  };
}

const tail = Buffer.of(0x00, 0x00, 0xff, 0xff);

/** Compresses and inflates the messages of one connection. */
export class MessageCodec {
  readonly #deflate: DeflateRaw;
  readonly #inflate: InflateRaw;
  readonly #resets: { readonly deflate: boolean; readonly inflate: boolean };

  /** @param role of the suite's end */
  constructor(role: Role, terms: DeflateTerms) {
    const client = { bits: terms.client_max_window_bits, resets: terms.client_no_context_takeover };
    const server = { bits: terms.server_max_window_bits, resets: terms.server_no_context_takeover };
    const [own, peers] = role === 'client' ? [client, server] : [server, client];
    // zlib makes nothing with a window of 256 bytes; what it makes with the next one, level 0 keeps without references.
    this.#deflate = createDeflateRaw(own.bits === 8 ? { windowBits: 9, level: 0 } : { windowBits: own.bits });
    this.#inflate = createInflateRaw({ windowBits: Math.max(8, peers.bits) });
    this.#resets = { deflate: own.resets, inflate: peers.resets };
  }

  async compress(payload: Uint8Array): Promise<Uint8Array> {
    const bytes = await pump(this.#deflate, [payload]);
    if (this.#resets.deflate) this.#deflate.reset();
    assert.ok(bytes.subarray(-4).equals(tail));
    return bytes.subarray(0, -4);
  }

  async inflate(payload: Uint8Array): Promise<Uint8Array> {
    const bytes = await pump(this.#inflate, [payload, tail]);
    if (this.#resets.inflate) this.#inflate.reset();
    return bytes;
  }

  close(): void {
    this.#deflate.close();
    this.#inflate.close();
  }
}

/** All that comes out for that input. */
async function pump(stream: DeflateRaw | InflateRaw, inputs: readonly Uint8Array[]): Promise<Buffer> {
  const parts: Buffer[] = [];
  const take = (part: Buffer) => void parts.push(part);
  stream.on('data', take);
  try {
    await new Promise<void>((resolve, reject) => {
      stream.once('error', reject);
      for (const input of inputs) stream.write(input);
      stream.flush(constants.Z_SYNC_FLUSH, () => {
        stream.off('error', reject);
        resolve();
      });
    });
  } finally {
    stream.off('data', take);
  }
  return Buffer.concat(parts);
}

/** A message compressed by itself, as RFC 7692, 7.2.1 has it. */
export function compressAlone(payload: Uint8Array): Buffer {
  return deflateRawSync(payload, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
}

/** A message whose last block says that it is the last, with the empty byte that RFC 7692, 7.2.3.5 wants behind it. */
export function compressWithFinalBlock(payload: Uint8Array): Buffer {
  return Buffer.concat([deflateRawSync(payload), Buffer.of(0)]);
}
