import { assert } from '@starling/core';
import { ArraySource } from './array-source.ts';
import type { ArrayFile } from './arrays.ts';
import { openCsv } from './csv.ts';
import { type FileStore, openLocalStore, type StoredFile } from './file-store.ts';
import { type Detected, detectFormat, extensionOf } from './formats.ts';
import { openIdx } from './idx-array.ts';
import { ImageSource, inReadingOrder } from './images.ts';
import { openJsonLines } from './json-lines.ts';
import { openNpy } from './npy.ts';
import { openNpz } from './npz.ts';
import { openParquet } from './parquet.ts';
import { type ReadingPlan, sourceInfo } from './reading-plan.ts';
import { corrupt, type DataSource } from './source.ts';
import type { TableFile } from './table.ts';
import { TableSource } from './table-source.ts';
import { TextSource } from './text.ts';
import { openTokens } from './text-units.ts';

/**
 * Opens a local file or folder, or what lies below `s3://bucket/prefix`.
 * @throws ProtocolError `dataset-missing`
 */
export async function openFileStore(path: string): Promise<FileStore> {
  if (!path.startsWith('s3://')) return openLocalStore(path);
  const { openS3Store } = await import('./s3-store.ts');
  return openS3Store(path);
}

/**
 * Opens a data set as it was found by `planDataset`.
 * @param path file, folder or `s3://bucket/prefix`
 * @throws ProtocolError `dataset-missing`, `dataset-corrupt` also when the files have changed
 */
export async function openDataSource(path: string, plan: ReadingPlan): Promise<DataSource> {
  const store = await openFileStore(path);
  try {
    return closing(await openIn(store, path, plan), store);
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** Closing the source closes its store. */
const closing = (source: DataSource, store: FileStore): DataSource => ({
  info: source.info,
  read: (from, count) => source.read(from, count),
  close: async () => {
    await source.close();
    await store.close();
  },
});

async function openIn(store: FileStore, path: string, plan: ReadingPlan): Promise<DataSource> {
  const text = plan.reading.kind === 'text' ? plan.reading.unit : undefined;
  const detected = detectFormat(store.root, await store.list(), text === undefined ? {} : { text });
  const { files, bytes } = sizeOf(detected.files);
  if (detected.format !== plan.format || files !== plan.files || bytes !== plan.bytes) {
    const now = `${files} ${detected.format} files of ${bytes} bytes`;
    const then = `${plan.files} ${plan.format} files of ${plan.bytes} bytes`;
    throw corrupt(path, `holds ${now}, but held ${then}`, 'Add the data set again');
  }
  return openPlanned(store, detected, plan);
}

export const sizeOf = (files: readonly StoredFile[]) => ({
  files: files.length,
  bytes: files.reduce((sum, file) => sum + file.bytes, 0),
});

async function openPlanned(
  store: FileStore,
  detected: Detected,
  plan: ReadingPlan,
): Promise<DataSource> {
  const { reading, elements } = plan;
  const info = sourceInfo(plan);
  switch (reading.kind) {
    case 'table': {
      const { columns, rows } = reading;
      const files = await openTables(store, detected);
      return new TableSource({ info, elements, columns, files, rows });
    }
    case 'arrays': {
      const arrays = await openArrays(store, detected);
      const inputs = arrays.get(reading.inputs);
      assert(inputs !== undefined, `array ${reading.inputs} was there when the set was added`);
      const targets = reading.targets === null ? undefined : arrays.get(reading.targets);
      return new ArraySource({ info, elements, inputs, targets });
    }
    case 'images':
      return new ImageSource({ info, elements, store, images: inReadingOrder(detected.files) });
    case 'text': {
      const tokens = await openTokens(reading.unit, reading.alphabet);
      const [length = 1] = plan.shape;
      return new TextSource({ info, store, tokens, blocks: reading.blocks, length });
    }
  }
}

/**
 * The files of a table; all have the same columns.
 * @throws ProtocolError `dataset-corrupt` naming the file whose columns differ
 */
export async function openTables(
  store: FileStore,
  { format, files }: Detected,
): Promise<readonly TableFile[]> {
  const tables: TableFile[] = [];
  for (const stored of files) {
    const file = await store.open(stored.path);
    if (format === 'parquet') tables.push(await openParquet(file));
    else if (format === 'json-lines') tables.push(await openJsonLines(file));
    else tables.push(await openCsv(file, extensionOf(stored) === 'tsv' ? '\t' : ','));
  }
  const [first, ...others] = tables;
  const missing = others.flatMap(({ name, columns }) =>
    first!.columns
      .filter((column) => !columns.includes(column))
      .map((column) => ({ name, column })),
  );
  if (missing.length > 0 && format !== 'json-lines') {
    const [{ name, column }] = missing as [{ name: string; column: string }];
    const remedy = 'All files of a data set must have the same columns';
    throw corrupt(name, `has no column "${column}", but ${first!.name} has`, remedy);
  }
  return tables;
}

/** Arrays by name: of a file with several, or of files with one each. */
export async function openArrays(
  store: FileStore,
  { format, files }: Detected,
): Promise<ReadonlyMap<string, ArrayFile>> {
  if (format === 'idx') {
    const [images, labels] = await Promise.all(files.map(({ path }) => store.open(path)));
    return new Map([
      ['images', await openIdx(images!)],
      ['labels', await openIdx(labels!)],
    ]);
  }
  if (format === 'npz') {
    if (files.length === 1) return openNpz(await store.open(files[0]!.path));
    throw corrupt(store.root, `${files.length} .npz files`, 'Give the path of one of them');
  }
  const arrays = new Map<string, ArrayFile>();
  for (const { path } of files) {
    const name = path.replace(/^.*\//, '').replace(/\.npy$/i, '');
    arrays.set(name, await openNpy(await store.open(path)));
  }
  return arrays;
}
