/** Writes the OpenAPI document of the control API into `docs/reference/`. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { apiDocument } from '@starling/control';
import { isMain } from './source-text.ts';

export const DOCUMENT = 'docs/reference/openapi.json';

export const apiText = async (): Promise<string> =>
  `${JSON.stringify(await apiDocument(), null, 2)}\n`;

if (isMain(import.meta.url)) {
  mkdirSync(join(process.cwd(), 'docs/reference'), { recursive: true });
  writeFileSync(join(process.cwd(), DOCUMENT), await apiText());
}
