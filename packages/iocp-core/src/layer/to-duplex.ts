import { ChannelDuplex, type ToDuplexOptions } from './channel-duplex.js';
import type { ConnectionCore } from './connection-core.js';
import { validateObject } from './validate.js';

/** One class of streams for each set of members that layers give them. */
const classes = new WeakMap<PropertyDescriptorMap, typeof ChannelDuplex>();

function classWith(members: PropertyDescriptorMap): typeof ChannelDuplex {
  const known = classes.get(members);
  if (known !== undefined) return known;
  const Described = class extends ChannelDuplex {};
  Object.defineProperties(Described.prototype, members);
  classes.set(members, Described);
  return Described;
}

/** Makes `core` flow through a Node stream. Reading begins at once, up to the high-water mark, as in `net.Socket`. */
export function toDuplex(core: ConnectionCore, options: ToDuplexOptions = {}): ChannelDuplex {
  validateObject(options, 'options');
  const { allowHalfOpen = core.settings.allowHalfOpen } = options;
  const { readableHighWaterMark = core.settings.readableHighWaterMark } = options;
  const { streamMembers } = core.channel;
  const Stream = streamMembers === undefined ? ChannelDuplex : classWith(streamMembers);
  const duplex = new Stream({ ...options, allowHalfOpen, readableHighWaterMark });
  duplex.open(core);
  return duplex;
}
