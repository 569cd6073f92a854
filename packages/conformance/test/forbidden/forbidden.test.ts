/** Where the kernel, or a container, forbids io_uring: `auto` goes to epoll and says why, an explicit choice fails. */

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

interface Report {
  readonly backend?: string;
  readonly rejected?: readonly { backend: string; code: string; reason: string; hint: string }[];
  readonly echoed?: string;
  readonly error?: { code: string; message: string };
}

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const errorNumbers = { EPERM: 1, ENOSYS: 38 } as const;
/** Other systems have neither io_uring nor seccomp. */
const onLinux = process.platform === 'linux';
/** Since Node.js 22, libuv makes a ring of its own, and ends any process that may make one but not enter it. */
const nodeNeedsEnter = Number.parseInt(process.versions.node, 10) >= 22;
let folder: string;
let forbid: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'iocp-forbid-'));
  forbid = join(folder, 'forbid');
  execFileSync(process.env.CXX ?? 'c++', ['-Wall', '-Wextra', '-Werror', '-o', forbid, here('forbid.cc')]);
});

afterAll(() => rmSync(folder, { recursive: true }));

function report(call: string, code: keyof typeof errorNumbers, backend: string): Report {
  const args = [call, String(errorNumbers[code]), process.execPath, here('report.mjs'), backend];
  return JSON.parse(execFileSync(forbid, args, { encoding: 'utf8' }));
}

describe.each(['setup', 'enter', 'register'])('io_uring_%s is forbidden', (call) => {
  const runs = onLinux && !(call === 'enter' && nodeNeedsEnter);

  it.runIf(runs).each(['EPERM', 'ENOSYS'] as const)('with %s: auto takes epoll and says why', (code) => {
    const { backend, rejected, echoed } = report(call, code, 'auto');
    expect({ backend, echoed }).toEqual({ backend: 'epoll', echoed: 'hello' });
    expect(rejected).toHaveLength(1);
    expect(rejected?.[0]).toMatchObject({ backend: 'io_uring', code });
    expect(rejected?.[0]?.reason).toContain(`io_uring_${call}`);
    expect(rejected?.[0]?.hint).not.toBe('');
  });

  it.runIf(runs)('an explicit choice fails with the reason', () => {
    const { error } = report(call, 'EPERM', 'io_uring');
    expect(error?.code).toBe('ERR_IOCP_NO_BACKEND');
    expect(error?.message).toContain(`io_uring_${call}`);
    expect(error?.message).toContain('EPERM');
  });
});

it.skipIf(!onLinux)('epoll, asked for, does not look at io_uring', () => {
  expect(report('setup', 'EPERM', 'epoll')).toEqual({ backend: 'epoll', rejected: [], echoed: 'hello' });
});

it.skipIf(!onLinux)('NODE_DEBUG=iocp says what runs, and what was passed over and why', () => {
  const args = ['setup', String(errorNumbers.EPERM), process.execPath, here('report.mjs'), 'auto'];
  const { stderr } = spawnSync(forbid, args, {
    encoding: 'utf8',
    env: { ...process.env, NODE_DEBUG: 'iocp' },
  });
  expect(stderr).toMatch(/IOCP \d+: port opened: epoll/);
  expect(stderr).toMatch(/IOCP \d+: passed over io_uring: EPERM, io_uring_setup/);
  expect(stderr).toMatch(/IOCP \d+: port closed/);
});
