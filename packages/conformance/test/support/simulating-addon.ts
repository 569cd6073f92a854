import { statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/**
 * Makes this process use the build of the addon that can inject faults. Must be called before the first port is made.
 * It lies beside the ordinary one, which `IOCP_ADDON` may have moved.
 */
export function useSimulatingAddon(): void {
  process.env.IOCP_ADDON = join(addonFolder(), 'iocp_core_sim.node');
}

function addonFolder(): string {
  const chosen = process.env.IOCP_ADDON;
  if (chosen !== undefined && chosen !== '') return statSync(chosen).isDirectory() ? chosen : dirname(chosen);
  const manifest = createRequire(import.meta.url).resolve('@iocp/core/package.json');
  return join(dirname(manifest), 'build', `${process.platform}-${process.arch}`);
}
