/** WebSocket suite, 7: close frames, their codes and reasons, and what follows them. RFC 6455, 5.5.1 and section 7. */

import { close, type FrameToSend, fragments, more, ping, rawClose, text } from './frame.js';
import {
  type Case,
  closed,
  itCloses,
  itWithPeer,
  open,
  refused,
  textBack,
  type WebSocketSuite,
} from './scene.js';

/** What goes over the wire: RFC 6455, 7.4, and those that IANA has added. */
const goodCodes = [
  1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999,
];
const badCodes = [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65_535];

export function closingSuite(suite: WebSocketSuite): void {
  const long = '*'.repeat(256 * 1024);
  const after = (name: string, send: readonly FrameToSend[]): [string, Case] => [
    name,
    { steps: [{ send }], ending: closed(1000) },
  ];
  const cases: [string, Case][] = [
    [
      '[7.1.1] a text',
      { steps: [{ send: [text('Hello World!')], back: [textBack('Hello World!')] }], ending: open },
    ],
    after('[7.1.2] two close frames', [close(1000), close(1000)]),
    after('[7.1.3] a ping after the close frame', [close(1000), ping()]),
    after('[7.1.4] a text after the close frame', [close(1000), text('Hello World!')]),
    after('[7.1.5] a close frame within a message', [
      text('fragment1', { fin: false }),
      close(1000),
      more('fragment2'),
    ]),
    after('[7.1.7] what is wrong after the close frame', [close(1000), text('Hello', { rsv: 7 })]),
    [
      '[7.1.6] a text of 256 KiB, a close frame and a ping',
      { steps: [{ send: [text(long), close(1000), ping()], back: [textBack(long)] }], ending: closed(1000) },
    ],
    ['[7.3.1] a close frame without a code', { steps: [{ send: [close()] }], ending: closed(null) }],
    ['[7.3.2] a close frame of one byte', { steps: [{ send: [rawClose('a')] }], ending: refused(1002) }],
    ['[7.3.3] a close frame with a code', { steps: [{ send: [close(1000)] }], ending: closed(1000) }],
    [
      '[7.3.4] a close frame with a reason',
      { steps: [{ send: [close(1000, 'Hello World!')] }], ending: closed(1000) },
    ],
    [
      '[7.3.5] a close frame with the longest reason',
      { steps: [{ send: [close(1000, '*'.repeat(123))] }], ending: closed(1000) },
    ],
    [
      '[7.3.6] a close frame that is too long',
      { steps: [{ send: [close(1000, '*'.repeat(124))] }], ending: refused(1002) },
    ],
    [
      '[7.5.1] a reason that is no text',
      {
        steps: [{ send: [close(1000, Buffer.from('cebae1bdb9cf83cebcceb5eda08065646974656440', 'hex'))] }],
        ending: refused(1002, 1007),
      },
    ],
    [
      '[7.5.2] a close frame in two fragments',
      { steps: [{ send: [{ ...close(1000), fin: false }, more()] }], ending: refused(1002) },
    ],
  ];
  for (const [name, one] of cases) itCloses(suite, name, one);

  for (const code of goodCodes) {
    itCloses(suite, `[7.7] ${code} is answered with ${code}`, {
      steps: [{ send: [close(code, 'Goodbye')], cut: code % 2 === 0 ? 'whole' : 1 }],
      ending: closed(code),
    });
  }
  for (const code of badCodes) {
    itCloses(suite, `[7.9] ${code} must not be in a close frame`, {
      steps: [{ send: [code % 2 === 0 ? close(code) : close(code, 'Goodbye')] }],
      ending: refused(1002),
    });
  }

  itWithPeer(suite, '[7.13] the stream ends without a close frame, between messages', async (peer) => {
    peer.end();
    await peer.untilEnded();
  });
  itWithPeer(suite, '[7.13] the stream ends without a close frame, within a message', async (peer) => {
    await peer.send([...fragments(false, 'broken off', 4).slice(0, 2), Uint8Array.of(0x80)]);
    peer.end();
    await peer.untilEnded();
  });
}
