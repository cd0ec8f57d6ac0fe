import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const DIST = new URL('../../apps/cli/dist/', import.meta.url).pathname;

/** Text of a bundled entry with everything it imports from the bundle, now or later. */
function bundleText(entry: string, seen = new Set<string>()): string {
  if (seen.has(entry)) return '';
  seen.add(entry);
  const text = readFileSync(join(DIST, entry), 'utf8');
  const imports = [...text.matchAll(/(?:from|import)\s*\(?\s*["']\.\/([\w.-]+\.js)["']/g)];
  // Comments of bundled libraries name files of their own.
  const own = imports.map(([, name]) => name!).filter((name) => existsSync(join(DIST, name)));
  return text + own.map((name) => bundleText(name, seen)).join('');
}

// The only code that builds an observer is `observerFor`; what it writes and tells names it.
const MARKS = ['observerFor', 'kind: "input"', 'start.capture'];

test('the daemon behind `starling up` has no code that could build an input observer', () => {
  const demo = bundleText('demo-daemon.js');
  const product = bundleText('daemon.js');
  expect(product.length).toBeGreaterThan(10_000);
  for (const mark of MARKS) {
    // Not `toContain`: a failure would print megabytes.
    expect(demo.includes(mark), `the check must see ${mark} where it is`).toBe(true);
    expect(product.includes(mark), mark).toBe(false);
  }
});
