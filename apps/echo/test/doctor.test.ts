import { describe, expect, it } from 'vitest';
import { systemBackends } from '../../../system.shared.js';
import { run } from './cli.js';

/** Other systems do not tell their limits. */
const onLinux = process.platform === 'linux';

describe('doctor', () => {
  it('says which backend runs and what the limits are', async () => {
    const { code, stdout } = await run(['doctor']);
    expect(stdout).toMatch(
      /^This machine runs on (io_uring|epoll|iocp|node) \(chosen by (auto|IOCP_BACKEND)\)\.\n/,
    );
    expect(stdout).toMatch(/Backends\n +[a-z_]+ +.+\n/);
    if (onLinux) expect(stdout).toMatch(/Open descriptors +[\d,]+ now/);
    expect(code).toBe(0);
  });

  it('--json is one object', async () => {
    const { code, stdout } = await run(['doctor', '--json'], '', { IOCP_BACKEND: '' });
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({ healthy: true, chosenBy: 'auto', node: process.versions.node });
    expect(report.backends.map(({ backend }: { backend: string }) => backend)).toEqual(systemBackends);
    if (onLinux) expect(report.limits.descriptorsSoft).toBeGreaterThan(0);
    const best = report.backends.find(({ available }: { available: boolean }) => available);
    expect(report.backend).toBe(best.backend);
    expect(code).toBe(0);
  });

  it('says which TLS engine runs, and on which OpenSSL', async () => {
    const { stdout } = await run(['doctor', '--json'], '', { IOCP_TLS_ENGINE: '' });
    const { tls } = JSON.parse(stdout);
    expect(tls).toMatchObject({ chosenBy: 'auto', library: expect.stringMatching(/^OpenSSL /) });
    if (systemBackends.length > 1) expect(tls).toMatchObject({ engine: 'native' });
    expect(tls.library).toContain(process.versions.openssl?.replace(/\+.*/, ''));
  });

  it('without the addon of TLS says why, and what to do', async () => {
    const env = { IOCP_TLS_ADDON: '/nonexistent', IOCP_TLS_ENGINE: '' };
    const { code, stdout } = await run(['doctor'], '', env);
    expect(stdout).toMatch(/TLS\n {2}Engine +node: OpenSSL [^\n]+ \(chosen by auto\)\n/);
    expect(stdout).toMatch(/ {2}native +not available: ENOENT, addon not found at .*nonexistent/);
    expect(stdout).toMatch(/What to do\n.* {2}- TLS engine native: build it .*IOCP_TLS_ADDON/s);
    expect(code).toBe(0);
  });

  it('a TLS engine that is asked for and does not work makes it exit 1', async () => {
    const env = { IOCP_TLS_ADDON: '/nonexistent', IOCP_TLS_ENGINE: 'native' };
    const { code, stdout } = await run(['doctor'], '', env);
    expect(stdout).toMatch(/Engine +none \(chosen by IOCP_TLS_ENGINE\)\n/);
    expect(code).toBe(1);
  });

  it('shows the choice of IOCP_BACKEND', async () => {
    const { stdout } = await run(['doctor', '--json'], '', { IOCP_BACKEND: 'node' });
    expect(JSON.parse(stdout)).toMatchObject({ backend: 'node', chosenBy: 'IOCP_BACKEND' });
  });

  it('without a working addon says that it runs on node, why, and what to do', async () => {
    const { code, stdout } = await run(['doctor'], '', { IOCP_ADDON: '/nonexistent', IOCP_BACKEND: '' });
    expect(stdout).toMatch(/^This machine runs on node \(chosen by auto\)\.\n/);
    expect(stdout).toMatch(
      / not available: ENOENT, addon not found at .*nonexistent: there is no such file\n/,
    );
    expect(stdout).toMatch(/ {2}node +available\n/);
    expect(stdout).toMatch(/What to do\n {2}- [a-z_, ]+: build it .*IOCP_ADDON/);
    expect(code).toBe(0);
  });

  it('a backend that is asked for and does not work makes it exit 1', async () => {
    const [native = 'epoll'] = systemBackends.filter((backend) => backend !== 'node');
    const { code, stdout } = await run(['doctor'], '', { IOCP_ADDON: '/nonexistent', IOCP_BACKEND: native });
    expect(stdout).toMatch(/^The backend that IOCP_BACKEND asks for does not work here\.\n/);
    expect(stdout).toMatch(/What to do\n {2}- .*addon.*IOCP_ADDON/);
    expect(code).toBe(1);
  });
});
