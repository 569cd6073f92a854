import { validateOneOf } from '@iocp/core/layer';
import { TlsError } from '../errors.js';
import type { CreateEngine, EngineName } from './engine.js';
import { loadAddon } from './native/addon.js';
import { createNativeEngine } from './native/native-engine.js';
import { createNodeEngine } from './node/node-engine.js';

/** `'auto'`: native where the addon loads. */
export type EngineChoice = EngineName | 'auto';

const choices: readonly EngineChoice[] = ['auto', 'native', 'node'];

/** What runs, and why not the other. */
export interface EngineInfo {
  readonly engine: EngineName;
  /** The library's own words, for example `'OpenSSL 3.0.19 …'`. */
  readonly library: string;
  /** Why `'auto'` did not take the native engine. */
  readonly rejected?: Error | undefined;
}

/**
 * The engine that was asked for; an explicit choice is that or nothing.
 * @param option default: `IOCP_TLS_ENGINE`, or `'auto'`
 * @throws `ERR_INVALID_ARG_VALUE`, `ERR_TLS_NO_ENGINE` with the reason as `cause`
 */
export function chooseEngine(option?: EngineChoice | undefined): EngineName {
  const choice = chosen(option);
  if (choice === 'node') return 'node';
  const rejected = whyNotNative();
  if (rejected === undefined) return 'native';
  if (choice === 'auto') return 'node';
  throw new TlsError(
    'ERR_TLS_NO_ENGINE',
    `The engine 'native' cannot be used: ${rejected.message}. 'node' works everywhere`,
    { cause: rejected },
  );
}

/** What `tls()` would run on here. @throws as `chooseEngine` */
export function engineInfo(option?: EngineChoice | undefined): EngineInfo {
  const engine = chooseEngine(option);
  if (engine === 'native') return { engine, library: loadAddon().openssl };
  const library = `OpenSSL ${process.versions.openssl ?? '(none)'}`;
  const rejected = chosen(option) === 'auto' ? whyNotNative() : undefined;
  return { engine, library, rejected };
}

export function engineMaker(engine: EngineName): CreateEngine {
  return engine === 'native' ? createNativeEngine : createNodeEngine;
}

function chosen(option: EngineChoice | undefined): EngineChoice {
  if (option !== undefined) {
    validateOneOf(option, 'options.engine', choices);
    return option;
  }
  const variable = process.env.IOCP_TLS_ENGINE;
  if (variable === undefined || variable === '') return 'auto';
  validateOneOf(variable, 'process.env.IOCP_TLS_ENGINE', choices);
  return variable;
}

/** Undefined when it runs; null until it was tried. */
let refusal: Error | undefined | null = null;

function whyNotNative(): Error | undefined {
  if (refusal !== null) return refusal;
  try {
    loadAddon();
    refusal = undefined;
  } catch (error) {
    refusal = error as Error;
  }
  return refusal;
}
