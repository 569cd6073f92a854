import { describe, expect, test } from 'vitest';
import { filesBelow, type Include, includesNamedIn, includesOf } from './sources.js';

/** What a part of native/ may include: files of native/ by how their path begins, and headers of others. */
interface Part {
  /** How the paths of its files begin. */
  readonly part: string;
  readonly mayInclude: readonly string[];
  readonly mayUse: (header: string) => boolean;
}

/** Headers of the C++ library have neither a folder nor a suffix; what has one is the system's, or someone else's. */
const isStandard = (header: string) => /^[a-z_0-9]+$/.test(header);
const isOpenssl = (header: string) => header.startsWith('openssl/');
const hostHeaders = new Set(['node_api.h', 'js_native_api.h', 'node.h', 'napi.h', 'uv.h', 'v8.h']);
const isNotOfHost = (header: string) => !hostHeaders.has(header);

/** Core's: bridge -> backend -> core, and no backend from another but through net/, posix/ and winsock/. */
const coreDirections: readonly (readonly [part: string, prefixes: readonly string[]])[] = [
  ['core/', ['core/']],
  ['backend/net/', ['core/', 'backend/net/']],
  ['backend/posix/', ['core/', 'backend/net/', 'backend/posix/']],
  ['backend/winsock/', ['core/', 'backend/net/', 'backend/winsock/']],
  ['backend/io_uring/', ['core/', 'backend/net/', 'backend/posix/', 'backend/io_uring/']],
  ['backend/epoll/', ['core/', 'backend/net/', 'backend/posix/', 'backend/epoll/']],
  ['backend/iocp/', ['core/', 'backend/net/', 'backend/winsock/', 'backend/iocp/']],
  ['backend/select/', ['core/', 'backend/select/', 'backend/io_uring/', 'backend/epoll/', 'backend/iocp/']],
  ['backend/sim/', ['core/', 'backend/']],
  ['bridge/', ['core/', 'backend/', 'bridge/']],
  ['test/', ['core/', 'backend/', 'test/']],
  ['fuzz/', ['core/', 'backend/', 'test/', 'fuzz/']],
];

const core: readonly Part[] = coreDirections.map(([part, mayInclude]) => ({
  part,
  mayInclude,
  mayUse: part === 'core/' ? isStandard : part === 'bridge/' ? () => true : isNotOfHost,
}));

/** That of TLS: core/ is OpenSSL alone, and bridge/ brings it to JavaScript. */
const tls: readonly Part[] = [
  {
    part: 'core/',
    mayInclude: ['core/'],
    mayUse: (header) => isStandard(header) || isOpenssl(header),
  },
  { part: 'bridge/', mayInclude: ['core/', 'bridge/'], mayUse: (header) => header !== 'uv.h' },
  {
    part: 'test/',
    mayInclude: ['core/', 'test/'],
    mayUse: (header) => isStandard(header) || isOpenssl(header),
  },
];

/** That of WebSocket: core/ is arithmetic. */
const websocket: readonly Part[] = [
  { part: 'core/', mayInclude: ['core/'], mayUse: isStandard },
  { part: 'bridge/', mayInclude: ['core/', 'bridge/'], mayUse: (header) => header !== 'uv.h' },
  {
    part: 'test/',
    mayInclude: ['core/', 'test/'],
    mayUse: (header) => isStandard(header) || isOpenssl(header),
  },
];

function wrongIncludes(parts: readonly Part[], path: string, includes: readonly Include[]): string[] {
  const rule = parts.find(({ part }) => path.startsWith(part));
  return includes
    .filter(({ system, name }) =>
      system ? !rule?.mayUse(name) : !rule?.mayInclude.some((prefix) => name.startsWith(prefix)),
    )
    .map(({ name }) => name);
}

describe.each([
  ['packages/iocp-core/native', core],
  ['packages/tls/native', tls],
  ['packages/websocket/native', websocket],
])('includes in %s', (native, parts) => {
  const paths = filesBelow(native, ['.h', '.cc']).map((file) => file.slice(native.length + 1));

  test('there are files to check', () => {
    expect(paths).not.toEqual([]);
  });

  test.each(paths)('%s stays in its direction', (path) => {
    expect(wrongIncludes(parts, path, includesOf(`${native}/${path}`))).toEqual([]);
  });
});

test('uv.h is included in one file', () => {
  const files = filesBelow('packages', ['.h', '.cc']);
  const users = files.filter((file) => includesOf(file).some((include) => include.name === 'uv.h'));
  expect(users).toHaveLength(1);
});

describe('the check itself', () => {
  test('reads every form of an include', () => {
    const text =
      '#include <vector>\n  #  include "core/driver.h"  // why\n// #include <no>\n#include<sys/socket.h>\n';
    expect(includesNamedIn(text)).toEqual([
      { name: 'vector', system: true },
      { name: 'core/driver.h', system: false },
      { name: 'sys/socket.h', system: true },
    ]);
  });

  const parts = { core, tls, websocket };

  test.each([
    ['core', 'core/slab.cc', '<unistd.h>'],
    ['core', 'core/slab.cc', '<sys/socket.h>'],
    ['core', 'core/slab.cc', '"backend/epoll/driver.h"'],
    ['core', 'backend/epoll/driver.cc', '"backend/io_uring/ring.h"'],
    ['core', 'backend/epoll/driver.cc', '"bridge/port.h"'],
    ['core', 'backend/epoll/driver.cc', '<uv.h>'],
    ['core', 'backend/epoll/driver.cc', '"driver.h"'],
    ['core', 'test/main.cc', '<node_api.h>'],
    ['core', 'elsewhere/file.cc', '"core/driver.h"'],
    ['core', 'elsewhere/file.cc', '<cstdint>'],
    ['tls', 'core/session.cc', '<napi.h>'],
    ['tls', 'core/session.cc', '<sys/socket.h>'],
    ['tls', 'core/session.cc', '"bridge/node_api.h"'],
    ['tls', 'bridge/addon.cc', '<uv.h>'],
    ['websocket', 'core/mask.cc', '<napi.h>'],
  ] as const)("rejects in %s's %s: %s", (name, path, include) => {
    expect(wrongIncludes(parts[name], path, includesNamedIn(`#include ${include}`))).toHaveLength(1);
  });

  test.each([
    ['core', 'core/slab.cc', '<cstdint>'],
    ['core', 'backend/epoll/driver.cc', '<sys/epoll.h>'],
    ['core', 'bridge/wake.cc', '<uv.h>'],
    ['tls', 'core/session.cc', '<openssl/ssl.h>'],
    ['tls', 'bridge/addon.cc', '<napi.h>'],
    ['websocket', 'core/mask.cc', '<cstring>'],
  ] as const)("accepts in %s's %s: %s", (name, path, include) => {
    expect(wrongIncludes(parts[name], path, includesNamedIn(`#include ${include}`))).toEqual([]);
  });
});
