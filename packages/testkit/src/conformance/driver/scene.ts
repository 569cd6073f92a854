/** What one test of a driver works with: ports, sockets, and operations that are watched. */

import assert from 'node:assert/strict';
import type {
  CompletionPort,
  IpEndpoint,
  PortOptions,
  Socket,
  SocketListenOptions,
  UnixEndpoint,
} from '@iocp/core';
import { assertNoLeaks, type ResourceSnapshot, resourceSnapshot } from '../../leak-check.js';
import { itWith, type TestRunner, type TestSetup } from '../../runner.js';
import { CompletionProbe, type CompletionProbeOptions } from './completion-probe.js';

/** The module under test, passed in so that the suite uses the same copy as everybody else. */
export type Core = typeof import('@iocp/core');

/** A driver, reached through ports, and a kind of socket to try it with. */
export interface DriverFixture {
  readonly core: Core;
  /** A new port on the driver under test. The suite closes it. */
  openPort(options?: PortOptions): CompletionPort;
  /** For a new listening socket at an address of its own. */
  listenOptions(): SocketListenOptions;
  /** Where to connect to reach it. */
  remoteOf(listener: Socket): IpEndpoint | UnixEndpoint;
  /** An address where nobody listens. */
  refusedRemote(): IpEndpoint | UnixEndpoint;
}

/** How the sockets differ from TCP. */
export interface DriverTraits {
  /** Name that `port.info.backend` must have. */
  readonly backend: string;
  /** What the peer sees of an abortive close; `'either'` where the system does both. Default `'reset'`. */
  readonly abortSeenAs?: 'reset' | 'end' | 'either';
  /** Result of a CONNECT that nobody answers. Default -111 (ECONNREFUSED). */
  readonly refusedResult?: number;
  /** Whether `socket.fd` tells a descriptor. Default true; without it, -1. */
  readonly descriptors?: boolean;
  /** Rounds of the stress tests. Default 1000. */
  readonly stressRounds?: number;
}

export type FullDriverTraits = Required<DriverTraits>;

export const result = { canceled: -125, reset: -104, brokenPipe: -32, badHandle: -9, ended: 0 } as const;

/** Two ends of a connection on one port. */
export interface SocketPair {
  readonly near: Socket;
  readonly far: Socket;
}

export class PortScene {
  readonly core: Core;
  readonly #fixture: DriverFixture;
  readonly #before: ResourceSnapshot;
  readonly #ports: CompletionPort[] = [];
  #probes: CompletionProbe[] = [];

  constructor(fixture: DriverFixture) {
    this.core = fixture.core;
    this.#fixture = fixture;
    this.#before = resourceSnapshot();
  }

  port(options?: PortOptions): CompletionPort {
    const port = this.#fixture.openPort(options);
    this.#ports.push(port);
    return port;
  }

  probe(port: CompletionPort, name: string, options?: CompletionProbeOptions): CompletionProbe {
    const probe = new CompletionProbe(this.core, port, name, options);
    this.#probes.push(probe);
    return probe;
  }

  // Operations, each with a probe of its own.

  listen(port: CompletionPort, options: Partial<SocketListenOptions> = {}): Promise<Socket> {
    return port.listen({ ...this.#fixture.listenOptions(), ...options });
  }

  accept(listener: Socket, options?: CompletionProbeOptions): CompletionProbe {
    const probe = this.probe(listener.port, 'accept', options);
    probe.token = listener.port.submitAccept(listener, probe);
    return probe;
  }

  open(port: CompletionPort, listener: Socket): Socket {
    return port.open({ remote: this.#fixture.remoteOf(listener) });
  }

  openRefused(port: CompletionPort): Socket {
    return port.open({ remote: this.#fixture.refusedRemote() });
  }

  connect(socket: Socket): CompletionProbe {
    const probe = this.probe(socket.port, 'connect');
    probe.token = socket.port.submitConnect(socket, probe);
    return probe;
  }

  recv(socket: Socket, options?: CompletionProbeOptions): CompletionProbe {
    const probe = this.probe(socket.port, 'recv', options);
    probe.token = socket.port.submitRecv(socket, probe);
    return probe;
  }

  send(socket: Socket, chunks: readonly Uint8Array[]): CompletionProbe {
    const segments = new this.core.SegmentList(socket.port);
    for (const chunk of chunks) segments.add(chunk);
    const probe = this.probe(socket.port, 'send', { onRecord: () => segments.releaseAll() });
    probe.token = socket.port.submitSend(socket, segments, probe);
    return probe;
  }

  shutdown(socket: Socket): CompletionProbe {
    const probe = this.probe(socket.port, 'shutdown');
    probe.token = socket.port.submitShutdown(socket, this.core.ShutdownDirection.WRITE, probe);
    return probe;
  }

  close(socket: Socket, abortive = false): CompletionProbe {
    const probe = this.probe(socket.port, abortive ? 'abortive close' : 'close');
    probe.token = socket.port.submitClose(socket, probe, abortive);
    return probe;
  }

  cancel(operation: CompletionProbe): void {
    if (operation.token !== null) operation.port.cancel(operation.token);
  }

  /** Connections to one listener, which is closed again. */
  async pairs(port: CompletionPort, count: number): Promise<SocketPair[]> {
    const listener = await this.listen(port);
    const accept = this.accept(listener);
    const pairs: SocketPair[] = [];
    for (let index = 0; index < count; index++) {
      const near = this.open(port, listener);
      assert.equal(await this.connect(near).settled(), 0, 'connect failed');
      pairs.push({ near, far: await accept.nextSocket() });
    }
    await this.close(listener).settled();
    assert.equal(await accept.settled(), result.canceled);
    return pairs;
  }

  async pair(port: CompletionPort): Promise<SocketPair> {
    return (await this.pairs(port, 1))[0] as SocketPair;
  }

  /** Closes ports, and checks that every operation has settled once and nothing is left. */
  async finish(): Promise<void> {
    for (const port of this.#ports) {
      await port.close();
      await assertNoLeaks(port);
      assert.equal(port.stats.staleCompletions, 0, 'completions came for dead tokens');
    }
    this.verifyProbes();
    await assertNoLeaks(null, { since: this.#before });
  }

  /** Verifies the operations so far and forgets them. */
  verifyProbes(): void {
    const probes = this.#probes;
    this.#probes = [];
    for (const probe of probes) probe.verify();
  }

  async abandon(): Promise<void> {
    await Promise.allSettled(this.#ports.map((port) => port.close()));
  }
}

/** Registers one test: set-up, body, close and checks, teardown. */
export function itWithPorts(
  runner: TestRunner,
  setup: TestSetup<DriverFixture>,
  name: string,
  body: (scene: PortScene) => Promise<void>,
): void {
  itWith(runner, setup, name, async (fixture) => {
    const scene = new PortScene(fixture);
    try {
      await body(scene);
      await scene.finish();
    } catch (error) {
      await scene.abandon();
      throw error;
    }
  });
}
