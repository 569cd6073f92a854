import { describe, expect, test } from 'vitest';
import {
  filesBelow,
  importsOf,
  modulesLoadedWith,
  modulesNamedIn,
  read,
  targetOf,
  valuesImported,
} from './sources.js';

interface Rule {
  /** The folder or the file for which the rule holds. */
  readonly folder: string;
  /** Relative imports stay inside this folder. */
  readonly inside: string;
  /** Names of other packages that may be imported, as they are written. */
  readonly packages: readonly string[];
}

function dependenciesOf(folder: string): string[] {
  const manifest: { dependencies: Record<string, string> } = JSON.parse(read(`${folder}/package.json`));
  return Object.keys(manifest.dependencies);
}

const rules: readonly Rule[] = [
  { folder: 'packages/iocp-core/src', inside: 'packages/iocp-core/src', packages: [] },
  { folder: 'packages/iocp-core/src/layer', inside: 'packages/iocp-core/src/layer', packages: [] },
  { folder: 'packages/iocp-core/src/addon', inside: 'packages/iocp-core/src/addon', packages: [] },
  { folder: 'packages/tcp/src', inside: 'packages/tcp/src', packages: ['@iocp/core', '@iocp/core/layer'] },
  { folder: 'packages/udp/src', inside: 'packages/udp/src', packages: ['@iocp/core', '@iocp/core/layer'] },
  {
    folder: 'packages/tls/src',
    inside: 'packages/tls/src',
    packages: ['@iocp/core/layer', '@iocp/core/addon', '@iocp/tcp'],
  },
  {
    folder: 'packages/websocket/src',
    inside: 'packages/websocket/src',
    packages: ['@iocp/core/layer', '@iocp/core/addon', '@iocp/tcp', '@iocp/tls', '@iocp/tls/tls', 'ws'],
  },
  {
    folder: 'packages/testkit/src',
    inside: 'packages/testkit/src',
    packages: ['@iocp/core/layer', ...dependenciesOf('packages/testkit')],
  },
  {
    folder: 'apps/echo/src',
    inside: 'apps/echo/src',
    packages: ['@iocp/core/layer', 'uplot/dist/uPlot.min.css', ...dependenciesOf('apps/echo')],
  },
];

/** Node's own sockets: the pure-JS backend stands on them, and the benchmark measures them. Nothing else does. */
const nodeSockets = new Set(['node:net', 'node:dgram', 'node:tls', 'node:http', 'node:https', 'node:http2']);
const opensNothing = new Set([
  'isIP',
  'isIPv4',
  'isIPv6',
  'checkServerIdentity',
  'getCiphers',
  'rootCertificates',
  'DEFAULT_CIPHERS',
  'DEFAULT_ECDH_CURVE',
  'DEFAULT_MAX_VERSION',
  'DEFAULT_MIN_VERSION',
  'STATUS_CODES',
  'ServerResponse',
]);
const mayUseNodeSockets = [
  'packages/iocp-core/src/backend/node/',
  'packages/tls/src/engine/node/',
  // Asks for a function that not every Node.js has, and so for the module as a whole.
  'packages/tls/src/engine/native/default-roots.ts',
  // HTTP is parsed by Node; the connections are ours.
  'packages/websocket/src/server/http-front.ts',
  'packages/websocket/src/ws/',
  'apps/echo/src/bench/',
  'apps/echo/src/bench-server.ts',
  'apps/echo/src/bench-datagram-server.ts',
  'apps/echo/src/bench-tls-server.ts',
];

function socketsOpenedBy(text: string, file: string): string[] {
  return valuesImported(text, file, nodeSockets).filter((name) => !opensNothing.has(name));
}

/** An optional peer of a package: who names it, and who may load it with itself; the others load it when it is needed. */
interface OptionalPeer {
  readonly name: string;
  /** Its entries, as they are imported. */
  readonly entries: readonly string[];
  readonly folder: string;
  readonly users: readonly string[];
  readonly loaders: readonly string[];
}

const optionalPeers: readonly OptionalPeer[] = [
  {
    name: '@iocp/tcp',
    entries: ['@iocp/tcp'],
    folder: 'packages/tls/src',
    users: [
      'packages/tls/src/transport.ts',
      'packages/tls/src/listen.ts',
      'packages/tls/src/connect.ts',
      'packages/tls/src/tls/',
    ],
    loaders: [],
  },
  {
    name: '@iocp/tls',
    entries: ['@iocp/tls', '@iocp/tls/tls'],
    folder: 'packages/websocket/src',
    users: [
      'packages/websocket/src/tls-layer.ts',
      'packages/websocket/src/client/',
      'packages/websocket/src/ws/',
    ],
    loaders: [],
  },
  {
    // An entry of its own, for those who have it.
    name: 'ws',
    entries: ['ws'],
    folder: 'packages/websocket/src',
    users: ['packages/websocket/src/ws/'],
    loaders: ['packages/websocket/src/ws/'],
  },
];

const isRelative = (specifier: string) => specifier.startsWith('.');

function breaches(rule: Rule, file: string, specifiers: readonly string[]): string[] {
  return specifiers.filter((specifier) => {
    if (isRelative(specifier)) return !targetOf(file, specifier).startsWith(`${rule.inside}/`);
    return !specifier.startsWith('node:') && !rule.packages.includes(specifier);
  });
}

describe.each(rules)('imports in $folder', (rule) => {
  const files = filesBelow(rule.folder, ['.ts']);

  test('there are files to check', () => {
    expect(files).not.toEqual([]);
  });

  test.each(files)('%s stays in its direction', (file) => {
    expect(breaches(rule, file, importsOf(file))).toEqual([]);
  });
});

describe("Node's own sockets", () => {
  const files = ['packages', 'apps']
    .flatMap((folder) => filesBelow(folder, ['.ts']))
    .filter((file) => file.includes('/src/'))
    .filter((file) => !mayUseNodeSockets.some((prefix) => file.startsWith(prefix)));

  test.each(files)('%s does not open them', (file) => {
    expect(socketsOpenedBy(read(file), file)).toEqual([]);
  });
});

describe.each(optionalPeers)('$name, which need not be installed for $folder', (peer) => {
  const isAmong = (file: string, prefixes: readonly string[]) =>
    prefixes.some((prefix) => file.startsWith(prefix));
  const files = filesBelow(peer.folder, ['.ts']);
  const entriesAmong = (specifiers: readonly string[]) =>
    specifiers.filter((specifier) => peer.entries.includes(specifier));
  const users = files.filter((file) => entriesAmong(importsOf(file)).length > 0);

  test('is named where it is used', () => {
    expect(users).not.toEqual([]);
    expect(users.filter((file) => !isAmong(file, peer.users))).toEqual([]);
  });

  test.each(files.filter((file) => !isAmong(file, peer.loaders)))(
    '%s does not load it with itself',
    (file) => {
      expect(entriesAmong(modulesLoadedWith(read(file), file))).toEqual([]);
    },
  );
});

describe('the check itself', () => {
  test('sees every way to name a module', () => {
    const text = `
      import a from 'a';
      import type { B } from 'b';
      export { c } from 'c';
      import d = require('d');
      const e = await import('e');
      const f = require('f');
      const g = requireFromHere('g');
      let h: import('h').H;
      import 'i';
      export * from 'j';
    `;
    expect(modulesNamedIn(text, 'file.ts')).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j']);
  });

  test('tells what is loaded with a file from types and what is loaded later', () => {
    const text = `
      import a from 'a';
      import { type B, c } from 'b';
      import 'c';
      export { d } from 'd';
      import type { E } from 'e';
      import { type F } from 'f';
      export type { G } from 'g';
      const h = await import('h');
    `;
    expect(modulesLoadedWith(text, 'file.ts')).toEqual(['a', 'b', 'c', 'd']);
  });

  test.each([
    ["import { connect, isIP } from 'node:net';", ['connect']],
    ["import { connect as open } from 'node:tls';", ['connect']],
    ["import net from 'node:net';", ['*']],
    ["import * as net from 'node:net';", ['*']],
    ["const net = require('node:net');", ['*']],
    ["export { connect } from 'node:net';", ['*']],
    ["import type { Socket } from 'node:net';", []],
    ["import { isIP, type Socket } from 'node:net';", []],
    ["import { connect } from './net.js';", []],
  ])('knows whether sockets are opened by: %s', (text, names) => {
    expect(socketsOpenedBy(text, 'file.ts')).toEqual(names);
  });

  test('reports what leaves the folder or names a package that is not listed', () => {
    const rule: Rule = { folder: 'a/src', inside: 'a/src/layer', packages: ['@iocp/core'] };
    const specifiers = [
      './near.js',
      '../port/far.js',
      '../layer-two.js',
      'node:path',
      '@iocp/core',
      '@iocp/core/deep',
    ];
    expect(breaches(rule, 'a/src/layer/file.ts', specifiers)).toEqual([
      '../port/far.js',
      '../layer-two.js',
      '@iocp/core/deep',
    ]);
  });
});
