import { build, defineConfig, type Options } from 'tsup';
import { program } from '../../tsup.shared.js';

/** The page for the browser, with the chart library in it. */
const page: Options = {
  entry: { page: 'src/page/page.ts' },
  outDir: 'dist/page',
  publicDir: 'src/page/public',
  tsconfig: 'src/page/tsconfig.json',
  format: ['esm'],
  platform: 'browser',
  target: 'es2022',
  noExternal: ['uplot'],
  minify: true,
  config: false,
};

export default defineConfig({
  ...program({
    main: 'src/main.ts',
    'bench-server': 'src/bench-server.ts',
    'bench-datagram-server': 'src/bench-datagram-server.ts',
    'bench-tls-server': 'src/bench-tls-server.ts',
    'bench-websocket-server': 'src/bench-websocket-server.ts',
    'bench-websocket-peer': 'src/bench-websocket-peer.ts',
    'bench-load': 'src/bench-load.ts',
  }),
  // Afterwards, so that it is not cleaned away.
  onSuccess: () => build(page),
});
