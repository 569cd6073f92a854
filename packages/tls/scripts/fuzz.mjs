// Fuzzes the engines: node scripts/fuzz.mjs [--seconds N] [--seed S]. Runs test/fuzz under vitest; build the addon first.
import { fuzz } from '../../../scripts/fuzz.mjs';

fuzz(new URL('..', import.meta.url), 'IOCP_TLS_FUZZ');
