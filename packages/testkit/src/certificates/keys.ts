import { createPrivateKey, KeyObject, webcrypto } from 'node:crypto';

/** ECDSA on P-256, or RSA with 2048 bits. */
export type KeyAlgorithm = 'ecdsa' | 'rsa';

const algorithms = {
  ecdsa: { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  rsa: {
    name: 'RSASSA-PKCS1-v1_5',
    hash: 'SHA-256',
    modulusLength: 2048,
    publicExponent: Uint8Array.of(1, 0, 1),
  },
} as const;

export function makeKeys(algorithm: KeyAlgorithm): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithms[algorithm], true, ['sign', 'verify']);
}

/** In PEM (PKCS #8). */
export function exportKey(key: webcrypto.CryptoKey): string {
  return KeyObject.from(key).export({ type: 'pkcs8', format: 'pem' }).toString();
}

export interface SigningKey {
  readonly key: webcrypto.CryptoKey;
  readonly algorithm: webcrypto.Algorithm;
}

/** A key that signs, and how. @param pem PKCS #8, not encrypted */
export async function importSigningKey(pem: string): Promise<SigningKey> {
  const key = createPrivateKey(pem);
  const algorithm = algorithms[key.asymmetricKeyType === 'rsa' ? 'rsa' : 'ecdsa'];
  const der = key.export({ type: 'pkcs8', format: 'der' });
  return { key: await webcrypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign']), algorithm };
}

/** The same key, encrypted with AES-256 (PKCS #8, PBES2). */
export function encryptKey(pem: string, passphrase: string, format: 'pem'): string;
export function encryptKey(pem: string, passphrase: string, format: 'der'): Buffer;
export function encryptKey(pem: string, passphrase: string, format: 'pem' | 'der'): string | Buffer {
  const key = createPrivateKey(pem);
  const encryption = { type: 'pkcs8', cipher: 'aes-256-cbc', passphrase } as const;
  return format === 'pem' ? key.export({ ...encryption, format }) : key.export({ ...encryption, format });
}
