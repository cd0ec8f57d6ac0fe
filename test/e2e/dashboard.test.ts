import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Download, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { verifyModel } from '../../packages/models/src/index.ts';
import { Cluster } from '../interop/cluster.ts';
import {
  barriers,
  launchBrowser,
  missingBrowser,
  openTab,
  overflow,
  picture,
  SCREENS,
  type Tab,
} from './dashboard-browser.ts';

const isFull = process.env['STARLING_TEST_SIZE'] === 'full';
const missing = isFull ? missingBrowser() : 'skipped: at full size only';

const PEERS = 4;
const ROUNDS = 6;
/** A job of this size takes a minute or two on a busy machine. */
const JOB_MS = 120_000;
const NAME = 'digits <script>alert(1)</script>';

/** Real daemons, and a browser at the page of each: nobody trusts the one that launches. */
describe.skipIf(missing !== undefined)(
  `the dashboard of real daemons (${missing ?? 'here'})`,
  () => {
    let browser: Browser;
    let cluster: Cluster;
    const tabs: Tab[] = [];
    let pages: Page[] = [];
    const origins: string[] = [];

    /** The address that the owner of a daemon gets. */
    const addressOf = async (index: number): Promise<string> => {
      const { url, token } = await cluster.swarm.client(cluster.swarm.peers[index]!).listen();
      return `${url.replace(/\/$/, '')}/#token=${token}`;
    };

    beforeAll(async () => {
      cluster = await Cluster.start(PEERS);
      browser = await launchBrowser();
      const screens = [SCREENS[0]!, SCREENS[0]!, SCREENS[3]!, SCREENS[1]!];
      for (const [i, screen] of screens.entries()) {
        const tab = await openTab(browser, screen);
        const address = await addressOf(i);
        await tab.page.goto(address);
        tabs.push(tab);
        origins.push(new URL(address).origin);
      }
      pages = tabs.map(({ page }) => page);
    });

    afterAll(async () => {
      await browser?.close();
      await cluster?.stop();
    });

    test('shows each daemon the others', async () => {
      for (const [i, page] of pages.entries()) {
        await page.getByText(`${PEERS - 1} connected`).waitFor();
        await page.goto(`${origins[i]}/#/swarm`);
        const label = 'This peer and 3 others: 3 direct, 0 through a relay, 0 cannot be reached';
        await page.getByRole('img', { name: label }).waitFor();
        for (const { peer } of cluster.swarm.peers.filter((_, other) => other !== i)) {
          await page.getByTitle(peer!, { exact: true }).first().waitFor();
        }
      }
    });

    test('launches a job from the form', async () => {
      const page = pages[1]!;
      await page.goto(`${origins[1]}/#/launch`);
      await page.getByRole('button', { name: 'mine' }).click();
      const file = { name: 'mlp.onnx', mimeType: 'application/octet-stream' };
      await page
        .getByLabel('ONNX file')
        .setInputFiles({ ...file, buffer: Buffer.from('this is no model') });
      await page.getByLabel('Name', { exact: false }).first().fill(NAME);
      await page.getByLabel('Input shape').fill('784');
      await page.getByLabel('Seconds of a phase').fill('2');
      await page.getByLabel('Seconds to join').fill('2');
      await page.getByLabel('Rounds').first().fill(String(ROUNDS));
      await page.getByRole('button', { name: 'Launch', exact: true }).click();
      // The daemon's own words, about the file.
      await page.locator('.field-bad').getByText('not an ONNX file').waitFor();
      await picture(page, 'real-launch-refused');
      await page
        .getByLabel('ONNX file')
        .setInputFiles({ ...file, buffer: Buffer.from(cluster.model) });
      await page.getByRole('button', { name: 'Launch', exact: true }).click();
      await page.getByText('3 other peers hold it durably').waitFor();
      await page.getByRole('link', { name: 'go to the job' }).click();
      await page.getByRole('heading', { name: NAME }).waitFor();
    });

    test('asks the others, who approve on their own pages, or refuse', async () => {
      for (const i of [0, 2]) {
        const page = pages[i]!;
        await page.goto(`${origins[i]}/#/overview`);
        await page.getByText('1 job waits for your approval').waitFor();
        expect(await barriers(page)).toEqual([]);
        expect(await overflow(page)).toBe(0);
        await picture(page, `real-approval-${i}`);
        await page.getByLabel('Train on').selectOption('mine');
        await page.getByRole('button', { name: 'Approve' }).click();
        await page.getByText('waits for your approval').waitFor({ state: 'hidden' });
      }
      const page = pages[3]!;
      await page.goto(`${origins[3]}/#/jobs`);
      await page.getByRole('link', { name: NAME }).click();
      await page.getByRole('button', { name: 'Refuse' }).click();
      await page.locator('.badge', { hasText: 'refused' }).waitFor();
    });

    test('shows the rounds as they go, to the end', async () => {
      const page = pages[1]!;
      await page.getByText(`Live round 1 of ${ROUNDS}`).waitFor({ timeout: JOB_MS });
      await page.getByText('Live round 3').waitFor({ timeout: JOB_MS });
      expect(await barriers(page)).toEqual([]);
      await picture(page, 'real-job-running');
      // From here on every page is told by events: none is loaded anew.
      await page.locator('.badge', { hasText: 'finished' }).waitFor({ timeout: JOB_MS });
      await page.getByText(`${ROUNDS} / ${ROUNDS}`).waitFor();
      await page.getByRole('table', { name: 'Certificates of this job' }).waitFor();
      const rows = page
        .getByRole('table', { name: 'Certificates of this job' })
        .locator('tbody tr');
      expect(await rows.count()).toBe(ROUNDS);
      expect(await page.locator('.chart canvas').count()).toBe(3);
      await picture(page, 'real-job-finished');
    });

    test('hands out the model, with a proof that holds', async () => {
      const page = pages[1]!;
      const downloads: Download[] = [];
      page.on('download', (download) => downloads.push(download));
      await page.getByRole('button', { name: 'Download model and proof' }).click();
      await expect.poll(() => downloads.length, { timeout: 30_000 }).toBe(2);
      const name = `digits-script-alert-1-script-round-${ROUNDS}.onnx`;
      const files = await Promise.all(
        downloads.map(async (download) => {
          const path = join(cluster.directory, download.suggestedFilename());
          await download.saveAs(path);
          return [download.suggestedFilename(), await readFile(path)] as const;
        }),
      );
      const found = new Map(files);
      expect([...found.keys()].sort()).toEqual([name, `${name}.proof`]);
      const verification = verifyModel(found.get(name)!, found.get(`${name}.proof`)!);
      expect(verification).toMatchObject({ ok: true, job: { manifest: { name: NAME } } });
      expect(verification.rounds).toHaveLength(ROUNDS);
      expect(page.url()).toContain(verification.job!.id);
    });

    const everyPage = [
      'overview',
      'swarm',
      'jobs',
      'launch',
      'data',
      'privacy',
      'settings',
    ] as const;

    test.each([0, 1, 2, 3])('is open to all on each page of daemon %i', async (index) => {
      const page = pages[index]!;
      const [job] = await cluster.swarm.client(cluster.swarm.peers[index]!).jobs();
      for (const name of [...everyPage, `jobs/${job!.id}`]) {
        await page.goto(`${origins[index]}/#/${name}`);
        await expect.poll(() => page.getByText('Asking the daemon').count()).toBe(0);
        expect({ name, barriers: await barriers(page) }).toEqual({ name, barriers: [] });
        expect({ name, overflow: await overflow(page) }).toEqual({ name, overflow: 0 });
        await picture(page, `real-${index}-${name.replace(/\/.*/, '-one')}`);
      }
    });

    test('adds data by looking at them first', async () => {
      const page = pages[3]!;
      await page.goto(`${origins[3]}/#/data`);
      await page.getByLabel('Name').fill('again');
      await page.getByLabel('Path').fill(join(cluster.directory, 'data-3'));
      await page.getByRole('button', { name: 'Look at it' }).click();
      await page.getByText('Examples by class').waitFor();
      await page.getByRole('button', { name: 'Offer it to jobs' }).click();
      await page.getByText('again is offered to jobs').waitFor();
      await page.getByRole('rowheader', { name: 'again' }).waitFor();
    });

    test('says when a daemon is gone, and nothing else was wrong all the while', async () => {
      const complaints = tabs.map(({ complaints: all }) => [...all]);
      // The form's first model was refused, which a browser logs like any answer of 409.
      const refused = 'Failed to load resource: the server responded with a status of 409';
      expect(complaints.map((all) => all.filter((text) => !text.startsWith(refused)))).toEqual(
        new Array(PEERS).fill([]),
      );
      expect(complaints[1]!.filter((text) => text.startsWith(refused))).toHaveLength(1);
      await cluster.swarm.peers[3]!.end('SIGTERM');
      await pages[3]!.getByText('The daemon does not answer').waitFor();
    });
  },
);
