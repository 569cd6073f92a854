// Makes the binaries that are published with the package: prebuilds/<platform>-<arch>/iocp_websocket.node, stripped.
//   node scripts/build-prebuilds.mjs [linux-x64 linux-arm64 win32-x64]
//   node scripts/build-prebuilds.mjs --check    builds nothing: all of them have to be there (before publishing)
import { fileURLToPath } from 'node:url';
import { buildPrebuilds } from '@iocp/core/native-build';

buildPrebuilds({ folder: fileURLToPath(new URL('..', import.meta.url)), addon: 'iocp_websocket.node' });
