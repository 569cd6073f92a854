import { throwLater } from '@iocp/core/layer';

/** Calls a handler: what it throws surfaces as an uncaught exception, and stops nothing. */
export function surface(call: () => void): void {
  try {
    call();
  } catch (error) {
    throwLater(error);
  }
}
