import type { SecureContextSettings } from '../../context/secure-context-settings.js';
import { loadAddon } from './addon.js';
import type { NativeContext, NativeContextOptions } from './binding.js';
import { defaultRoots } from './default-roots.js';

const versions = { 'TLSv1.2': 0x0303, 'TLSv1.3': 0x0304 } as const;

let rootsAreSet = false;

/** @throws {Error} with the code that `tls.createSecureContext` would give; `AddonError` when there is no addon */
export function createNativeContext(settings: SecureContextSettings): NativeContext {
  const addon = loadAddon();
  if (settings.ca === undefined && !rootsAreSet) {
    addon.setRoots(defaultRoots());
    rootsAreSet = true;
  }
  return addon.createContext(nativeContextOptions(settings));
}

/** In the forms of OpenSSL. */
export function nativeContextOptions(settings: SecureContextSettings): NativeContextOptions {
  const { cipherList, cipherSuites } = splitCiphers(settings.ciphers);
  const { minVersion, maxVersion } = settings;
  // As Node does: without a cipher of TLS 1.2 it cannot be spoken.
  const oldest = cipherList === '' && maxVersion === 'TLSv1.3' ? 'TLSv1.3' : minVersion;
  return {
    certificates: settings.certificates,
    keys: settings.keys,
    pfx: settings.pfx,
    ca: settings.ca,
    crl: settings.crl,
    cipherList,
    cipherSuites,
    groups: settings.ecdhCurve,
    sigalgs: settings.sigalgs,
    minVersion: versions[oldest],
    maxVersion: versions[maxVersion],
    honorCipherOrder: settings.honorCipherOrder,
    allowPartialTrustChain: settings.allowPartialTrustChain,
    sessionTimeout: settings.sessionTimeout,
    sessionIdContext: Buffer.from(settings.sessionIdContext),
    ticketKeys: settings.ticketKeys,
    secureOptions: settings.secureOptions,
    dhparam: settings.dhparam,
  };
}

/** OpenSSL wants the suites of TLS 1.3, whose names begin with `TLS_`, apart from the rest. */
function splitCiphers(ciphers: string): { cipherList: string; cipherSuites: string } {
  const names = ciphers.split(':').filter((name) => name !== '');
  const isSuite = (name: string) => /^!?TLS_/.test(name);
  return {
    cipherList: names.filter((name) => !isSuite(name)).join(':'),
    cipherSuites: names.filter(isSuite).join(':'),
  };
}
