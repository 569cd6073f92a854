/** Work for the end of a turn. */

import { throwLater } from '../layer/turn.js';
import type { TurnTask } from './completion-handler.js';

/** Runs each scheduled task once, at the end of the dispatch or, outside of one, in a microtask. */
export class TurnQueue {
  readonly #tasks: (TurnTask | null)[] = [];
  #count = 0;
  #held = false;
  #microtaskQueued = false;
  readonly #runMicrotask = (): void => {
    this.#microtaskQueued = false;
    this.run();
  };

  schedule(task: TurnTask): void {
    if (task.turnPending === true) return;
    task.turnPending = true;
    this.#tasks[this.#count++] = task;
    if (!this.#held) this.#queueMicrotask();
  }

  /** A dispatch begins: it will call `run` at its end. */
  hold(): void {
    this.#held = true;
  }

  /** Runs what is scheduled. What the tasks schedule in turn follows in a microtask. */
  run(): void {
    this.#held = true;
    const count = this.#count;
    for (let index = 0; index < count; index++) {
      const task = this.#tasks[index] as TurnTask;
      this.#tasks[index] = null;
      task.turnPending = false;
      try {
        task.onTurnEnd();
      } catch (error) {
        throwLater(error);
      }
    }
    this.#held = false;
    if (this.#count === count) this.#count = 0;
    else this.#moveToFront(count);
  }

  #moveToFront(from: number): void {
    for (let index = from; index < this.#count; index++) {
      this.#tasks[index - from] = this.#tasks[index] as TurnTask;
      this.#tasks[index] = null;
    }
    this.#count -= from;
    this.#queueMicrotask();
  }

  #queueMicrotask(): void {
    if (this.#microtaskQueued) return;
    this.#microtaskQueued = true;
    queueMicrotask(this.#runMicrotask);
  }
}
