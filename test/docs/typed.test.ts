import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { blocksOf } from './blocks.ts';
import { Typist } from './typist.ts';

const ROOT = join(import.meta.dirname, '../..');
const isFull = process.env['STARLING_TEST_SIZE'] === 'full';
const PAGES = [
  'README.md',
  'docs/guides/volunteers.md',
  'docs/guides/researchers.md',
  'docs/guides/edge-devices.md',
  'docs/deploy/state.md',
];

describe.skipIf(!isFull)('a page can be followed from top to bottom', () => {
  test.each(PAGES)('%s', async (page) => {
    const blocks = blocksOf(readFileSync(join(ROOT, page), 'utf8'));
    const typed = blocks.filter(({ actor }) => actor !== undefined);
    expect(typed.length).toBeGreaterThan(2);
    const typist = await Typist.open();
    try {
      for (const block of typed) await typist.type(block);
    } finally {
      await typist.close();
    }
  });
});
