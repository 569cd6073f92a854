/** Options of `net` as those of `@iocp/tcp`. */

/** `keepAlive` and `keepAliveInitialDelay` as `net` has them. */
interface NetKeepAlive {
  readonly keepAlive?: boolean | undefined;
  readonly keepAliveInitialDelay?: number | undefined;
}

const idleMsMin = 1000;
const idleMsMax = 32_767_000;

/** What `net.Socket` is told of silent connections; less than a second leaves the time to the system, as there. */
export function keepAliveOption({ keepAlive = false, keepAliveInitialDelay = 0 }: NetKeepAlive) {
  if (!keepAlive || keepAliveInitialDelay < idleMsMin) return Boolean(keepAlive);
  return { idleMs: Math.min(Math.floor(keepAliveInitialDelay), idleMsMax) };
}
