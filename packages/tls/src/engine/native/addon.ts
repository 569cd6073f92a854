import { type AddonLocation, loadAddon as load } from '@iocp/core/addon';
import { TlsError } from '../../errors.js';
import { BINDING_VERSION, type TlsBinding, WORDS } from './binding.js';

const location: AddonLocation = {
  fileName: 'iocp_tls.node',
  module: import.meta.url,
  variable: 'IOCP_TLS_ADDON',
  needs: 'the OpenSSL of Node.js',
};

let loaded: TlsBinding | undefined;

/** Where every session of this thread says what a call of it has done: `Word`. Good until the next call of any session. */
export const words = new Int32Array(WORDS);

/**
 * The addon, loaded once per thread, from `IOCP_TLS_ADDON` or this package.
 * @throws `AddonError` when there is none that loads; `ERR_TLS_ADDON_VERSION` when it was built for another version of this
 * package
 */
export function loadAddon(): TlsBinding {
  if (loaded === undefined) {
    loaded = checked(load<TlsBinding>(location));
    loaded.setWords(words);
  }
  return loaded;
}

function checked(binding: TlsBinding): TlsBinding {
  if (binding.version === BINDING_VERSION) return binding;
  throw new TlsError(
    'ERR_TLS_ADDON_VERSION',
    `iocp_tls.node has version ${binding.version} of its interface, and ${BINDING_VERSION} is needed: build it anew`,
  );
}
