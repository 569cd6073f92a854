/** Showing that everything was given back. */

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { nextTurn } from './turns.js';

/** Counts that a port (or any pool of resources) keeps; all must return to zero. A `CompletionPort` has these. */
export interface LeakStats {
  readonly operationsInFlight: number;
  readonly handlesOpen: number;
  /** Receives that wait for a buffer slot. */
  readonly parked?: number;
  /** Memory of the application that is held for sends under way. */
  readonly pins?: number;
  /** Buffer slots that are lent to, leased by or queued in JavaScript. */
  readonly slots?: { readonly javascript: number };
}

/** A `CompletionPort`, a `MemoryNetwork`, or anything else with such counts. */
export interface LeakSource {
  readonly stats: LeakStats;
}

/** What the process holds besides: taken before a test, compared after it. */
export interface ResourceSnapshot {
  /** Open descriptors; undefined where the system does not list them (only Linux does). */
  readonly descriptors: number | undefined;
  /** Active handles and requests of the event loop, by type. Timers are left out: frameworks use them. */
  readonly activeResources: ReadonlyMap<string, number>;
}

export interface LeakCheckOptions {
  /** Also compares descriptors and active resources with those at this time. */
  readonly since?: ResourceSnapshot;
  /** Turns of the event loop to wait at most. Default 2000. */
  readonly turnsMax?: number;
}

/** Counts what the process holds now. */
export function resourceSnapshot(): ResourceSnapshot {
  const activeResources = new Map<string, number>();
  for (const type of process.getActiveResourcesInfo()) {
    if (ignoredResources.has(type)) continue;
    activeResources.set(type, (activeResources.get(type) ?? 0) + 1);
  }
  return { descriptors: countDescriptors(), activeResources };
}

/** What comes and goes with the test framework, not with what is tested. */
const ignoredResources = new Set([
  'Timeout',
  'Immediate',
  'PipeWrap',
  'TTYWrap',
  'MessagePort',
  'FSReqPromise',
]);

function countDescriptors(): number | undefined {
  if (process.platform !== 'linux') return undefined;
  // The descriptor that reads the directory is in the list: the same one more each time.
  return readdirSync('/proc/self/fd').length;
}

/**
 * Resolves when all counts of the source are zero and, with `since`, when the process holds no more than it did then.
 * Looks after each turn of the event loop; rejects with the counts that are left after `turnsMax` turns.
 */
export async function assertNoLeaks(
  source: LeakSource | null,
  options: LeakCheckOptions = {},
): Promise<void> {
  const turnsMax = options.turnsMax ?? 2000;
  let leaks = findLeaks(source, options.since);
  for (let turn = 0; leaks.length > 0 && turn < turnsMax; turn++) {
    // Polling keeps the loop busy; a short timer now and then gives the system's threads their chance.
    if (turn % 16 === 15) await new Promise((resolve) => setTimeout(resolve, 1));
    else await nextTurn();
    leaks = findLeaks(source, options.since);
  }
  assert.equal(leaks.length, 0, `Leaked, after ${turnsMax} turns of the event loop: ${leaks.join(', ')}`);
}

function findLeaks(source: LeakSource | null, since: ResourceSnapshot | undefined): string[] {
  return [
    ...(source === null ? [] : countLeaks(source.stats)),
    ...(since === undefined ? [] : newResources(since)),
  ];
}

function countLeaks(stats: LeakStats): string[] {
  const counts: [string, number][] = [
    ['operations in flight', stats.operationsInFlight],
    ['open handles', stats.handlesOpen],
    ['parked receives', stats.parked ?? 0],
    ['pins', stats.pins ?? 0],
    ['slots held by JavaScript', stats.slots?.javascript ?? 0],
  ];
  return counts.filter(([, count]) => count !== 0).map(([name, count]) => `${count} ${name}`);
}

function newResources(since: ResourceSnapshot): string[] {
  const now = resourceSnapshot();
  const leaks: string[] = [];
  const descriptors = (now.descriptors ?? 0) - (since.descriptors ?? 0);
  if (descriptors > 0) leaks.push(`${descriptors} descriptors`);
  for (const [type, count] of now.activeResources) {
    const added = count - (since.activeResources.get(type) ?? 0);
    if (added > 0) leaks.push(`${added} ${type}`);
  }
  return leaks;
}
