import { errorMessage } from '@starling/core';
import type { FileStore, StoredFile } from './file-store.ts';
import { DESCRIPTION } from './formats.ts';
import { CLASSES_MAX } from './options.ts';
import { corrupt } from './source.ts';

/** What a folder says of itself in `dataset.json`. */
export interface DatasetDescription {
  readonly task: string;
  readonly classes: number;
}

/** @throws ProtocolError `dataset-corrupt` naming the file */
export async function readDescription(
  store: FileStore,
  files: readonly StoredFile[],
): Promise<DatasetDescription | undefined> {
  if (!files.some(({ path }) => path === DESCRIPTION)) return undefined;
  const file = await store.open(DESCRIPTION);
  try {
    const bytes = await file.read(0, file.byteLength);
    const { task, classes } = JSON.parse(new TextDecoder().decode(bytes));
    const isCount = Number.isInteger(classes) && classes >= 0 && classes <= CLASSES_MAX;
    if (typeof task === 'string' && isCount) return { task, classes };
  } catch (error) {
    throw corrupt(file.name, errorMessage(error));
  } finally {
    await file.close();
  }
  throw corrupt(file.name, `expected {"task": text, "classes": 0 to ${CLASSES_MAX}}`);
}
