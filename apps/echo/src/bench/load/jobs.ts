import type { IdleScenario, TimedScenario } from '../scenarios.js';
import type { LatencySummary } from './latency.js';

/** To measure a server under load. */
export interface MeasureJob<Scenario extends TimedScenario = TimedScenario> {
  readonly kind: 'measure';
  readonly scenario: Scenario;
  readonly serverPort: number;
  /** Process to measure. */
  readonly serverPid: number;
  /** The program in C that makes the load, where it is one. */
  readonly loadProgram: string | undefined;
  readonly warmUpMs: number;
  readonly measureMs: number;
}

/** What the load generator is asked for. */
export type Job =
  | MeasureJob
  /** Opens connections, lets each echo one message, and keeps them open besides those that are there. */
  | { readonly kind: 'hold'; readonly scenario: IdleScenario; readonly serverPort: number }
  /** Closes all connections that are held. */
  | { readonly kind: 'release' };

/** What happened between the end of the warm-up and the end of the measurement. */
export interface Measurement {
  /** Messages, or connections where those are counted. */
  readonly messages: number;
  /** Datagrams that got no reply, and were sent again. */
  readonly lost: number;
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
