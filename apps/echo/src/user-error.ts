import { debuglog } from 'node:util';

/** Something the user can put right: shown as one line, without a stack trace. */
export class UserError extends Error {
  constructor(
    message: string,
    readonly exitCode: number = 1,
  ) {
    super(message);
  }
}

const debug = debuglog('iocp');

/** One line for any error. The stack trace is for `NODE_DEBUG=iocp`. */
export function describeError(error: unknown): string {
  if (error instanceof Error) debug('%s', error.stack);
  const text = error instanceof Error ? error.message || error.name : String(error);
  return text.replace(/([.:;,])?\s*\n\s*/g, (_, mark = ';') => `${mark} `);
}

/** Shows an error on standard error and gives the exit code that belongs to it. */
export function reportError(error: unknown): number {
  process.stderr.write(`iocp-echo: ${describeError(error)}\n`);
  return error instanceof UserError ? error.exitCode : 1;
}
