/** Idle timeouts of many connections with one timer per duration, and nothing to do per message. */

import { throwLater } from '@iocp/core/layer';

/** What is watched for silence. */
export interface Watched {
  /** Grows with everything sent or received; compared, never added up. */
  traffic(): number;
  /** Nothing will happen any more: the watch ends by itself. */
  readonly closed: boolean;
  /** There was no traffic for the whole time. Called again after the same time if the silence lasts. */
  onIdle(): void;
}

/** Silence is looked for this many times per idle time. */
const looksPerTimeout = 4;

/** One watch; `stop()` ends it. */
export class IdleWatch {
  readonly #group: IdleGroup;
  readonly #watched: Watched;
  #traffic: number;
  /** Looks since the last traffic; the first look comes too early to count. */
  #quietLooks = -1;

  constructor(group: IdleGroup, watched: Watched) {
    this.#group = group;
    this.#watched = watched;
    this.#traffic = watched.traffic();
  }

  look(): void {
    if (this.#watched.closed) {
      this.stop();
      return;
    }
    const traffic = this.#watched.traffic();
    if (traffic !== this.#traffic) {
      this.#traffic = traffic;
      this.#quietLooks = 0;
      return;
    }
    this.#quietLooks++;
    if (this.#quietLooks < looksPerTimeout) return;
    this.#quietLooks = 0;
    this.#watched.onIdle();
  }

  /** Idempotent. */
  stop(): void {
    this.#group.remove(this);
  }
}

/** All that is watched for the same time. */
class IdleGroup {
  readonly #idleMs: number;
  readonly #watches = new Set<IdleWatch>();
  readonly #timer: NodeJS.Timeout;

  constructor(idleMs: number) {
    this.#idleMs = idleMs;
    this.#timer = setInterval(() => this.#look(), Math.max(1, Math.ceil(idleMs / looksPerTimeout)));
    // A connection keeps the process alive if anything does, not the watch over it.
    this.#timer.unref();
  }

  add(watched: Watched): IdleWatch {
    const watch = new IdleWatch(this, watched);
    this.#watches.add(watch);
    return watch;
  }

  remove(watch: IdleWatch): void {
    if (!this.#watches.delete(watch) || this.#watches.size > 0) return;
    clearInterval(this.#timer);
    groups.delete(this.#idleMs);
  }

  #look(): void {
    for (const watch of this.#watches) {
      try {
        watch.look();
      } catch (error) {
        throwLater(error);
      }
    }
  }
}

const groups = new Map<number, IdleGroup>();

/**
 * Calls `watched.onIdle()` when there was no traffic for `idleMs` milliseconds, at the earliest then and at the latest a
 * quarter of that time later.
 */
export function watchIdle(watched: Watched, idleMs: number): IdleWatch {
  let group = groups.get(idleMs);
  if (group === undefined) {
    group = new IdleGroup(idleMs);
    groups.set(idleMs, group);
  }
  return group.add(watched);
}
