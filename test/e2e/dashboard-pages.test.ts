import type { Server } from 'node:http';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MOCK_TOKEN, startMock } from '../../apps/dashboard/mock/server.ts';
import { hashOf } from '../../apps/dashboard/mock/world.ts';
import {
  barriers,
  launchBrowser,
  missingBrowser,
  openTab,
  overflow,
  picture,
  SCREENS,
} from './dashboard-browser.ts';

const isFull = process.env['STARLING_TEST_SIZE'] === 'full';
const missing = isFull ? missingBrowser() : 'skipped: at full size only';

const RUNNING = `jobs/${hashOf('job', 'mnist')}`;
/** Each page, and what is there when it has its answers. */
const PAGES: readonly (readonly [name: string, hash: string, sign: string])[] = [
  ['overview', 'overview', '1 job waits for your approval'],
  ['swarm', 'swarm', '198.51.100.1'],
  ['jobs', 'jobs', 'plays-gpt'],
  ['job', RUNNING, 'Live round'],
  ['launch', 'launch', 'Like my'],
  ['data', 'data', 's3://lab/motes/2026/'],
  ['privacy', 'privacy', '4.79 left'],
  ['settings', 'settings', 'privacyBudget'],
  ['unknown', 'nowhere', 'No such page'],
];

/** All pages against answers that are made up: many peers, and everything that can go wrong. */
describe.skipIf(missing !== undefined)(`the dashboard's pages (${missing ?? 'here'})`, () => {
  let browser: Browser;
  let server: Server;
  let url: string;

  beforeAll(async () => {
    ({ server, url } = await startMock());
    browser = await launchBrowser();
  });

  afterAll(async () => {
    await browser?.close();
    server?.closeAllConnections();
    await new Promise((resolve) => server?.close(resolve));
  });

  const go = async (page: Page, hash: string, sign: string): Promise<void> => {
    await page.goto(`${new URL(url).origin}/#/${hash}`);
    await page.getByText(sign, { exact: false }).first().waitFor();
  };

  test.each(SCREENS)('are open to all on a $name in $colours colours', async (screen) => {
    const { page, complaints } = await openTab(browser, screen);
    await page.goto(url);
    for (const [name, hash, sign] of PAGES) {
      await go(page, hash, sign);
      expect({ name, barriers: await barriers(page) }).toEqual({ name, barriers: [] });
      expect({ name, overflow: await overflow(page) }).toEqual({ name, overflow: 0 });
      await picture(page, `${screen.name}-${screen.colours}-${name}`);
    }
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  test('fit on the narrowest phone', async () => {
    const screen = { name: 'narrow', width: 360, height: 740, colours: 'light' } as const;
    const { page } = await openTab(browser, screen);
    await page.goto(url);
    for (const [name, hash, sign] of PAGES) {
      await go(page, hash, sign);
      expect({ name, overflow: await overflow(page) }).toEqual({ name, overflow: 0 });
    }
    await page.getByRole('button', { name: 'Pages' }).click();
    await page.getByRole('link', { name: 'Privacy' }).click();
    await page.getByRole('heading', { name: 'Privacy', level: 1 }).waitFor();
    expect(await page.getByRole('link', { name: 'Privacy' }).isVisible()).toBe(false);
    await page.context().close();
  });

  test('take the token out of the address, and keep it in the tab', async () => {
    const { page, complaints } = await openTab(browser);
    await page.goto(url);
    await page.getByText('1 job waits').waitFor();
    expect(page.url()).not.toContain(MOCK_TOKEN);
    const kept = await page.evaluate(() => [Object.values(sessionStorage), document.cookie]);
    expect(kept).toEqual([[MOCK_TOKEN], '']);
    await page.reload();
    await page.getByText('1 job waits').waitFor();
    const other = await page.context().newPage();
    await other.goto(new URL(url).origin);
    await other.getByText('starling dashboard').waitFor();
    expect(await barriers(other)).toEqual([]);
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  test('say so when the token is not taken, and take the next one', async () => {
    const { page } = await openTab(browser);
    await page.goto(url.replace(MOCK_TOKEN, 'another-token-another-token'));
    await page.getByText('does not take this page').waitFor();
    expect(await page.evaluate(() => sessionStorage.length)).toBe(0);
    await page.goto(url);
    await page.getByText('1 job waits').waitFor();
    await page.context().close();
  });

  test('follow the rounds as they go', async () => {
    const { page } = await openTab(browser);
    await page.goto(url);
    await go(page, RUNNING, 'Live round');
    const step = page.locator('[aria-current="step"]');
    const before = await step.textContent();
    await expect.poll(() => step.textContent(), { timeout: 10_000 }).not.toBe(before);
    await expect
      .poll(() => page.locator('.log li').count(), { timeout: 10_000 })
      .toBeGreaterThan(1);
    await page.context().close();
  });

  test('stay quick with a job of thousands of rounds', async () => {
    const { page } = await openTab(browser);
    await page.goto(url);
    await go(page, `jobs/${hashOf('job', 'long')}`, '2000 / 10000');
    const rows = page.getByRole('table', { name: 'Certificates of this job' }).locator('tbody tr');
    expect(await rows.count()).toBe(100);
    // The longest that the page did not answer in 4 s of events, in milliseconds.
    const longest = await page.evaluate(async () => {
      let most = 0;
      const end = performance.now() + 4_000;
      for (let before = performance.now(); before < end; ) {
        await new Promise((resolve) => setTimeout(resolve));
        const now = performance.now();
        most = Math.max(most, now - before);
        before = now;
      }
      return most;
    });
    expect(longest).toBeLessThan(500);
    await page.getByRole('button', { name: 'Show 1,900 earlier ones' }).click();
    await expect.poll(() => rows.count()).toBe(2_000);
    await page.context().close();
  });

  test('keep the colours that were chosen, and can be used by keyboard alone', async () => {
    const { page } = await openTab(browser);
    await page.goto(url);
    await page.getByText('1 job waits').waitFor();
    await page.getByRole('button', { name: 'Colours: system' }).click();
    await page.getByRole('button', { name: 'Colours: light' }).click();
    const ground = () =>
      page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    await expect.poll(ground).toBe('rgb(15, 20, 26)');
    await page.reload();
    await page.getByText('1 job waits').waitFor();
    await expect.poll(ground).toBe('rgb(15, 20, 26)');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('main');
    await page.context().close();
  });

  test('the form says what it needs, and shows refusals at their field', async () => {
    const { page } = await openTab(browser);
    await page.goto(url);
    await go(page, 'launch', 'Like my');
    await page.getByRole('button', { name: 'Launch', exact: true }).click();
    await page.getByText('choose an ONNX file').waitFor();
    await page.getByText('4 fields need a change').waitFor();
    expect(await barriers(page)).toEqual([]);
    await page.getByLabel('ONNX file').setInputFiles({
      ...{ name: 'model.onnx', mimeType: 'application/octet-stream', buffer: Buffer.from('x') },
    });
    await page.getByLabel('Name').fill('from the form');
    await page.getByRole('button', { name: 'mnist-share' }).click();
    await page.locator('fieldset', { hasText: 'Aggregation' }).getByText('More').first().click();
    await page.getByLabel('Ring bits').fill('12');
    await page.getByRole('button', { name: 'Launch', exact: true }).click();
    const fault = page.locator('.field-bad', { hasText: 'Ring bits' });
    await fault.getByText('needs aggregation.rotation hadamard').waitFor();
    await page.getByLabel('Rotation').selectOption('hadamard');
    const yaml = await page.locator('.yaml').textContent();
    expect(yaml).toContain('name: "from the form"\nmodel: model.onnx\n');
    expect(yaml).toContain('ringBits: 12\n  rotation: hadamard\n');
    await page.getByRole('button', { name: 'Launch', exact: true }).click();
    await page.getByRole('link', { name: 'go to the job' }).click();
    await page.getByRole('heading', { name: 'from the form' }).waitFor();
    await page.context().close();
  });

  test('ask before a job is left', async () => {
    const { page, complaints } = await openTab(browser);
    await page.goto(url);
    await go(page, RUNNING, 'Live round');
    await page.getByRole('button', { name: 'Cancel the job' }).click();
    const dialog = page.getByRole('dialog', { name: 'Cancel this job?' });
    await dialog.waitFor();
    expect(await barriers(page)).toEqual([]);
    await picture(page, 'desktop-light-dialog');
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
    await page.getByText('Live round').waitFor();
    await page.getByRole('button', { name: 'Cancel the job' }).click();
    await page.getByRole('button', { name: 'Cancel it for everybody' }).click();
    await page.locator('.badge', { hasText: 'cancelled' }).waitFor();
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  test('look at data before they are offered', async () => {
    const { page } = await openTab(browser);
    await page.goto(url);
    await go(page, 'data', 's3://lab/motes/2026/');
    await page.getByLabel('Name').fill('more');
    await page.getByLabel('Path').fill('digits');
    await page.getByRole('button', { name: 'Look at it' }).click();
    await page.getByText('give an absolute path').waitFor();
    await page.getByLabel('Path').fill('/nowhere');
    await page.getByRole('button', { name: 'Look at it' }).click();
    await page.getByText('there is no /nowhere').waitFor();
    await page.getByLabel('Path').fill('/data/more');
    await page.getByRole('button', { name: 'Look at it' }).click();
    await page.getByText('bytes are scaled by 1/255').waitFor();
    expect(await barriers(page)).toEqual([]);
    await picture(page, 'desktop-light-inspection');
    await page.getByRole('button', { name: 'Offer it to jobs' }).click();
    await page.getByText('more is offered to jobs').waitFor();
    await page.getByRole('button', { name: 'Remove more' }).click();
    await page.getByRole('button', { name: 'Remove it' }).click();
    await expect.poll(() => page.getByRole('button', { name: 'Remove more' }).count()).toBe(0);
    await page.context().close();
  });
});
