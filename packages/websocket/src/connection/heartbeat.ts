import { validateInteger } from '@iocp/core/layer';

export interface HeartbeatOptions {
  /** A peer that was silent for so long is sent a ping. Milliseconds, default 30000. */
  readonly intervalMs?: number | undefined;
  /** A peer that stays silent for so long after the ping is given up, with `ERR_WS_HEARTBEAT_TIMEOUT`. Milliseconds, default 30000. */
  readonly timeoutMs?: number | undefined;
}

/** Something with a heart. */
export interface Patient {
  /** Ticks since something was heard; a patient that hears sets it to 0. */
  silentTicks: number;
  /** Whether it listens at all. */
  readonly listens: boolean;
  /** It has been silent for the interval: asks whether it lives. */
  ask(): void;
  /** No answer. */
  giveUp(): void;
}

/** Steps per interval or timeout, whichever is shorter: how exact the times are. */
const ticksPerSpan = 4;

/** One timer for any number of connections, so that a message costs no more than one write to `silentTicks`. */
export class Heartbeat {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly #tickMs: number;
  readonly #askTicks: number;
  readonly #giveUpTicks: number;
  readonly #patients = new Set<Patient>();
  #timer: NodeJS.Timeout | undefined;

  constructor({ intervalMs = 30_000, timeoutMs = 30_000 }: HeartbeatOptions) {
    validateInteger(intervalMs, 'options.heartbeat.intervalMs', 1, 2 ** 31 - 1);
    validateInteger(timeoutMs, 'options.heartbeat.timeoutMs', 1, 2 ** 31 - 1);
    this.intervalMs = intervalMs;
    this.timeoutMs = timeoutMs;
    this.#tickMs = Math.max(1, Math.min(intervalMs, timeoutMs) / ticksPerSpan);
    // The tick under way may have just begun.
    this.#askTicks = Math.ceil(intervalMs / this.#tickMs);
    this.#giveUpTicks = this.#askTicks + Math.ceil(timeoutMs / this.#tickMs) + 1;
  }

  add(patient: Patient): void {
    this.#patients.add(patient);
    if (this.#timer !== undefined) return;
    this.#timer = setInterval(() => this.#tick(), this.#tickMs);
    this.#timer.unref();
  }

  delete(patient: Patient): void {
    this.#patients.delete(patient);
    if (this.#patients.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #tick(): void {
    for (const patient of this.#patients) {
      if (!patient.listens) {
        patient.silentTicks = 0;
        continue;
      }
      patient.silentTicks++;
      if (patient.silentTicks === this.#askTicks + 1) patient.ask();
      else if (patient.silentTicks > this.#giveUpTicks) patient.giveUp();
    }
  }
}
