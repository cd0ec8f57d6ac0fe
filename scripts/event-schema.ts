/** Writes docs/reference/events.schema.json: the events as they leave a daemon. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventJsonSchema } from '@starling/events';
import { isMain } from './source-text.ts';

export const EVENT_SCHEMA_FILE = 'docs/reference/events.schema.json';
export const eventSchemaText = (): string => `${JSON.stringify(eventJsonSchema(), null, 2)}\n`;

if (isMain(import.meta.url)) {
  const file = join(process.cwd(), EVENT_SCHEMA_FILE);
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, eventSchemaText());
}
