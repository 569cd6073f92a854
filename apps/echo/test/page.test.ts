import { existsSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { onWindows } from '../../../system.shared.js';
import { start, startWebSocketServer } from './cli.js';

/** Debian's; another one can be named. */
const executablePath = process.env.CHROMIUM || '/usr/bin/chromium';
const hasChromium = !onWindows && existsSync(executablePath);
if (!hasChromium && !onWindows && process.env.IOCP_TEST_REQUIRE_PROGRAMS)
  throw new Error('chromium is missing');

/** Nothing that talks to the network on its own, and no sandbox: continuous integration runs as root. */
const args = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

describe.skipIf(!hasChromium)('the page in Chromium', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath, args });
  }, 60_000);
  afterAll(() => browser.close());

  /** The page, open and connected. What goes wrong in it fails the test. */
  async function open(url: string): Promise<Page> {
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    const page = await context.newPage();
    const problems: string[] = [];
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') problems.push(message.text());
    });
    onTestFinished(async () => {
      await context.close();
      expect(problems).toEqual([]);
    });
    await page.goto(url);
    await page.waitForSelector('#state[data-state=open]');
    return page;
  }

  async function send(page: Page, text: string): Promise<string | null> {
    await page.fill('#text', text);
    await page.press('#text', 'Enter');
    return page.locator('#replies li', { hasText: text }).textContent();
  }

  it.each(['--ws', '--wss'])('shows the echo of what is typed (%s)', async (option) => {
    const server = start([
      'serve',
      option,
      '127.0.0.1:0',
      ...(option === '--wss' ? ['--tls-self-signed'] : []),
    ]);
    const [, url = ''] = await server.seen(/page at (\S+)/);
    const page = await open(url);
    expect(await send(page, 'Grüße, 世界 👋')).toMatch(/^Grüße, 世界 👋\d+\.\d ms$/);
    await send(page, '<b>not bold</b>');
    expect(await page.locator('#replies li').allTextContents()).toEqual([
      expect.stringContaining('<b>not bold</b>'),
      expect.stringContaining('Grüße'),
    ]);
  });

  it('draws messages per second and latencies as they come', async () => {
    const { port } = await startWebSocketServer();
    const page = await open(`http://127.0.0.1:${port}/`);
    await page.fill('#bytes', '200');
    await page.click('#switch');
    await page.waitForSelector('#chart[data-samples="3"]');
    const numbers = async (id: string) => Number((await page.textContent(id))?.replace(/[^\d.]/g, ''));
    expect(await numbers('#rate')).toBeGreaterThan(0);
    expect(await numbers('#p50')).toBeGreaterThan(0);
    expect(await numbers('#p99')).toBeGreaterThanOrEqual(await numbers('#p50'));
    // The canvas has colours of the lines, not only of the grid.
    const coloured = await page.locator('#chart canvas').evaluate((canvas) => {
      const { width, height } = canvas as unknown as { width: number; height: number };
      const context = (canvas as unknown as { getContext(kind: '2d'): Drawing }).getContext('2d');
      const { data } = context.getImageData(0, 0, width, height);
      let count = 0;
      for (let at = 0; at < data.length; at += 4) {
        const [red = 0, , blue = 0] = data.subarray(at, at + 3);
        if (blue - red > 100) count += 1;
      }
      return count;
    });
    expect(coloured).toBeGreaterThan(50);
    expect(await page.textContent('#switch')).toBe('Stop');
    await page.click('#switch');
    expect(await page.textContent('#switch')).toBe('Start');
    await send(page, 'and typing goes on');
  });

  it('says so when the server goes away', async () => {
    const { server, port } = await startWebSocketServer();
    const page = await open(`http://127.0.0.1:${port}/`);
    server.child.kill('SIGTERM');
    await page.waitForSelector('#state[data-state=closed]');
    expect(await page.textContent('#state')).toBe('closed (1001)');
    expect((await server.finished()).code).toBe(0);
  });
});

/** As much of the browser's as is used above. */
interface Drawing {
  getImageData(
    left: number,
    top: number,
    width: number,
    height: number,
  ): { readonly data: Uint8ClampedArray };
}
