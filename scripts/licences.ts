/**
 * Writes docs/licences.md: what is shipped, and under which licence. `npm run docs:licences`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { billOfMaterials, type Component } from './package-sbom.ts';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
export const LICENCES_PAGE = 'docs/licences.md';

export interface Shipped {
  readonly name: string;
  readonly version: string;
  /** As the package says it: an SPDX expression. */
  readonly licence: string;
}

interface Licence {
  readonly license?: { readonly id?: string; readonly name?: string };
  readonly expression?: string;
}

function licenceOf({ name, licenses = [] }: Component): string {
  const [first] = licenses as readonly Licence[];
  const told = first?.expression ?? first?.license?.id ?? first?.license?.name;
  return told ?? licenceIn(name);
}

/** What the package's own manifest says, where the lock file has nothing. */
function licenceIn(name: string): string {
  const manifest = readFileSync(join(ROOT, 'node_modules', name, 'package.json'), 'utf8');
  const { license } = JSON.parse(manifest) as { readonly license?: string };
  return license ?? 'none';
}

/** All that the command line and its daemon are made of and that others wrote, by name. */
export function shipped(): readonly Shipped[] {
  const all = billOfMaterials(ROOT, 0).components.filter(({ purl }) => !isOwn(purl));
  const byKey = new Map(
    all.map((each) => {
      const name = nameIn(each.purl);
      const licence = licenceOf({ ...each, name });
      return [`${name} ${each.version}`, { name, version: each.version, licence }];
    }),
  );
  return [...byKey].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, each]) => each);
}

/** `pkg:npm/%40scope/name@1.0.0` as `@scope/name`. */
const nameIn = (purl: string): string =>
  decodeURIComponent(/^pkg:npm\/(.+)@[^@]+$/.exec(purl.replace(/\?.*$/, ''))?.[1] ?? purl);

const isOwn = (purl: string): boolean => nameIn(purl).startsWith('@starling/');

/** The page, for Markdown. */
export function licencesPage(all: readonly Shipped[]): string {
  const counts = new Map<string, number>();
  for (const { licence } of all) counts.set(licence, (counts.get(licence) ?? 0) + 1);
  const totals = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  return [
    '# Licences of what is shipped',
    '',
    'Starling itself is Apache-2.0. It ships these packages of others, bundled or beside it. The',
    'table follows from the lock file: `npm run docs:licences` writes it, a test says when it is',
    'old, and that no licence is outside of the list in `scripts/licences.test.ts`.',
    '',
    '| licence | packages |',
    '| ------- | -------- |',
    ...totals.map(([licence, count]) => `| ${licence} | ${count} |`),
    '',
    '| package | version | licence |',
    '| ------- | ------- | ------- |',
    ...all.map(({ name, version, licence }) => `| ${name} | ${version} | ${licence} |`),
    '',
  ].join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(join(ROOT, LICENCES_PAGE), licencesPage(shipped()));
}
