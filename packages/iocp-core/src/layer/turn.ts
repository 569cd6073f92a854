/** Work that waits for the end of the current turn. */

interface Flushable {
  flush(): void;
}

let waiting: Flushable[] = [];

function flushAll(): void {
  const batch = waiting;
  waiting = [];
  for (const each of batch) {
    try {
      each.flush();
    } catch (error) {
      throwLater(error);
    }
  }
}

/** Has `channel.flush()` called in a microtask. For media without a scheduler of their own. */
export function flushSoon(channel: Flushable): void {
  if (waiting.length === 0) queueMicrotask(flushAll);
  waiting.push(channel);
}

/** Reports what a callback threw as an uncaught exception, without disturbing who called the callback. */
export function throwLater(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
