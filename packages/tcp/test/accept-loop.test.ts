import { CompleteFlag, type CompletionHandler, Operation, type Socket, type Token } from '@iocp/core';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { AcceptLoop, type AcceptPause } from '../src/accept-loop.js';

const EMFILE = -24;
const ECONNABORTED = -103;
const ECANCELED = -125;
const EBADF = -9;

/** Stands in for a port: notes what is submitted, and lets the test complete it. */
class FakePort {
  closed = false;
  readonly submitted: string[] = [];
  #handler: CompletionHandler | undefined;
  #tokens = 1;

  submitAccept(_socket: Socket, handler: CompletionHandler): Token {
    this.submitted.push('accept');
    this.#handler = handler;
    return this.#tokens++ as Token;
  }

  submitClose(_socket: Socket, handler: CompletionHandler): Token {
    this.submitted.push('close');
    this.#handler = handler;
    return this.#tokens++ as Token;
  }

  cancel(token: Token): void {
    this.submitted.push(`cancel ${token}`);
  }

  socket(index: number, generation: number): string {
    return `socket ${index}.${generation}`;
  }

  accept(index: number): void {
    this.#handler?.onCompletion(Operation.ACCEPT, 0, CompleteFlag.MORE | CompleteFlag.HANDLE, index, 1);
  }

  settle(result: number, flags = 0): void {
    this.#handler?.onCompletion(Operation.ACCEPT, result, flags, -1, 0);
  }

  closeDone(): void {
    this.#handler?.onCompletion(Operation.CLOSE, 0, 0, -1, 0);
  }
}

function makeLoop() {
  const port = new FakePort();
  const accepted: unknown[] = [];
  const pauses: string[] = [];
  const failures: string[] = [];
  const owner = {
    accepted: (socket: Socket) => accepted.push(socket),
    pausesChanged: (now: readonly AcceptPause[]) => pauses.push(now.join('+')),
    acceptFailed: (error: { code: string }) => failures.push(error.code),
  };
  const loop = new AcceptLoop({ port } as unknown as Socket, owner, null);
  return { port, loop, accepted, pauses, failures };
}

describe('AcceptLoop', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });

  test('one accept serves many connections', () => {
    const { port, loop, accepted } = makeLoop();
    loop.start();
    loop.start();
    port.accept(7);
    port.accept(8);
    expect(accepted).toEqual(['socket 7.1', 'socket 8.1']);
    expect(port.submitted).toEqual(['accept']);
  });

  test('a connection that failed before it was accepted does not stop the others', () => {
    const { port, loop } = makeLoop();
    loop.start();
    port.settle(ECONNABORTED);
    expect(port.submitted).toEqual(['accept', 'accept']);
    port.settle(ECONNABORTED, CompleteFlag.MORE);
    expect(port.submitted).toEqual(['accept', 'accept']);
    expect(loop.errors).toBe(2);
    expect(loop.pauses).toEqual([]);
  });

  test('without descriptors it waits 50 ms, then twice as long each time, up to 1 s', () => {
    const { port, loop, pauses } = makeLoop();
    loop.start();
    for (const delayMs of [50, 100, 200, 400, 800, 1000, 1000]) {
      const before = port.submitted.length;
      port.settle(EMFILE);
      expect(loop.pauses).toEqual(['exhausted']);
      vi.advanceTimersByTime(delayMs - 1);
      expect(port.submitted).toHaveLength(before);
      vi.advanceTimersByTime(1);
      expect(port.submitted).toHaveLength(before + 1);
      expect(loop.pauses).toEqual([]);
    }
    expect(pauses.slice(0, 4)).toEqual(['exhausted', '', 'exhausted', '']);
    port.accept(1);
    const before = port.submitted.length;
    port.settle(EMFILE);
    vi.advanceTimersByTime(50);
    expect(port.submitted).toHaveLength(before + 1);
  });

  test('a descriptor that was freed is used at once', () => {
    const { port, loop, accepted } = makeLoop();
    loop.start();
    port.settle(EMFILE);
    loop.retry();
    expect(port.submitted).toEqual(['accept', 'accept']);
    expect(vi.getTimerCount()).toBe(0);
    port.accept(1);
    expect(accepted).toHaveLength(1);
    loop.retry();
    expect(port.submitted).toHaveLength(2);
  });

  test('a pause cancels; what comes before the cancel has worked is still handed out', () => {
    const { port, loop, accepted } = makeLoop();
    loop.start();
    loop.pause('connections-max');
    loop.pause('connections-max');
    loop.pause('accept-queue');
    expect(port.submitted).toEqual(['accept', 'cancel 1']);
    port.accept(1);
    expect(accepted).toHaveLength(1);
    port.settle(ECANCELED);
    expect(loop.errors).toBe(0);
    loop.resume('connections-max');
    expect(port.submitted).toHaveLength(2);
    loop.resume('accept-queue');
    expect(port.submitted).toEqual(['accept', 'cancel 1', 'accept']);
  });

  test('a resume while the cancel is on its way accepts again once it has settled', () => {
    const { port, loop } = makeLoop();
    loop.start();
    loop.pause('accept-queue');
    loop.resume('accept-queue');
    expect(port.submitted).toEqual(['accept', 'cancel 1']);
    port.settle(ECANCELED);
    expect(port.submitted).toEqual(['accept', 'cancel 1', 'accept']);
    loop.pause('accept-queue');
    expect(port.submitted.at(-1)).toBe('cancel 2');
    port.settle(ECANCELED);
  });

  test('an error that trying again cannot mend is reported once', () => {
    const { port, loop, failures } = makeLoop();
    loop.start();
    port.settle(EBADF);
    expect(failures).toEqual(['EBADF']);
    expect(port.submitted).toEqual(['accept']);
    loop.start();
    loop.retry();
    expect(port.submitted).toEqual(['accept']);
  });

  test('a port that closes ends it', () => {
    const { port, loop, failures } = makeLoop();
    loop.start();
    port.closed = true;
    port.settle(ECANCELED);
    expect(failures).toEqual(['ECANCELED']);
    expect(port.submitted).toEqual(['accept']);
  });

  test('closing stops the timer, takes no more connections, and resolves when the socket is closed', async () => {
    const { port, loop, accepted } = makeLoop();
    loop.start();
    port.settle(EMFILE);
    let closed = false;
    const closing = loop.close().then(() => {
      closed = true;
    });
    port.accept(1);
    port.settle(ECANCELED);
    expect(accepted).toEqual([]);
    expect(port.submitted).toEqual(['accept', 'close']);
    await Promise.resolve();
    expect(closed).toBe(false);
    port.closeDone();
    await closing;
    expect(closed).toBe(true);
  });
});
