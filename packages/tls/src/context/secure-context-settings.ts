/** Checked options of `createSecureContext`, with the defaults filled in. Texts are PEM; every buffer is our own. */
export interface SecureContextSettings {
  /** Each a certificate with those that lead from it to a root behind it. */
  readonly certificates: readonly Buffer[];
  readonly keys: readonly { readonly pem: Buffer; readonly passphrase: string | undefined }[];
  readonly pfx: readonly { readonly der: Buffer; readonly passphrase: string | undefined }[];
  /** Undefined: Node's own roots, as for `node:tls`. */
  readonly ca: readonly Buffer[] | undefined;
  readonly crl: readonly Buffer[];
  /** As in `node:tls`: names of TLS 1.2 and 1.3 together, with colons. */
  readonly ciphers: string;
  /** Groups with colons, or 'auto'. */
  readonly ecdhCurve: string;
  readonly sigalgs: string | undefined;
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  readonly maxVersion: 'TLSv1.2' | 'TLSv1.3';
  readonly honorCipherOrder: boolean;
  readonly allowPartialTrustChain: boolean;
  /** Seconds. */
  readonly sessionTimeout: number;
  readonly sessionIdContext: string;
  /** 48 bytes each, the first encrypts. Undefined: made at random, per context. */
  readonly ticketKeys: readonly Buffer[] | undefined;
  readonly secureOptions: number;
  readonly dhparam: Buffer | 'auto' | undefined;
}
