/** Writes the OpenAPI documents of the control API and of inference into `docs/reference/`. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { apiDocument } from '@starling/control';
import { inferenceDocument } from '@starling/serving';
import { isMain } from './source-text.ts';

const text = (document: object): string => `${JSON.stringify(document, null, 2)}\n`;

/** Each document by its file. */
export const DOCUMENTS: Readonly<Record<string, () => Promise<string>>> = {
  'docs/reference/openapi.json': async () => text(await apiDocument()),
  'docs/reference/open-inference.json': async () => text(inferenceDocument()),
};

if (isMain(import.meta.url)) {
  mkdirSync(join(process.cwd(), 'docs/reference'), { recursive: true });
  for (const [file, make] of Object.entries(DOCUMENTS)) {
    writeFileSync(join(process.cwd(), file), await make());
  }
}
