import { mergeConfig } from 'vitest/config';
import { spawnRetries } from '../../system.shared.js';
import shared from '../../vitest.shared.js';

/** Nearly every test starts processes. */
export default mergeConfig(shared, { test: { retry: spawnRetries } });
