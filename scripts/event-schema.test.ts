import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EVENT_TYPES, eventSchema } from '@starling/events';
import { expect, test } from 'vitest';
import { EVENT_SCHEMA_FILE, eventSchemaText } from './event-schema.ts';

const ROOT = join(import.meta.dirname, '..');
const PAGE = readFileSync(join(ROOT, 'docs/events.md'), 'utf8');

test('the schema in the documents is that of the code (npm run docs:events)', () => {
  expect(readFileSync(join(ROOT, EVENT_SCHEMA_FILE), 'utf8')).toBe(eventSchemaText());
});

test('the page names every type of event, and no other', () => {
  const named = [...PAGE.matchAll(/^\| `(starling\.[a-z.-]+)`/gm)].map(([, type]) => type!);
  expect(named.toSorted()).toEqual([...EVENT_TYPES].toSorted());
});

test('the event that the page shows is one', () => {
  const [, shown] = /```json\n(\{\n {2}"specversion"[^`]*)```/.exec(PAGE)!;
  expect(eventSchema.parse(JSON.parse(shown!))).toEqual(JSON.parse(shown!));
});
