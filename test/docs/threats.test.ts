import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const ASSETS = ['updates', 'data', 'models', 'keys', 'budgets', 'machine', 'availability'];
const ADVERSARIES = [
  ...['stranger', 'member', 'minority', 'majority', 'launcher', 'relay', 'local user'],
  ...['supply chain', 'disk thief'],
];

interface Row {
  readonly asset: string;
  readonly adversaries: readonly string[];
  readonly heldBy: string;
  readonly tests: readonly string[];
}

function threats(): readonly Row[] {
  const text = readFileSync(`${ROOT}/SECURITY.md`, 'utf8');
  const section = /^## Threat model\n([\s\S]*?)^##+ /m.exec(text)?.[1] ?? '';
  const lines = section.split('\n').filter((line) => line.startsWith('|'));
  return lines.slice(2).map((line) => {
    const [asset, adversaries, heldBy, tests] = line
      .slice(1, -1)
      .split(' | ')
      .map((cell) => cell.trim()) as [string, string, string, string];
    const paths = [...tests.matchAll(/\]\(([^)]+)\)/g)].map(([, path]) => path!);
    return { asset, adversaries: adversaries.split(', '), heldBy, tests: paths };
  });
}

test('every asset has a row against every adversary, and one only', () => {
  const pairs = threats().flatMap(({ asset, adversaries }) =>
    adversaries.map((adversary) => `${asset}: ${adversary}`),
  );
  const all = ASSETS.flatMap((asset) => ADVERSARIES.map((each) => `${asset}: ${each}`));
  expect([...pairs].sort()).toEqual([...all].sort());
});

test.each(threats())('$asset, $adversaries: what holds it has a test that is there', (row) => {
  for (const path of row.tests) {
    expect(path).toMatch(/\.test\.ts$/);
    expect(existsSync(`${ROOT}/${path}`), path).toBe(true);
  }
  // A row without a test must say so in plain words.
  if (row.tests.length === 0) expect(row.heldBy).toContain('**nothing**');
});
