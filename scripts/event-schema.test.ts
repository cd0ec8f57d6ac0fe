import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EVENT_TYPES, eventSchema } from '@starling/events';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { signedHeaders, webhookKey } from '../packages/events/src/sinks/signature.ts';
import { EVENT_SCHEMA_FILE, eventSchemaText } from './event-schema.ts';

const ROOT = join(import.meta.dirname, '..');
const CHECK = /```ts\n([^`]*(?:`[^`\n]*`[^`]*)*)```/;
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

test('the check that the page gives to receivers takes our signature, and no other', async () => {
  const [, code] = CHECK.exec(PAGE)!;
  const { outputText } = ts.transpileModule(`${code}export { isFromStarling };`, {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 },
  });
  const { isFromStarling } = await import(`data:text/javascript,${encodeURIComponent(outputText)}`);
  const secret = `whsec_${Buffer.alloc(32, 5).toString('base64')}`;
  const message = { id: 'e1', seconds: Math.floor(Date.now() / 1000), body: '{}' };
  const headers = signedHeaders([webhookKey(secret, 'secret')], message);
  expect(isFromStarling(secret, headers, '{}')).toBe(true);
  expect(isFromStarling(secret, headers, '{ }')).toBe(false);
  expect(isFromStarling(`whsec_${'A'.repeat(44)}`, headers, '{}')).toBe(false);
});
