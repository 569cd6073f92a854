/** Records of TLS 1.3 made by hand, with the keys of a connection (RFC 8446 sections 5.2 and 7). */

import { type CipherGCMTypes, createCipheriv, createHmac } from 'node:crypto';
import { record } from './records.js';

const suites = {
  TLS_AES_128_GCM_SHA256: { cipher: 'aes-128-gcm', keyBytes: 16, hash: 'sha256', hashBytes: 32 },
  TLS_AES_256_GCM_SHA384: { cipher: 'aes-256-gcm', keyBytes: 32, hash: 'sha384', hashBytes: 48 },
} as const;

export type SuiteName = keyof typeof suites;
export const suiteNames = Object.keys(suites) as SuiteName[];

const applicationData = 23;
const tagBytes = 16;
const ivBytes = 12;

/** One direction of a connection. */
export class Forger {
  readonly #suite: (typeof suites)[SuiteName];
  #secret: Buffer;
  #record = 0;

  /** @param secret the traffic secret of the direction, under which no record was sent yet */
  constructor(suite: SuiteName, secret: Buffer) {
    this.#suite = suites[suite];
    this.#secret = secret;
  }

  /** @param inner content, content type and padding, in the order in which they are encrypted */
  seal(inner: Uint8Array): Uint8Array {
    const { cipher, keyBytes } = this.#suite;
    const iv = this.#expand('iv', ivBytes);
    iv.writeUInt32BE((iv.readUInt32BE(ivBytes - 4) ^ this.#record++) >>> 0, ivBytes - 4);
    const key = this.#expand('key', keyBytes);
    const sealed = record(applicationData, 3, Buffer.alloc(inner.byteLength + tagBytes));
    const aead = createCipheriv(cipher as CipherGCMTypes, key, iv);
    aead.setAAD(sealed.subarray(0, 5));
    sealed.set(aead.update(inner), 5);
    aead.final();
    sealed.set(aead.getAuthTag(), 5 + inner.byteLength);
    return sealed;
  }

  /** Goes on with the next keys, as after a KeyUpdate. */
  update(): void {
    this.#secret = this.#expand('traffic upd', this.#suite.hashBytes);
    this.#record = 0;
  }

  /** HKDF-Expand-Label of at most one block. */
  #expand(label: string, length: number): Buffer {
    const name = `tls13 ${label}`;
    const info = Buffer.concat([Buffer.of(0, length, name.length), Buffer.from(name), Buffer.of(0, 1)]);
    return createHmac(this.#suite.hash, this.#secret).update(info).digest().subarray(0, length);
  }
}
