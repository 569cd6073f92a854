/** Waiting without guessing: turns of the event loop, and deadlines that say what was missing. */

/** Resolves in the next turn of the event loop, after input and output were looked at once. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Resolves after that many turns of the event loop. */
export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await nextTurn();
}

/**
 * The result of `promise`, or an error after `deadlineMs` that says what was waited for.
 * @param describe called only when the deadline passes.
 */
export async function withDeadline<T>(
  promise: Promise<T>,
  deadlineMs: number,
  describe: () => string,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`Still waiting after ${deadlineMs} ms: ${describe()}`)),
      deadlineMs,
    );
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Resolves once `progress()` has stayed the same for a while: that many milliseconds and at least 64 turns of the
 * event loop. For showing that something does **not** go on; whoever uses it must also show that it goes on later.
 */
export async function whenQuiet(progress: () => unknown, quietMs = 40): Promise<void> {
  let last = progress();
  let since = performance.now();
  let quietTurns = 0;
  while (quietTurns < 64 || performance.now() - since < quietMs) {
    // A timer now and then lets the system's own threads work instead of being kept busy by polling.
    if (quietTurns % 8 === 7) await new Promise((resolve) => setTimeout(resolve, 1));
    else await nextTurn();
    const now = progress();
    if (now === last) {
      quietTurns++;
      continue;
    }
    last = now;
    since = performance.now();
    quietTurns = 0;
  }
}
