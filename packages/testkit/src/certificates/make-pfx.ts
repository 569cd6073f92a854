/** PKCS #12 (RFC 7292), as far as a key with its certificates needs it. */

import { createHash, createHmac, randomBytes, X509Certificate } from 'node:crypto';
import { encryptKey } from './keys.js';
import type { Credentials } from './make-certificate.js';

const identifiers = {
  data: '2a864886f70d010701',
  encryptedKeyBag: '2a864886f70d010c0a0102',
  certificateBag: '2a864886f70d010c0a0103',
  x509Certificate: '2a864886f70d01091601',
  sha256: '608648016503040201',
} as const;

/** @param more further certificates in PEM, one each: who has issued the first, and so on */
export function makePfx(credentials: Credentials, passphrase: string, more: readonly string[] = []): Buffer {
  const certificates = [credentials.cert, ...more].map((pem) =>
    bag(
      'certificateBag',
      sequence(identifier('x509Certificate'), tagged(octets(new X509Certificate(pem).raw))),
    ),
  );
  const key = bag('encryptedKeyBag', encryptKey(credentials.key, passphrase, 'der'));
  const contents = sequence(content(sequence(key, ...certificates)));
  return sequence(integer(3), content(contents), authentication(contents, passphrase));
}

function authentication(contents: Buffer, passphrase: string): Buffer {
  const salt = randomBytes(16);
  const iterations = 2048;
  const mac = createHmac('sha256', deriveMacKey(passphrase, salt, iterations))
    .update(contents)
    .digest();
  const digest = sequence(sequence(identifier('sha256'), element(0x05)), octets(mac));
  return sequence(digest, octets(salt), integer(iterations));
}

/** RFC 7292 appendix B.2, for a key as long as the hash. */
function deriveMacKey(passphrase: string, salt: Buffer, iterations: number): Buffer {
  const blockBytes = 64;
  const purposeMac = 3;
  const fill = (bytes: Buffer) => Buffer.alloc(Math.ceil(bytes.length / blockBytes) * blockBytes, bytes);
  const password = Buffer.from(`${passphrase}\0`, 'utf16le').swap16();
  let key = Buffer.concat([Buffer.alloc(blockBytes, purposeMac), fill(salt), fill(password)]);
  for (let round = 0; round < iterations; round++) key = createHash('sha256').update(key).digest();
  return key;
}

function element(tag: number, ...contents: readonly Buffer[]): Buffer {
  const body = Buffer.concat(contents);
  if (body.length < 0x80) return Buffer.concat([Buffer.of(tag, body.length), body]);
  const digits = body.length.toString(16);
  const length = Buffer.from(digits.padStart(digits.length + (digits.length % 2), '0'), 'hex');
  return Buffer.concat([Buffer.of(tag, 0x80 | length.length), length, body]);
}

const sequence = (...contents: readonly Buffer[]) => element(0x30, ...contents);
const tagged = (contents: Buffer) => element(0xa0, contents);
const octets = (bytes: Buffer) => element(0x04, bytes);
const identifier = (name: keyof typeof identifiers) => element(0x06, Buffer.from(identifiers[name], 'hex'));
const integer = (value: number) =>
  element(0x02, Buffer.of(...(value > 0x7f ? [value >> 8, value & 0xff] : [value])));
const content = (bytes: Buffer) => sequence(identifier('data'), tagged(octets(bytes)));
const bag = (kind: keyof typeof identifiers, contents: Buffer) =>
  sequence(identifier(kind), tagged(contents));
