import { constants } from 'node:os';

const stopSignals = ['SIGINT', 'SIGTERM'] as const;
export type StopSignal = (typeof stopSignals)[number];

/** The first SIGINT or SIGTERM. A second one ends the process at once, with the exit code of that signal. */
export function stopRequested(): Promise<StopSignal> {
  return new Promise((resolve) => {
    let requested = false;
    for (const signal of stopSignals) {
      process.on(signal, () => {
        if (requested) process.exit(128 + constants.signals[signal]);
        requested = true;
        resolve(signal);
      });
    }
  });
}
