/** What happened, in order, for the message of a failing test. */

/** Keeps the last lines; older ones are counted and forgotten. */
export class Transcript {
  readonly #lines: string[] = [];
  readonly #linesMax: number;
  #forgotten = 0;

  /** @param linesMax lines kept. Default 60. */
  constructor(linesMax = 60) {
    this.#linesMax = linesMax;
  }

  add(line: string): void {
    this.#lines.push(line);
    if (this.#lines.length <= this.#linesMax) return;
    this.#lines.shift();
    this.#forgotten++;
  }

  /** The lines that are kept, oldest first. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  toString(): string {
    const head = this.#forgotten > 0 ? [`(${this.#forgotten} earlier events left out)`] : [];
    return [...head, ...this.#lines].join('\n');
  }
}

/** How errors are shown in transcripts: their code, else their message. */
export function describeError(error: Error | null | undefined): string {
  if (error === null || error === undefined) return 'no error';
  return codeOf(error) ?? `${error.name}: ${error.message}`;
}

/** The `code` of an error, when it has one. */
export function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}
