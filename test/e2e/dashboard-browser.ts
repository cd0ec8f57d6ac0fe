import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { missingPrograms } from '../helpers/debian.ts';

const CHROMIUM = '/usr/bin/chromium';
const ARGUMENTS = [
  ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync'],
  ...['--disable-background-networking', '--disable-component-update'],
];
/** Pictures of what the tests saw; git does not keep them. */
const PICTURES = fileURLToPath(new URL('../../test-results/screenshots/', import.meta.url));
const require = createRequire(import.meta.url);

/** Why there is no browser; undefined when there is, perhaps because it was just installed. */
export const missingBrowser = (): string | undefined => missingPrograms(['chromium']);

export const launchBrowser = (): Promise<Browser> =>
  chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS });

/** A screen and the colours that its system asks for. */
export interface Screen {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly colours: 'light' | 'dark';
}

const SIZES = [
  { name: 'desktop', width: 1280, height: 800 },
  { name: 'phone', width: 390, height: 844 },
] as const;
export const SCREENS: readonly Screen[] = SIZES.flatMap((size) => [
  { ...size, colours: 'light' },
  { ...size, colours: 'dark' },
]);

/** A tab whose complaints are kept: errors, warnings, and what the content policy stopped. */
export interface Tab {
  readonly page: Page;
  readonly complaints: readonly string[];
}

export async function openTab(browser: Browser, screen: Screen = SCREENS[0]!): Promise<Tab> {
  const context = await browser.newContext({
    viewport: { width: screen.width, height: screen.height },
    colorScheme: screen.colours,
    reducedMotion: 'reduce',
    acceptDownloads: true,
  });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', ({ message }) => complaints.push(message));
  return { page, complaints };
}

/** Keeps a picture of the whole page. */
export async function picture(page: Page, name: string): Promise<void> {
  mkdirSync(PICTURES, { recursive: true });
  await page.screenshot({ path: `${PICTURES}${name}.png`, fullPage: true });
}

interface Violation {
  readonly id: string;
  readonly impact: string | null;
  readonly nodes: readonly { readonly target: readonly string[] }[];
}
const AXE = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

/** What axe finds, however small, with the places. */
export async function barriers(page: Page): Promise<readonly string[]> {
  const run = `(async () => { ${AXE}; return (await axe.run()).violations; })()`;
  const violations = (await page.evaluate(run)) as readonly Violation[];
  return violations.map(({ id, impact, nodes }) => {
    return `${impact} ${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`;
  });
}

/** Pixels by which the page is wider than its screen. */
export const overflow = (page: Page): Promise<number> =>
  page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
