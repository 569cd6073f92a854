/** Node's permission model: native code would pass it by unasked. */

import { IoError } from '../layer/errors.js';

interface Permission {
  has(scope: string, reference?: string): boolean;
}

/** Throws `ERR_ACCESS_DENIED` when the process runs with `--permission` and without `--allow-net`. */
export function requireNetworkPermission(reference: string): void {
  const { permission } = process as { permission?: Permission };
  if (permission === undefined || permission.has('net', reference)) return;
  // Only some versions of Node.js have the scope `net`; the others deny whatever they do not know.
  if (!process.allowedNodeEnvironmentFlags.has('--allow-net')) return;
  throw new IoError('Access to the network is denied: start Node.js with --allow-net.', {
    code: 'ERR_ACCESS_DENIED',
    address: reference,
  });
}
