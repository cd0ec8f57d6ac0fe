import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type JsonSchema, keysOf, pageOf, schemaWithWords } from './reference/page.ts';
import { referenceFiles } from './reference.ts';

const FOLDER = join(import.meta.dirname, '../docs/reference');

test.each([...referenceFiles()])(
  '%s is that of the code (npm run docs:reference)',
  (name, text) => {
    expect(readFileSync(join(FOLDER, name), 'utf8')).toBe(text);
  },
);

const SCHEMA: JsonSchema = {
  type: 'object',
  required: ['a', 'list'],
  properties: {
    a: { type: 'integer', minimum: 1, maximum: Number.MAX_SAFE_INTEGER },
    b: { type: 'object', properties: { c: { type: 'number', exclusiveMinimum: 0, default: 0.5 } } },
    list: { type: 'array', items: { type: 'object', properties: { x: { enum: ['p', 'q'] } } } },
  },
};
const WORDS = { a: 'An a.', 'b.c': 'A | c.', 'list[].x': 'An x.' };

test('a page has a line for each key, with default, bounds and words', () => {
  const lines = pageOf('T', 'Intro.', schemaWithWords(SCHEMA, WORDS)).split('\n').slice(6, -1);
  expect(lines).toEqual([
    '| `a` | required | whole number from 1 | An a. |',
    '| `b.c` | `0.5` | number above 0 | A \\| c. |',
    '| `list[].x` |  | `p`, `q` | An x. |',
  ]);
});

test('a group that has words of its own is one line', () => {
  const described = schemaWithWords(SCHEMA, { a: 'An a.', b: 'All of b.', list: 'All.' });
  expect(keysOf(described).map(({ path }) => path)).toEqual(['a', 'b', 'list']);
});

test('a key without words, and words without a key, are named', () => {
  const { a: _, ...fewer } = WORDS;
  expect(() => schemaWithWords(SCHEMA, fewer)).toThrow('no words for a');
  expect(() => schemaWithWords(SCHEMA, { ...WORDS, z: 'A z.' })).toThrow('no key is called z');
});
