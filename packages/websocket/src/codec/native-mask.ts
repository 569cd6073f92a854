import { AddonError, type AddonLocation, loadAddon } from '@iocp/core/addon';

/**
 * XORs `bytes[start, end)` with the masking key, in place.
 * @param key four bytes, the first one highest
 * @param phase index of `bytes[start]` in the payload; only its last two bits count
 * @throws `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`
 */
type Mask = (bytes: Uint8Array, start: number, end: number, key: number, phase: number) => void;

/** What the addon `iocp_websocket` exports. */
interface MaskBinding {
  readonly version: number;
  readonly mask: Mask;
}

/** `kBindingVersion` of native/bridge/addon.cc. */
const BINDING_VERSION = 1;

const location: AddonLocation = {
  fileName: 'iocp_websocket.node',
  module: import.meta.url,
  variable: 'IOCP_WEBSOCKET_ADDON',
  needs: 'the Node-API of Node.js',
};

/** Another version of the addon is as good as none: it is only the faster way. */
function load(): Mask | null {
  try {
    const { version, mask } = loadAddon<MaskBinding>(location);
    return version === BINDING_VERSION ? mask : null;
  } catch (error) {
    if (error instanceof AddonError) return null;
    throw error;
  }
}

/** Masks in native code; null where the addon does not load. A call takes about as long as 500 bytes do in JavaScript. */
export const nativeMask: Mask | null = load();
