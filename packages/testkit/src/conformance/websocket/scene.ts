/** The frame around each case of the WebSocket suite: open, send and see, close. */

import assert from 'node:assert/strict';
import type { Role } from '@iocp/core/layer';
import { addNote } from '../../prng.js';
import { itWith, type TestRunner, type TestSetup } from '../../runner.js';
import { codeOf } from '../../transcript.js';
import { assertSameBytes } from '../channel/base.js';
import { bytesOf, close } from './frame.js';
import { openAsClient, openAsServer } from './opening.js';
import { type Cut, type Outgoing, type PeerEvent, WebSocketPeer } from './peer.js';
import type { SubjectConnection, SubjectOptions, WebSocketSubject, WebSocketTraits } from './subject.js';

export interface WebSocketSuite {
  readonly runner: TestRunner;
  /** Of the subject; the suite takes the other side. */
  readonly role: Role;
  readonly setup: TestSetup<WebSocketSubject>;
  readonly traits: Required<WebSocketTraits>;
}

/** What has to come back. */
export type Answer =
  | { readonly type: 'message'; readonly binary: boolean; readonly payload: Uint8Array }
  | { readonly type: 'pong'; readonly payload: Uint8Array };

export const textBack = (payload: string | Uint8Array): Answer => ({
  type: 'message',
  binary: false,
  payload: bytesOf(payload),
});
export const binaryBack = (payload: string | Uint8Array): Answer => ({
  type: 'message',
  binary: true,
  payload: bytesOf(payload),
});
export const pongBack = (payload: string | Uint8Array): Answer => ({
  type: 'pong',
  payload: bytesOf(payload),
});

/** Something that is sent, and what has to come back before the next is. */
export interface Step {
  readonly send: readonly Outgoing[];
  readonly cut?: Cut | undefined;
  readonly back?: readonly Answer[];
}

/**
 * How a case ends. `open`: nothing was wrong, the suite closes with 1000 and the subject agrees. `closed`: the suite has
 * sent a close frame, which must be answered with that code (null: none). `refused`: the subject must fail the connection,
 * with one of the codes.
 */
export type Ending =
  | { readonly type: 'open' }
  | { readonly type: 'closed'; readonly code: number | null }
  | { readonly type: 'refused'; readonly codes: readonly number[] };

export const open: Ending = { type: 'open' };
export const closed = (code: number | null): Ending => ({ type: 'closed', code });
export const refused = (...codes: number[]): Ending => ({ type: 'refused', codes });

export interface Case {
  readonly steps: readonly Step[];
  readonly ending: Ending;
}

/** A connection whose handshake is done. */
export async function openPeer(suite: WebSocketSuite, subject: WebSocketSubject): Promise<WebSocketPeer> {
  const { peer, opened } = await dial(suite, subject);
  if (suite.role === 'server') await openAsClient(peer);
  else await openAsServer(peer);
  await opened;
  return peer;
}

/** A connection before its handshake. */
export async function dial(
  suite: WebSocketSuite,
  subject: WebSocketSubject,
  options?: SubjectOptions,
): Promise<{ peer: WebSocketPeer; opened: SubjectConnection['opened'] }> {
  const { channel, opened } = await subject.open(options);
  // Whoever cares awaits it.
  opened?.catch(() => {});
  const peer = new WebSocketPeer(channel, suite.role === 'server' ? 'client' : 'server', subject.deadlineMs);
  return { peer, opened };
}

/** Registers one test with a connection of its own, which must be closed when the body returns. */
export function itWithPeer(
  suite: WebSocketSuite,
  name: string,
  body: (peer: WebSocketPeer) => Promise<void>,
): void {
  itWith(suite.runner, suite.setup, name, async (subject) => {
    const peer = await openPeer(suite, subject);
    await conclude(peer, () => body(peer));
  });
}

/** Registers one test for one case. */
export function itCloses(suite: WebSocketSuite, name: string, { steps, ending }: Case): void {
  itWithPeer(suite, name, (peer) => run(peer, steps, ending));
}

/** Runs the body, and adds what happened to the message of its failure. */
export async function conclude(peer: WebSocketPeer, body: () => Promise<void>): Promise<void> {
  try {
    await body();
    await peer.untilClosed();
  } catch (error) {
    if (error instanceof Error) addNote(error, String(peer.transcript));
    peer.abort();
    throw error;
  } finally {
    peer.codec?.close();
  }
}

export async function run(peer: WebSocketPeer, steps: readonly Step[], ending?: Ending): Promise<void> {
  for (const { send, cut, back = [] } of steps) {
    await peer.send(send, cut);
    for (const answer of back) assertAnswer(await peer.next(), answer);
  }
  if (ending !== undefined) await finish(peer, ending);
}

export function assertAnswer(event: PeerEvent, answer: Answer): void {
  if (event.type === 'close' || event.type === 'end' || event.type !== answer.type) {
    assert.fail(
      `${event.type === 'close' ? `a close frame with ${event.code}` : event.type} instead of a ${answer.type}`,
    );
  }
  if (event.type === 'message' && answer.type === 'message')
    assert.equal(event.binary, answer.binary, 'binary');
  assertSameBytes(event.payload, answer.payload);
}

/** Sees to it that the connection ends as it has to, and that nothing else comes before. */
export async function finish(peer: WebSocketPeer, ending: Ending): Promise<void> {
  if (ending.type === 'open') await peer.send([close(1000)]);
  const event = await peer.next();
  if (event.type !== 'close') assert.fail(`${event.type} instead of a close frame`);
  if (ending.type === 'refused') {
    assert.ok(event.code !== null && ending.codes.includes(event.code), `closed with ${event.code}`);
    // As an implementation with a decoder would.
    await peer.send([close(event.code)]);
  } else {
    assert.equal(event.code, ending.type === 'open' ? 1000 : ending.code, 'the code of the close frame');
  }
  await hangUp(peer);
}

/** RFC 6455, 7.1.1: it is the server that closes the connection first. Nothing may come after the close frame. */
async function hangUp(peer: WebSocketPeer): Promise<void> {
  if (peer.role === 'server') peer.end();
  const last = await peer.next();
  assert.equal(last.type, 'end', `${last.type} after the close frame`);
  assert.equal(codeOf(peer.closeError) ?? null, null, 'the connection was reset');
  peer.end();
}
