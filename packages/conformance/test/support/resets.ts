import { underWine } from '../../../../system.shared.js';

/**
 * What the peer of a TCP connection that is reset sees. Wine shuts a socket down before it closes it: there the end may
 * come first.
 */
export const resetSeenAs = underWine ? 'end' : 'reset';
