/** Which driver a port runs on. */

import { NodePort } from '../backend/node/node-port.js';
import { loadAddon } from './addon.js';
import type {
  BackendChoice,
  NativeBinding,
  NativeError,
  NativePort,
  NativePortOptions,
  RejectedBackend,
} from './binding.js';
import { fromNativeError, noBackendError } from './io-error.js';

/**
 * Makes the driver that was asked for. `'auto'` takes the addon's best, and where there is none the one in JavaScript,
 * which says in `info.rejected` why. An explicit choice is that or nothing.
 * @param binding takes the place of the addon, also for `'auto'` and `'node'`
 * @throws {IoError} `ERR_IOCP_NO_BACKEND` with the reasons
 */
export function openDriver(options: NativePortOptions, binding?: NativeBinding): NativePort {
  try {
    if (binding !== undefined) return new binding.Port(options);
    if (options.backend === 'node') return new NodePort(options);
    if (options.backend === 'auto') return openBest(options);
    return new (loadAddon().Port)(options);
  } catch (error) {
    throw refusal(error, options.backend);
  }
}

/** The addon, for what is asked of it without a port. @throws {IoError} `ERR_IOCP_NO_BACKEND` */
export function requireAddon(): NativeBinding {
  try {
    return loadAddon();
  } catch (error) {
    throw refusal(error, 'auto');
  }
}

function openBest(options: NativePortOptions): NativePort {
  let rejected: readonly RejectedBackend[] | undefined;
  try {
    return new (loadAddon().Port)(options);
  } catch (error) {
    ({ rejected } = error as NativeError);
    // Something else than that it cannot be used here.
    if (rejected === undefined) throw error;
  }
  return new NodePort(options, rejected);
}

function refusal(error: unknown, choice: BackendChoice): unknown {
  const { rejected } = error as NativeError;
  return rejected === undefined ? fromNativeError(error) : noBackendError(choice, rejected, error);
}
