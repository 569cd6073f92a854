import { describe, expect, test } from 'vitest';
import { filesBelow, type Include, includesNamedIn, includesOf } from './sources.js';

const native = 'packages/iocp-core/native';
const files = filesBelow(native, ['.h', '.cc']);
const inNative = (file: string) => file.slice(native.length + 1);

/** What each part may include from native/: bridge -> backend -> core, and no backend from another but through net/, posix/ and winsock/. */
const mayInclude: readonly (readonly [part: string, prefixes: readonly string[]])[] = [
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

const hostHeaders = new Set(['node_api.h', 'js_native_api.h', 'node.h', 'napi.h', 'uv.h', 'v8.h']);

/** Headers of the C++ library have neither a folder nor a suffix; what has one is the system's, or someone else's. */
const isStandard = (include: Include) => /^[a-z_0-9]+$/.test(include.name);

function wrongIncludes(path: string, includes: readonly Include[]): string[] {
  const prefixes = mayInclude.find(([part]) => path.startsWith(part))?.[1] ?? [];
  return includes
    .filter((include) => {
      if (!include.system) return !prefixes.some((prefix) => include.name.startsWith(prefix));
      if (path.startsWith('core/')) return !isStandard(include);
      return hostHeaders.has(include.name) && !path.startsWith('bridge/');
    })
    .map((include) => include.name);
}

describe('includes in native/', () => {
  test.each(files.map(inNative))('%s stays in its direction', (path) => {
    expect(wrongIncludes(path, includesOf(`${native}/${path}`))).toEqual([]);
  });

  test('uv.h is included in one file', () => {
    const users = files.filter((file) => includesOf(file).some((include) => include.name === 'uv.h'));
    expect(users).toHaveLength(1);
  });
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

  test.each([
    ['core/slab.cc', '<unistd.h>'],
    ['core/slab.cc', '<sys/socket.h>'],
    ['core/slab.cc', '"backend/epoll/driver.h"'],
    ['backend/epoll/driver.cc', '"backend/io_uring/ring.h"'],
    ['backend/epoll/driver.cc', '"bridge/port.h"'],
    ['backend/epoll/driver.cc', '<uv.h>'],
    ['backend/epoll/driver.cc', '"driver.h"'],
    ['test/main.cc', '<node_api.h>'],
    ['elsewhere/file.cc', '"core/driver.h"'],
  ])('rejects in %s: %s', (path, include) => {
    expect(wrongIncludes(path, includesNamedIn(`#include ${include}`))).toHaveLength(1);
  });

  test.each([
    ['core/slab.cc', '<cstdint>'],
    ['backend/epoll/driver.cc', '<sys/epoll.h>'],
    ['bridge/wake.cc', '<uv.h>'],
  ])('accepts in %s: %s', (path, include) => {
    expect(wrongIncludes(path, includesNamedIn(`#include ${include}`))).toEqual([]);
  });
});
