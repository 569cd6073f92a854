import { AsyncResource } from 'node:async_hooks';
import type { WriteCallback } from './channel.js';

/** `done`, running in the async context (`AsyncLocalStorage`) of the place that passed it. */
export function bindContext(done: WriteCallback): WriteCallback {
  const resource = new AsyncResource('IOCP_WRITE');
  return (error) => resource.runInAsyncScope(done, undefined, error);
}
