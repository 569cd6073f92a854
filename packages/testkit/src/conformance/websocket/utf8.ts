/** WebSocket suite, 6: text is UTF-8, and what is not is refused as soon as it has come. RFC 6455, 5.6 and 8.1. */

import { addNote } from '../../prng.js';
import { itWith } from '../../runner.js';
import { nextTurn } from '../../turns.js';
import { encodeFrame, fragments, more, ping, text } from './frame.js';
import type { WebSocketPeer } from './peer.js';
import {
  type Case,
  conclude,
  finish,
  itCloses,
  itWithPeer,
  open,
  openPeer,
  pongBack,
  refused,
  run,
  textBack,
  type WebSocketSuite,
} from './scene.js';
import { kosme, sequenceGroups } from './utf8-sequences.js';

const notText = refused(1007);
const greeting = Buffer.from('Hello-µ@ßöäüàá-UTF-8!!');
/** The word, half of a surrogate pair, and more text. */
const invalid = Buffer.concat([kosme, Buffer.from('eda080656469746564', 'hex')]);

export function utf8Suite(suite: WebSocketSuite): void {
  const empty = (...payloads: string[]) =>
    payloads.map((payload, index) =>
      index === 0 ? text(payload, { fin: false }) : more(payload, { fin: index === payloads.length - 1 }),
    );
  const cases: Record<string, Case> = {
    '[6.1.1] an empty text': { steps: [{ send: [text()], back: [textBack('')] }], ending: open },
    '[6.1.2] three empty fragments': {
      steps: [{ send: empty('', '', ''), back: [textBack('')] }],
      ending: open,
    },
    '[6.1.3] a fragment between empty ones': {
      steps: [{ send: empty('', 'middle frame payload', ''), back: [textBack('middle frame payload')] }],
      ending: open,
    },
    '[6.2.1] text': { steps: [{ send: [text(greeting)], back: [textBack(greeting)] }], ending: open },
    '[6.2.2] text in two fragments': {
      steps: [{ send: fragments(false, greeting, 12), back: [textBack(greeting)] }],
      ending: open,
    },
    '[6.2.3] text in fragments of one byte': {
      steps: [{ send: fragments(false, greeting, 1), back: [textBack(greeting)] }],
      ending: open,
    },
    '[6.2.4] a word in fragments of one byte': {
      steps: [{ send: fragments(false, kosme, 1), back: [textBack(kosme)] }],
      ending: open,
    },
    '[6.3.1] invalid text': { steps: [{ send: [text(invalid)] }], ending: notText },
    '[6.3.2] invalid text in fragments of one byte': {
      steps: [{ send: fragments(false, invalid, 1) }],
      ending: notText,
    },
    '[6.5.1] a word': { steps: [{ send: [text(kosme)], back: [textBack(kosme)] }], ending: open },
    '[6.5.2] invalid text after a good one': {
      steps: [{ send: [text(kosme), text(invalid), ping()], back: [textBack(kosme)] }],
      ending: notText,
    },
  };
  for (const [name, one] of Object.entries(cases)) itCloses(suite, name, one);
  failFastSuite(suite);
  for (const { area, title, valid, sequences } of sequenceGroups) {
    itWith(
      suite.runner,
      suite.setup,
      `[${area}] ${title} ${valid ? 'is text' : 'is refused'}`,
      async (subject) => {
        for (const [index, sequence] of sequences.entries()) {
          const payload = Buffer.from(sequence, 'hex');
          const peer = await openPeer(suite, subject);
          await conclude(peer, () =>
            run(
              peer,
              [
                {
                  send: fragments(false, payload, index % 2 === 0 ? 1000 : 1),
                  back: valid ? [textBack(payload)] : [],
                },
              ],
              valid ? open : notText,
            ),
          ).catch((error) => {
            if (error instanceof Error) addNote(error, `the bytes were ${sequence}`);
            throw error;
          });
        }
      },
    );
  }
}

/** What comes later cannot make it good: the connection fails before the message is complete. */
function failFastSuite(suite: WebSocketSuite): void {
  const rest = Buffer.from('edited');
  const splits: [number: number, good: Uint8Array, bad: Uint8Array, rest: Uint8Array][] = [
    [1, kosme, Buffer.of(0xf4, 0x90, 0x80, 0x80), rest],
    [
      2,
      Buffer.concat([kosme, Buffer.of(0xf4)]),
      Buffer.of(0x90),
      Buffer.concat([Buffer.of(0x80, 0x80), rest]),
    ],
  ];
  for (const [number, good, bad, last] of splits) {
    itWithPeer(
      suite,
      `[6.4.${number}] a fragment that cannot become text is refused before the last`,
      async (peer) => {
        await run(peer, [{ send: [text(good, { fin: false }), ping()], back: [pongBack('')] }]);
        await peer.send([more(bad, { fin: false })]);
        await refuse(suite, peer, () => peer.send([more(last)]));
      },
    );
  }
  for (const [number, good, bad, last] of splits) {
    itWithPeer(
      suite,
      `[6.4.${number + 2}] a frame that cannot become text is refused before its end`,
      async (peer) => {
        const payload = Buffer.concat([good, bad, last]);
        // As a client masks it; with a key that changes nothing the payload can be cut.
        const key = peer.role === 'client' ? new Uint8Array(4) : null;
        const frame = encodeFrame(text(payload), key);
        const start = frame.byteLength - payload.byteLength;
        const cuts = [start + good.byteLength, start + good.byteLength + bad.byteLength] as const;
        await peer.send([frame.subarray(0, cuts[0])]);
        await nextTurn();
        await peer.send([frame.subarray(...cuts)]);
        await refuse(suite, peer, () => peer.send([frame.subarray(cuts[1])]));
      },
    );
  }
}

/** Fails unless the text is refused when the suite says that it has to be. */
async function refuse(
  suite: WebSocketSuite,
  peer: WebSocketPeer,
  sendRest: () => Promise<void>,
): Promise<void> {
  if (suite.traits.invalidText === 'at the end') await sendRest();
  await finish(peer, notText);
}
