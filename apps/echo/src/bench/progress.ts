import { Presets, SingleBar } from 'cli-progress';

/** Shows how far the benchmark is: a bar on a terminal, else a line for each step. Both on standard error. */
export class Progress {
  readonly #total: number;
  readonly #bar: SingleBar | undefined;
  #done = 0;

  constructor(total: number) {
    this.#total = total;
    if (!process.stderr.isTTY) return;
    const format = '{bar} {value}/{total} | {duration_formatted} | left: {eta_formatted} | {task}';
    this.#bar = new SingleBar(
      { format, clearOnComplete: true, hideCursor: true, etaBuffer: 30 },
      Presets.shades_classic,
    );
    this.#bar.start(total, 0, { task: '' });
  }

  /** A step begins. */
  begin(task: string): void {
    if (this.#bar === undefined) process.stderr.write(`[${this.#done + 1}/${this.#total}] ${task}\n`);
    else this.#bar.update(this.#done, { task });
  }

  /** The step is done. */
  done(): void {
    this.#done += 1;
    this.#bar?.update(this.#done);
  }

  stop(): void {
    this.#bar?.stop();
  }
}
