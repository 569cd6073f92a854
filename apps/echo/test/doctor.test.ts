import { describe, expect, it } from 'vitest';
import { run } from './cli.js';

describe('doctor', () => {
  it('says which backend runs and what the limits are', async () => {
    const { code, stdout } = await run(['doctor']);
    expect(stdout).toMatch(/^This machine runs on (io_uring|epoll) \(chosen by (auto|IOCP_BACKEND)\)\.\n/);
    expect(stdout).toMatch(/Backends\n +io_uring +.+\n/);
    expect(stdout).toMatch(/Open descriptors +[\d,]+ now/);
    expect(code).toBe(0);
  });

  it('--json is one object', async () => {
    const { code, stdout } = await run(['doctor', '--json'], '', { IOCP_BACKEND: '' });
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({ healthy: true, chosenBy: 'auto', node: process.versions.node });
    expect(report.backends.map(({ backend }: { backend: string }) => backend)).toEqual(['io_uring', 'epoll']);
    expect(report.limits.descriptorsSoft).toBeGreaterThan(0);
    const best = report.backends.find(({ available }: { available: boolean }) => available);
    expect(report.backend).toBe(best.backend);
    expect(code).toBe(0);
  });

  it('shows the choice of IOCP_BACKEND', async () => {
    const { stdout } = await run(['doctor', '--json'], '', { IOCP_BACKEND: 'epoll' });
    expect(JSON.parse(stdout)).toMatchObject({ backend: 'epoll', chosenBy: 'IOCP_BACKEND' });
  });

  it('without a working addon explains what to do and exits 1', async () => {
    const { code, stdout } = await run(['doctor'], '', { IOCP_ADDON: '/nonexistent' });
    expect(stdout).toMatch(/^No backend works here\.\n/);
    expect(stdout).toMatch(/What to do\n {2}- .*addon.*IOCP_ADDON/);
    expect(code).toBe(1);
  });
});
