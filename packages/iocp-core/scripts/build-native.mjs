// Builds the addon from source into build/<platform>-<arch>/; native-build/build-addon.mjs lists the arguments.
import { fileURLToPath } from 'node:url';
import { buildAddon } from '../native-build/index.mjs';

buildAddon({
  folder: fileURLToPath(new URL('..', import.meta.url)),
  addons: ['iocp_core.node', 'iocp_core_sim.node'],
  tests: [
    {
      name: 'iocp_native_test',
      leavesOut: {
        // IP_BIND_ADDRESS_NO_PORT, SO_MEMINFO and most options for datagrams are unknown to qemu-user, options that are
        // texts are refused, TCP_INFO is cut short, and the error queue has no errors.
        'linux-arm64': [
          'net: an open socket knows its way',
          'net: options of Linux are set and read',
          'net: tcp_info has numbers',
          'net: UDP options ',
          'net: a multicast interface is chosen',
          'net: members ',
          'net: IPv6 groups are joined and left',
          'net: wrong memberships are refused',
          'net: who is no member does not leave',
          'net: the network answers ',
          'net: the machine answers itself',
          'net: dropped datagrams are counted',
        ],
        // Wine binds datagram sockets to addresses that the machine does not have, and their port is lost with the connection.
        'win32-x64': [
          'net: a UDP socket at foreign addresses is refused',
          'net: a UDP socket is disconnected',
        ],
      },
    },
    { name: 'iocp_native_fuzz' },
  ],
});
