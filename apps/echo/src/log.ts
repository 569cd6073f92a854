import { pino } from 'pino';

/** Where the events of a server go. */
export interface EventLog {
  /**
   * @param event short name for programs
   * @param facts what belongs to it, for programs
   * @param text one line for people
   */
  event(event: string, facts: Readonly<Record<string, unknown>>, text: string): void;
}

/** Lines for people on standard output. */
export const textLog: EventLog = {
  event: (_event, _facts, text) => void process.stdout.write(`${text}\n`),
};

/** Says nothing. */
export const silentLog: EventLog = { event: () => undefined };

/** One JSON object per line on standard output, written at once so that nothing is lost when the process ends. */
export function jsonLog(): EventLog {
  const output = pino.destination({ fd: 1, sync: true });
  // Whoever read the log has gone away: the server goes on without.
  output.on('error', () => undefined);
  const timestamp = pino.stdTimeFunctions.isoTime;
  const logger = pino(
    { base: null, timestamp, formatters: { level: (label) => ({ level: label }) } },
    output,
  );
  return { event: (event, facts) => logger.info({ event, ...facts }) };
}
