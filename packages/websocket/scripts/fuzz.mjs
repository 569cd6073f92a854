// Fuzzes what reads bytes of the peer: node scripts/fuzz.mjs [--seconds N] [--seed S]. Runs test/fuzz under vitest.
import { fuzz } from '../../../scripts/fuzz.mjs';

fuzz(new URL('..', import.meta.url), 'IOCP_WEBSOCKET_FUZZ');
