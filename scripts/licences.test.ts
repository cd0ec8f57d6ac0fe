import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { LICENCES_PAGE, licencesPage, shipped } from './licences.ts';

/** What may be shipped with an Apache-2.0 program without changing what others may do with it. */
const ALLOWED = new Set([
  ...['0BSD', 'Apache-2.0', 'BSD-3-Clause', 'BlueOak-1.0.0', 'ISC', 'MIT'],
  ...['Apache-2.0 OR MIT', '(MIT OR CC0-1.0)', '(Apache-2.0 AND BSD-3-Clause)'],
]);
/** libvips, a shared library beside the program, which its user may replace by another build. */
const REPLACEABLE = /^@img\/sharp-/;
const LESSER = [
  'LGPL-3.0-or-later',
  'Apache-2.0 AND LGPL-3.0-or-later',
  'Apache-2.0 AND LGPL-3.0-or-later AND MIT',
];
const all = shipped();

test('nothing is shipped under a licence that nobody looked at', () => {
  expect(all.length).toBeGreaterThan(100);
  const strange = all.filter(
    ({ name, licence }) =>
      !ALLOWED.has(licence) && !(REPLACEABLE.test(name) && LESSER.includes(licence)),
  );
  expect(strange).toEqual([]);
});

test('the page names all that is shipped: `npm run docs:licences` writes it', () => {
  const page = readFileSync(new URL(`../${LICENCES_PAGE}`, import.meta.url), 'utf8');
  expect(page).toBe(licencesPage(all));
});
