/** The WebSocket suite with the package `ws`, so that what it demands is what RFC 6455 does. */

import { webSocketSuite } from '@iocp/testkit';
import { describe } from 'vitest';
import { underWine } from '../../../system.shared.js';
import { runner, runnerWithout } from './support/runner.js';
import { controlClient, controlServer } from './support/websocket-control.js';

const traits = {
  invalidText: 'at the end',
  minimalLengths: false,
  fullSize: process.env.IOCP_TEST_FULL_SIZE !== undefined,
} as const;

describe.skipIf(underWine)('a server of ws', () =>
  webSocketSuite(runnerWithout(/refuses HTTP\/1\.0/), 'server', controlServer, traits),
);
describe.skipIf(underWine)('a client of ws', () => webSocketSuite(runner, 'client', controlClient, traits));
