/** TLS for the tests of this package: layers that know each other, and what they leave behind. */

import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { loadAddon } from '@iocp/core/addon';
import type { Channel } from '@iocp/core/layer';
import { assertNoLeaks, testCertificates } from '@iocp/testkit';
import { type EngineName, engineInfo, type TlsLayer, type TlsOptions, tls } from '@iocp/tls';

/** Those that run here. */
export const engines: readonly EngineName[] =
  engineInfo('auto').engine === 'native' ? ['native', 'node'] : ['node'];

const { ca, server } = await testCertificates();

/** Options for both roles: a server shows a certificate for `localhost`, a client expects just that. */
export function tlsOptions(engine: EngineName): TlsOptions {
  return { cert: server.cert, key: server.key, ca: ca.cert, servername: 'localhost', engine };
}

/** A layer for both roles. */
export function tlsLayer(engine: EngineName, options: TlsOptions = {}): TlsLayer {
  return tls({ ...tlsOptions(engine), ...options });
}

export async function wrapBoth(
  layer: TlsLayer,
  lower: { readonly near: Channel; readonly far: Channel },
): Promise<{ near: Channel; far: Channel }> {
  const [near, far] = await Promise.all([layer.wrap(lower.near, 'client'), layer.wrap(lower.far, 'server')]);
  return { near, far };
}

/** The same addon that `@iocp/tls` has loaded in this thread. */
const addon = engines.includes('native')
  ? loadAddon<{ counts(): { readonly sessions: number } }>({
      fileName: 'iocp_tls.node',
      module: pathToFileURL(createRequire(import.meta.url).resolve('@iocp/tls')).href,
      variable: 'IOCP_TLS_ADDON',
      needs: 'the OpenSSL of Node.js',
    })
  : undefined;

/** Native sessions of this thread that were not freed. */
export function sessionCount(): number {
  return addon?.counts().sessions ?? 0;
}

/** Resolves when no native session is left. */
export function assertNoSessions(): Promise<void> {
  return assertNoLeaks({
    get stats() {
      return { operationsInFlight: 0, handlesOpen: sessionCount() };
    },
  });
}
