import type { Options } from 'tsup';

const common: Options = {
  // tsup passes `baseUrl` to the declaration build, which TypeScript 6 reports as deprecated.
  dts: { compilerOptions: { ignoreDeprecations: '6.0' } },
  sourcemap: true,
  clean: true,
  target: 'node20',
};

/**
 * A published library: ESM and CommonJS with types for each. The entries of one package share chunks in both
 * formats, so a module's state exists once however it is reached.
 */
export function library(entry: Record<string, string>): Options {
  return { ...common, entry, format: ['esm', 'cjs'], shims: true, splitting: true };
}

/** A program that is only ever run: ESM. */
export function program(entry: Record<string, string>): Options {
  return { ...common, entry, format: ['esm'], dts: false, splitting: true };
}
