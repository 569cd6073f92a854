/** From a host or path to a connected socket. */

import { isIP } from 'node:net';
import type { Socket } from '@iocp/core';
import { type HostAddress, type IoError, resolveHost } from '@iocp/core/layer';
import { failureOf, lookupTimeoutError, type Target, timeoutError } from './connect-error.js';
import type { ConnectSettings } from './connect-options.js';
import { ConnectRace, type RaceOutcome } from './connect-race.js';
import { Cutoff } from './cutoff.js';
import { interleave } from './happy-eyeballs.js';

/** A socket that has connected, and to whom. */
export interface Dialed {
  readonly socket: Socket;
  readonly target: Target;
}

/**
 * Resolves the name, races the addresses, and gives the winner's socket. When it rejects, nothing is left open. The
 * reason is the signal's, an `IoError` when there was one address, and a `ConnectError` when there were several.
 */
export async function dial(settings: ConnectSettings): Promise<Dialed> {
  settings.signal?.throwIfAborted();
  const cutoff = new Cutoff(settings.signal, settings.timeoutMs);
  try {
    const targets = await findTargets(settings, cutoff);
    const outcome = await race(targets, settings, cutoff);
    if (outcome.winner !== null) return { socket: outcome.winner, target: outcome.target };
    throw cutoff.cause === 'signal' ? settings.signal?.reason : raceError(targets, outcome.errors, settings);
  } finally {
    cutoff.dispose();
  }
}

function race(targets: readonly Target[], settings: ConnectSettings, cutoff: Cutoff): Promise<RaceOutcome> {
  const { attemptDelayMs, local, connection } = settings;
  return new Promise((resolve) => {
    const attempts = { port: connection.port, local, socketOptions: connection.socketOptions };
    const running = new ConnectRace(targets, attemptDelayMs, attempts, resolve);
    running.start();
    cutoff.onCut(() => running.stop());
  });
}

/** Addresses that had not failed when the race ended had no time left. */
function raceError(
  targets: readonly Target[],
  errors: readonly (IoError | undefined)[],
  settings: ConnectSettings,
): Error {
  const { host, port, path, timeoutMs } = settings;
  const timedOut = errors.includes(undefined);
  const all = targets.map((target, index) => errors[index] ?? timeoutError(target, timeoutMs));
  return failureOf(path ?? host, port, all, timedOut);
}

async function findTargets(settings: ConnectSettings, cutoff: Cutoff): Promise<Target[]> {
  const { path, host, port } = settings;
  if (path !== undefined) return [{ address: path, port: undefined }];
  if (isIP(host) !== 0) return [{ address: host, port }];
  const addresses = await lookup(settings, cutoff);
  return interleave(addresses).map(({ address }) => ({ address, port }));
}

/** The resolver cannot be stopped: when time is up or the signal fires, its answer is not waited for. */
function lookup(settings: ConnectSettings, cutoff: Cutoff): Promise<HostAddress[]> {
  const { host, port, timeoutMs, signal } = settings;
  return new Promise((resolve, reject) => {
    cutoff.onCut(() =>
      reject(cutoff.cause === 'signal' ? signal?.reason : lookupTimeoutError(host, port, timeoutMs)),
    );
    resolveHost(settings).then(resolve, reject);
  });
}
