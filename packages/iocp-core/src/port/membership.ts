/** Multicast groups that a datagram socket is a member of. */

import { isIP } from 'node:net';
import { invalidArgumentValue, validateObject, validateOneOf, validateString } from '../layer/validate.js';
import type { NativeMembership } from './binding.js';

/** A group to be joined or left. */
export interface MembershipChange {
  readonly action: 'join' | 'leave';
  /** Numeric multicast address, of the family of the socket. */
  readonly group: string;
  /** Numeric address of the only sender that is wanted: source-specific multicast, RFC 4607. Default: all senders. */
  readonly source?: string | undefined;
  /** Name, index or one of the addresses of an interface. Default: the system chooses. */
  readonly interface?: string | undefined;
}

const actions = ['join', 'leave'] as const;

export function nativeMembership(membership: MembershipChange): NativeMembership {
  validateObject(membership, 'membership');
  const { action, group, source, interface: wanted } = membership;
  validateOneOf(action, 'membership.action', actions);
  requireNumeric(group, 'membership.group');
  if (source !== undefined) {
    requireNumeric(source, 'membership.source');
    if (isIP(source) !== isIP(group)) {
      throw invalidArgumentValue('membership.source', source, 'must be of the same family as the group');
    }
  }
  if (wanted !== undefined) validateString(wanted, 'membership.interface');
  return {
    action,
    group,
    ...(source === undefined ? {} : { source }),
    ...(wanted === undefined ? {} : { interface: wanted }),
  };
}

function requireNumeric(address: unknown, label: string): asserts address is string {
  validateString(address, label);
  if (isIP(address) === 0) {
    throw invalidArgumentValue(label, address, 'must be a numeric IPv4 or IPv6 address');
  }
}
