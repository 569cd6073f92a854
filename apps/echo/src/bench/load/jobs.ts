import type { ConnectsScenario, IdleScenario, MessagesScenario } from '../scenarios.js';
import type { LatencySummary } from './latency.js';

/** What the load generator is asked for. */
export type Job =
  | {
      readonly kind: 'measure';
      readonly scenario: MessagesScenario | ConnectsScenario;
      readonly serverPort: number;
      /** Process to measure. */
      readonly serverPid: number;
      readonly warmUpMs: number;
      readonly measureMs: number;
    }
  /** Opens connections, lets each echo one message, and keeps them open. */
  | { readonly kind: 'hold'; readonly scenario: IdleScenario; readonly serverPort: number }
  /** Closes the connections that are held. */
  | { readonly kind: 'release' };

/** What happened between the end of the warm-up and the end of the measurement. */
export interface Measurement {
  /** Messages, or connections where those are counted. */
  readonly messages: number;
  readonly seconds: number;
  readonly serverCpuNanoseconds: number;
  /** Part of the server's time that the system took, 0 to 1. */
  readonly serverSystemShare: number;
  readonly loadCpuNanoseconds: number;
  readonly latencyMicroseconds: LatencySummary;
}

export type Answer =
  | { readonly measurement: Measurement }
  | { readonly done: true }
  | { readonly error: string };
