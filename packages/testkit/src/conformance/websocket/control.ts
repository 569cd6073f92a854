/** WebSocket suite, 2 and 5: pings and pongs, and fragments with what may stand between them. RFC 6455, 5.4 and 5.5. */

import { type FrameToSend, more, ping, pong, text } from './frame.js';
import type { Cut } from './peer.js';
import {
  type Case,
  itCloses,
  itWithPeer,
  open,
  pongBack,
  refused,
  run,
  textBack,
  type WebSocketSuite,
} from './scene.js';

export function pingSuite(suite: WebSocketSuite): void {
  const full = new Uint8Array(125).fill(0xfe);
  const notText = Uint8Array.of(0x00, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0x00, 0xff);
  const ten = Array.from({ length: 10 }, (_, index) => `payload-${index}`);
  const manyPings = { send: ten.map((payload) => ping(payload)), back: ten.map(pongBack) };
  const cases: Record<string, Case> = {
    '[2.1] a ping without a payload': { steps: [{ send: [ping()], back: [pongBack('')] }], ending: open },
    '[2.2] a ping with a text': {
      steps: [{ send: [ping('Hello, world!')], back: [pongBack('Hello, world!')] }],
      ending: open,
    },
    '[2.3] a ping with what is no text': {
      steps: [{ send: [ping(notText)], back: [pongBack(notText)] }],
      ending: open,
    },
    '[2.4] a ping with 125 bytes': { steps: [{ send: [ping(full)], back: [pongBack(full)] }], ending: open },
    '[2.5] a ping with 126 bytes': {
      steps: [{ send: [ping(new Uint8Array(126).fill(0xfe))] }],
      ending: refused(1002),
    },
    '[2.6] a ping with 125 bytes, byte by byte': {
      steps: [{ send: [ping(full)], cut: 1, back: [pongBack(full)] }],
      ending: open,
    },
    '[2.7] a pong that nobody asked for': { steps: [{ send: [pong()] }], ending: open },
    '[2.8] a pong with a payload that nobody asked for': {
      steps: [{ send: [pong('unsolicited pong payload')] }],
      ending: open,
    },
    '[2.9] a pong that nobody asked for, and a ping': {
      steps: [
        { send: [pong('unsolicited pong payload'), ping('ping payload')], back: [pongBack('ping payload')] },
      ],
      ending: open,
    },
    '[2.10] ten pings': { steps: [manyPings], ending: open },
    '[2.11] ten pings, byte by byte': { steps: [{ ...manyPings, cut: 1 }], ending: open },
  };
  for (const [name, one] of Object.entries(cases)) itCloses(suite, name, one);
}

const cuts: readonly [name: string, cut: Cut][] = [
  ['in one write', 'whole'],
  ['frame by frame', 'frames'],
  ['byte by byte', 1],
];

export function fragmentSuite(suite: WebSocketSuite): void {
  const [first, second] = [text('fragment1', { fin: false }), more('fragment2')];
  const whole = textBack('fragment1fragment2');

  itCloses(suite, '[5.1] a ping in two fragments', {
    steps: [{ send: [ping('fragment1', { fin: false }), more('fragment2')] }],
    ending: refused(1002),
  });
  itCloses(suite, '[5.2] a pong in two fragments', {
    steps: [{ send: [pong('fragment1', { fin: false }), more('fragment2')] }],
    ending: refused(1002),
  });

  /** The same, cut in three ways: the numbers are one after another. */
  function eachWay(
    number: number,
    title: string,
    send: readonly FrameToSend[],
    one: Omit<Case, 'steps'> & { back?: Case['steps'][number]['back'] },
  ) {
    for (const [index, [name, cut]] of cuts.entries()) {
      const steps = [{ send, cut, ...(one.back === undefined ? {} : { back: one.back }) }];
      itCloses(suite, `[5.${number + index}] ${title}, ${name}`, { steps, ending: one.ending });
    }
  }

  eachWay(3, 'a text in two fragments', [first, second], { back: [whole], ending: open });
  eachWay(6, 'a ping between the fragments of a text', [first, ping('ping payload'), second], {
    back: [pongBack('ping payload'), whole],
    ending: open,
  });
  const stray = 'non-continuation payload';
  eachWay(9, 'a last fragment of nothing, and a text', [more(stray), text('Hello, world!')], {
    ending: refused(1002),
  });
  eachWay(12, 'a fragment of nothing, and a text', [more(stray, { fin: false }), text('Hello, world!')], {
    ending: refused(1002),
  });

  itCloses(suite, '[5.15] a fragment of nothing after a message in fragments', {
    steps: [{ send: [first, second, more('fragment3', { fin: false }), text('fragment4')], back: [whole] }],
    ending: refused(1002),
  });
  for (const [number, fin] of [
    [16, false],
    [17, true],
  ] as const) {
    const turn = [more('fragment1', { fin }), text('fragment2', { fin: false }), more('fragment3')];
    itCloses(
      suite,
      `[5.${number}] a fragment of nothing${fin ? ' that is the last' : ''} before each message`,
      {
        steps: [{ send: [...turn, ...turn] }],
        ending: refused(1002),
      },
    );
  }
  itCloses(suite, '[5.18] a message that begins within another', {
    steps: [{ send: [first, text('fragment2')] }],
    ending: refused(1002),
  });

  for (const [number, cut] of [
    [19, 'whole'],
    [20, 'frames'],
  ] as const) {
    itWithPeer(
      suite,
      `[5.${number}] a text in five fragments, pings between them, and a break`,
      async (peer) => {
        const part = (name: string, fin = false) => more(name, { fin });
        await run(
          peer,
          [
            {
              send: [text('fragment1', { fin: false }), part('fragment2'), ping('pongme 1!')],
              cut,
              back: [pongBack('pongme 1!')],
            },
            {
              send: [part('fragment3'), part('fragment4'), ping('pongme 2!'), part('fragment5', true)],
              cut,
              back: [pongBack('pongme 2!'), textBack('fragment1fragment2fragment3fragment4fragment5')],
            },
          ],
          open,
        );
      },
    );
  }
}
