import { defineConfig } from 'tsup';
import { program } from '../../tsup.shared.js';

export default defineConfig(
  program({
    main: 'src/main.ts',
    'bench-server': 'src/bench-server.ts',
    'bench-datagram-server': 'src/bench-datagram-server.ts',
    'bench-load': 'src/bench-load.ts',
  }),
);
