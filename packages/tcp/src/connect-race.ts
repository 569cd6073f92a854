import type { Socket } from '@iocp/core';
import { IoError } from '@iocp/core/layer';
import { type AttemptOwner, type AttemptSettings, ConnectAttempt } from './connect-attempt.js';
import type { Target } from './connect-error.js';
import { HappyEyeballs } from './happy-eyeballs.js';

/** What came of a race once every loser was closed. */
export type RaceOutcome =
  | { readonly winner: Socket; readonly target: Target }
  /** By target; undefined for those that had not answered, or had not been tried, when the race was stopped. */
  | { readonly winner: null; readonly errors: readonly (IoError | undefined)[] };

/**
 * Attempts to several addresses, as Happy Eyeballs says. The first that connects wins; the others are aborted and joined
 * before the outcome is told, so that nothing is left of them.
 */
export class ConnectRace implements AttemptOwner {
  readonly #targets: readonly Target[];
  readonly #settings: AttemptSettings;
  readonly #schedule: HappyEyeballs;
  readonly #finish: (outcome: RaceOutcome) => void;
  readonly #errors: (IoError | undefined)[];
  /** Attempts whose descriptors are open, the winner's excepted. */
  readonly #open = new Set<ConnectAttempt>();
  #winner: ConnectAttempt | null = null;
  #decided = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    targets: readonly Target[],
    attemptDelayMs: number,
    settings: AttemptSettings,
    finish: (outcome: RaceOutcome) => void,
  ) {
    this.#targets = targets;
    this.#settings = settings;
    this.#schedule = new HappyEyeballs(targets.length, attemptDelayMs);
    this.#finish = finish;
    this.#errors = targets.map(() => undefined);
  }

  /** @throws what is wrong with the options, if something is. */
  start(): void {
    this.#settings.port.ref();
    try {
      this.#advance();
    } catch (error) {
      this.#settings.port.unref();
      throw error;
    }
  }

  /** Gives up: what is under way is aborted. The outcome follows. No effect when the race is decided. */
  stop(): void {
    if (!this.#decided) this.#decide(null);
  }

  attemptConnected(attempt: ConnectAttempt): void {
    // Aborted already: the connection came too late.
    if (!this.#decided) this.#decide(attempt);
  }

  attemptFailed(attempt: ConnectAttempt, error: IoError): void {
    if (this.#decided) return;
    attempt.close();
    this.#failed(attempt.index, error);
    this.#advance();
  }

  attemptClosed(attempt: ConnectAttempt): void {
    this.#open.delete(attempt);
    this.#finishWhenJoined();
  }

  #advance(): void {
    for (let index = this.#next(); index >= 0; index = this.#next()) this.#attempt(index);
    if (this.#schedule.exhausted) this.#decide(null);
    else this.#wait();
  }

  #next(): number {
    return this.#schedule.next(performance.now());
  }

  #attempt(index: number): void {
    const target = this.#targets[index] as Target;
    try {
      this.#open.add(new ConnectAttempt(index, target, this.#settings, this));
    } catch (error) {
      // Anything else is a mistake of ours or of the options, not of this address.
      if (!(error instanceof IoError)) throw error;
      this.#failed(index, error);
    }
  }

  #failed(index: number, error: IoError): void {
    this.#errors[index] = error;
    this.#schedule.failed(index, performance.now());
  }

  #wait(): void {
    clearTimeout(this.#timer);
    const { dueAt } = this.#schedule;
    if (dueAt === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(() => this.#advance(), Math.max(0, Math.ceil(dueAt - performance.now())));
  }

  #decide(winner: ConnectAttempt | null): void {
    this.#decided = true;
    this.#schedule.decide();
    clearTimeout(this.#timer);
    this.#winner = winner;
    if (winner !== null) this.#open.delete(winner);
    for (const attempt of this.#open) {
      // Those that have failed are being closed already.
      if (this.#errors[attempt.index] === undefined) attempt.close();
    }
    this.#finishWhenJoined();
  }

  #finishWhenJoined(): void {
    if (!this.#decided || this.#open.size > 0) return;
    const winner = this.#winner;
    this.#finish(
      winner === null
        ? { winner: null, errors: this.#errors }
        : { winner: winner.socket, target: winner.target },
    );
    this.#settings.port.unref();
  }
}
