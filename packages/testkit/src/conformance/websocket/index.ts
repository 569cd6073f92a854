/** The WebSocket suite: what every implementation of RFC 6455 and RFC 7692 has to do, in either role. */

import type { Role } from '@iocp/core/layer';
import type { TestRunner, TestSetup } from '../../runner.js';
import { closingSuite } from './closing.js';
import { fragmentSuite, pingSuite } from './control.js';
import { deflateSuite } from './deflate.js';
import { framingSuite, reservedSuite } from './framing.js';
import { largeSuite } from './large.js';
import { openingSuite } from './opening-suite.js';
import type { WebSocketSuite } from './scene.js';
import type { WebSocketSubject, WebSocketTraits } from './subject.js';
import { utf8Suite } from './utf8.js';

/**
 * Registers the tests that an implementation must pass, which sends each message back. The suite is the other side, with
 * frames and compression of its own. Its areas and their numbers are those of the Autobahn test suite; 0 is the opening
 * handshake, which that does not test.
 * @param role of the implementation; the suite takes the other side
 */
export function webSocketSuite(
  runner: TestRunner,
  role: Role,
  setup: TestSetup<WebSocketSubject>,
  traits: WebSocketTraits = {},
): void {
  const suite: WebSocketSuite = {
    runner,
    role,
    setup,
    traits: {
      invalidText: 'at once',
      minimalLengths: true,
      compressesAnswers: true,
      fullSize: false,
      ...traits,
    },
  };
  runner.describe('opening', () => openingSuite(suite));
  runner.describe('frames', () => framingSuite(suite));
  runner.describe('pings and pongs', () => pingSuite(suite));
  runner.describe('reserved bits and opcodes', () => reservedSuite(suite));
  runner.describe('fragments', () => fragmentSuite(suite));
  runner.describe('text', () => utf8Suite(suite));
  runner.describe('closing', () => closingSuite(suite));
  runner.describe('large messages', () => largeSuite(suite));
  runner.describe('compression', () => deflateSuite(suite));
}
