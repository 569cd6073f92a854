import { InvalidArgumentError, Option } from 'commander';
import { type Address, parseAddress } from './address.js';

export const backends = ['auto', 'io_uring', 'epoll', 'iocp', 'node'] as const;
export type Backend = (typeof backends)[number];

/** The option `--backend`. Left out, `IOCP_BACKEND` decides, and then the best that works here. */
export function backendOption(): Option {
  return new Option(
    '--backend <name>',
    'how to do input and output (default: IOCP_BACKEND, or the best that works)',
  ).choices(backends);
}

/** For options that may be given more than once. */
export function collectAddress(text: string, previous: readonly Address[] | undefined): readonly Address[] {
  return [...(previous ?? []), parseAddress(text)];
}

export function collectText(text: string, previous: readonly string[] | undefined): readonly string[] {
  if (text === '') throw new InvalidArgumentError('It must not be empty.');
  return [...(previous ?? []), text];
}

/** A parser for whole numbers within limits. */
export function wholeNumber(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= minimum && value <= maximum)) {
      throw new InvalidArgumentError(`It must be a whole number from ${minimum} to ${maximum}.`);
    }
    return value;
  };
}

/** A parser for positive numbers of seconds. */
export function seconds(text: string): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!(value > 0 && value <= 3600))
    throw new InvalidArgumentError('It must be a number of seconds above 0, at most 3600.');
  return value;
}
