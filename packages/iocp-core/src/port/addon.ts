/** Loads the native addon. */

import { AddonError, type AddonLocation, loadAddon as load } from '../addon/index.js';
import type { NativeBinding, NativeError } from './binding.js';

const location: AddonLocation = {
  fileName: 'iocp_core.node',
  module: import.meta.url,
  variable: 'IOCP_ADDON',
  needs: 'the event loop of Node.js (libuv)',
};

let loaded: NativeBinding | undefined;

/**
 * The addon, loaded once per thread, from `IOCP_ADDON` or this package.
 * @throws {NativeError} whose `rejected` has one entry, for the backend `'addon'`, with every place that was tried.
 */
export function loadAddon(versions: NodeJS.ProcessVersions = process.versions): NativeBinding {
  if (loaded !== undefined) return loaded;
  try {
    loaded = load<NativeBinding>(location, versions);
    return loaded;
  } catch (error) {
    throw error instanceof AddonError ? withRejection(error) : error;
  }
}

function withRejection(error: AddonError): NativeError {
  const { code, message: reason, hint } = error;
  return Object.assign(new Error(reason, { cause: error.cause }), {
    rejected: [{ backend: 'addon', code, reason, hint }],
  });
}
