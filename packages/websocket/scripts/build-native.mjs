// Builds the addon from source into build/<platform>-<arch>/; native-build/build-addon.mjs of @iocp/core lists the arguments.
import { fileURLToPath } from 'node:url';
import { buildAddon } from '@iocp/core/native-build';

buildAddon({ folder: fileURLToPath(new URL('..', import.meta.url)), addons: ['iocp_websocket.node'] });
