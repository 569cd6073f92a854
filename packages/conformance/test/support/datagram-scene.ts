/** Ports and datagram sockets of one test, which must leave nothing. */

import {
  CompletionPort,
  DatagramList,
  type DatagramSocketOptions,
  Operation,
  type PortOptions,
  type Socket,
} from '@iocp/core';
import type { DatagramAddress, DatagramSendOptions } from '@iocp/core/layer';
import { assertNoLeaks, resourceSnapshot } from '@iocp/testkit';
import { expect } from 'vitest';
import type { Backend } from './backends.js';
import {
  brokenRules,
  type OperationProbe,
  ReceiveProbe,
  type ReceiveProbeOptions,
  SendProbe,
  SingleProbe,
} from './datagram-probes.js';

export const loopback = '127.0.0.1';

/** A datagram to send. */
export interface Outgoing {
  readonly data: Uint8Array;
  /** Default: the peer of a connected socket. */
  readonly to?: DatagramAddress;
  readonly options?: DatagramSendOptions;
}

export class DatagramScene {
  readonly #backend: Backend;
  readonly #ports: CompletionPort[] = [];
  readonly #open = new Set<Socket>();
  readonly #probes: OperationProbe[] = [];

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  port(options: PortOptions = {}): CompletionPort {
    const port = new CompletionPort({ ...options, backend: this.#backend });
    this.#ports.push(port);
    return port;
  }

  /** A datagram socket, by default on IPv4's loopback address. */
  async socket(port: CompletionPort, options: DatagramSocketOptions = {}): Promise<Socket> {
    const socket = await port.openDatagram({ local: { host: loopback, port: 0 }, ...options });
    this.#open.add(socket);
    return socket;
  }

  receive(socket: Socket, options: ReceiveProbeOptions = {}): ReceiveProbe {
    const probe = this.#watch(new ReceiveProbe(socket.port, options));
    probe.token = socket.port.submitRecvFrom(socket, probe);
    return probe;
  }

  send(socket: Socket, ...datagrams: readonly Outgoing[]): SendProbe {
    const list = new DatagramList(socket.port);
    for (const { data, to, options } of datagrams) list.add(data, to ?? null, options);
    return this.sendList(socket, list);
  }

  /** @param onSettled called before the list is released */
  sendList(socket: Socket, list: DatagramList, onSettled?: (list: DatagramList) => void): SendProbe {
    const probe = this.#watch(new SendProbe(list, onSettled));
    probe.token = socket.port.submitSendTo(socket, list, probe);
    return probe;
  }

  close(socket: Socket): SingleProbe {
    this.#open.delete(socket);
    const probe = this.#watch(new SingleProbe(Operation.CLOSE));
    probe.token = socket.port.submitClose(socket, probe);
    return probe;
  }

  /** A port of the loopback address where nothing is bound. */
  async freePort(port: CompletionPort): Promise<number> {
    const socket = await this.socket(port);
    const own = socket.address()?.port ?? 0;
    await this.close(socket).settled();
    return own;
  }

  /** Closes what is open; everything must have settled by the rules, and nothing may be left. */
  async end(): Promise<void> {
    const closed = [...this.#open].map((socket) =>
      socket.port.closed ? null : this.close(socket).settled(),
    );
    expect((await Promise.all(closed)).filter((result) => result !== null && result !== 0)).toEqual([]);
    for (const port of this.#ports) {
      if (!port.closed) await assertNoLeaks(port);
      await port.close();
    }
    expect(this.#probes.filter(({ result }) => result === null)).toEqual([]);
    expect(brokenRules(this.#probes)).toEqual([]);
  }

  #watch<Probe extends OperationProbe>(probe: Probe): Probe {
    this.#probes.push(probe);
    return probe;
  }
}

/** Why a socket is not opened. One that is opened all the same is not shown: it holds the memory of its whole port. */
export async function refusalOf(opening: Promise<Socket>): Promise<unknown> {
  return opening.then(
    () => 'it is opened',
    (error: unknown) => error,
  );
}

/** Runs a test with a scene of its own. */
export async function withScene(
  backend: Backend,
  body: (scene: DatagramScene) => Promise<void>,
): Promise<void> {
  const before = resourceSnapshot();
  const scene = new DatagramScene(backend);
  try {
    await body(scene);
  } catch (error) {
    await scene.end().catch(() => {});
    throw error;
  }
  await scene.end();
  await assertNoLeaks(null, { since: before });
}
