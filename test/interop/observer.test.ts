import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const DIST = new URL('../../apps/cli/dist/', import.meta.url).pathname;

/** Text of a bundled entry with everything it imports from the bundle, now or later. */
function bundleText(entry: string, seen = new Set<string>()): string {
  if (seen.has(entry)) return '';
  seen.add(entry);
  const text = readFileSync(join(DIST, entry), 'utf8');
  const imports = [...text.matchAll(/(?:from|import)\s*\(?\s*["']\.\/([\w.-]+\.js)["']/g)];
  return text + imports.map(([, name]) => bundleText(name!, seen)).join('');
}

// The only code that builds an observer is `observerFor`; what it writes and tells names it.
const MARKS = ['observerFor', 'kind: "input"', '.capture'];

test('the daemon behind `starling up` has no code that could build an input observer', () => {
  const demo = bundleText('demo-daemon.js');
  const product = bundleText('daemon.js');
  expect(product.length).toBeGreaterThan(10_000);
  for (const mark of MARKS) {
    expect(demo, `the check must see ${mark} where it is`).toContain(mark);
    expect(product).not.toContain(mark);
  }
});
