import { describe, expect, test } from 'vitest';
import type { WebSocketConnection } from '../../src/connection/websocket-connection.js';
import { PreparedMessage, prepare } from '../../src/prepared.js';
import { Topics } from '../../src/server/topics.js';

/** As much of a connection as topics need. */
class Member {
  closed = false;
  answer: 'sent' | 'full' | 'refused' = 'sent';
  readonly got: unknown[] = [];

  send(message: unknown) {
    this.got.push(message);
    return this.answer;
  }
}

function member(): Member & WebSocketConnection {
  return new Member() as Member & WebSocketConnection;
}

describe('topics', () => {
  test('are there while somebody wants them', () => {
    const topics = new Topics(10, () => {});
    const [a, b] = [member(), member()];
    expect([topics.subscribe(a, 'x'), topics.subscribe(a, 'x'), topics.subscribe(b, 'x')]).toEqual([
      true,
      false,
      true,
    ]);
    expect(topics.subscribe(a, 'y')).toBe(true);
    expect([
      topics.count,
      topics.subscribersOf('x'),
      topics.subscribersOf('y'),
      topics.subscribersOf('z'),
    ]).toEqual([2, 2, 1, 0]);
    expect([topics.topicsOf(a), topics.topicsOf(b), topics.topicsOf(member())]).toEqual([
      ['x', 'y'],
      ['x'],
      [],
    ]);
    expect([topics.isSubscribed(a, 'y'), topics.isSubscribed(b, 'y')]).toEqual([true, false]);
    expect([topics.unsubscribe(a, 'y'), topics.unsubscribe(a, 'y'), topics.unsubscribe(b, 'y')]).toEqual([
      true,
      false,
      false,
    ]);
    expect(topics.count).toBe(1);
  });

  test('a connection that closes leaves all, and is told of', () => {
    const closed: unknown[] = [];
    const topics = new Topics(10, (connection) => closed.push(connection));
    const [a, b] = [member(), member()];
    for (const topic of ['x', 'y', 'z']) topics.subscribe(a, topic);
    topics.subscribe(b, 'x');
    a.closed = true;
    topics.closed(a);
    topics.closed(b);
    expect(closed).toEqual([a, b]);
    expect([topics.count, topics.topicsOf(a)]).toEqual([0, []]);
    expect([topics.subscribe(a, 'x'), topics.count]).toEqual([false, 0]);
  });

  test('no connection has more than it may', () => {
    const topics = new Topics(2, () => {});
    const [a, b] = [member(), member()];
    expect(['x', 'y', 'z'].map((topic) => topics.subscribe(a, topic))).toEqual([true, true, false]);
    expect(topics.subscribe(b, 'z')).toBe(true);
    topics.unsubscribe(a, 'x');
    expect(topics.subscribe(a, 'z')).toBe(true);
    const none = new Topics(0, () => {});
    expect([none.subscribe(a, 'x'), none.count]).toEqual([false, 0]);
  });

  test('a message is made once for all, and not for whoever it is from', () => {
    const topics = new Topics(10, () => {});
    const [from, a, full, refusing, elsewhere] = [member(), member(), member(), member(), member()];
    for (const each of [from, a, full, refusing]) topics.subscribe(each, 'x');
    topics.subscribe(elsewhere, 'y');
    full.answer = 'full';
    refusing.answer = 'refused';
    expect(topics.publish(from, 'x', 'text')).toBe(2);
    const [message] = a.got as PreparedMessage[];
    expect(message).toBeInstanceOf(PreparedMessage);
    expect([message?.binary, message?.compress]).toEqual([false, undefined]);
    expect([from.got, full.got, refusing.got, elsewhere.got]).toEqual([[], [message], [message], []]);
    const prepared = prepare('ready');
    expect(topics.publish(null, 'x', prepared)).toBe(3);
    expect(from.got).toEqual([prepared]);
    topics.publish(null, 'y', Buffer.from('as text'), false, true);
    expect(elsewhere.got).toMatchObject([{ binary: false, compress: true }]);
    expect(topics.publish(null, 'nobody', 'text')).toBe(0);
  });

  test('one that closes while it is sent to is no trouble', () => {
    const topics = new Topics(10, () => {});
    const members = Array.from({ length: 5 }, member);
    for (const each of members) {
      topics.subscribe(each, 'x');
      each.send = () => {
        topics.closed(each);
        return 'refused';
      };
    }
    expect(topics.publish(null, 'x', 'text')).toBe(0);
    expect(topics.count).toBe(0);
  });
});
