import { ProtocolError } from '@starling/core';
import type { StoredFile } from './file-store.ts';
import type { DataOptions } from './options.ts';
import type { DataFormat } from './source.ts';

/** Names of MNIST's own files and of those that we write. */
export const IDX_IMAGES = [
  'images.idx3-ubyte',
  'train-images-idx3-ubyte',
  'train-images.idx3-ubyte',
];
export const IDX_LABELS = [
  'labels.idx1-ubyte',
  'train-labels-idx1-ubyte',
  'train-labels.idx1-ubyte',
];
/** Task and classes of a folder, beside its files. */
export const DESCRIPTION = 'dataset.json';

const EXTENSIONS: Readonly<Record<string, DataFormat>> = {
  csv: 'csv',
  tsv: 'csv',
  jsonl: 'json-lines',
  ndjson: 'json-lines',
  parquet: 'parquet',
  npy: 'npy',
  npz: 'npz',
  png: 'images',
  jpg: 'images',
  jpeg: 'images',
  txt: 'text',
};
const PACKED = /\.(gz|zip|zst|bz2|xz|tar)$/i;

export interface Detected {
  readonly format: DataFormat;
  /** The files of that format, sorted by path. */
  readonly files: readonly StoredFile[];
}

/**
 * Tells a format by the names of files. Text in a folder of something else is a description of it.
 * @param root names the place in errors
 * @throws ProtocolError `dataset-missing`, naming what was looked for
 */
export function detectFormat(
  root: string,
  all: readonly StoredFile[],
  { text }: DataOptions,
): Detected {
  const files = all.filter(({ path }) => path !== DESCRIPTION);
  if (text !== undefined) return found('text', files, root);
  const idx = [IDX_IMAGES, IDX_LABELS].map((names) => named(files, names));
  if (idx.some((file) => file !== undefined)) return idxPair(root, idx);
  const groups = new Map<DataFormat, StoredFile[]>();
  for (const file of files) {
    const format = EXTENSIONS[extensionOf(file)];
    if (format === undefined) continue;
    const group = groups.get(format) ?? [];
    group.push(file);
    groups.set(format, group);
  }
  if (groups.size > 1) groups.delete('text');
  const [first, second] = groups;
  if (first === undefined) throw nothingFound(root, files);
  if (second === undefined) return found(...first, root);
  const kinds = [...groups].map(([format, group]) => `${format} (${group.length})`);
  const remedy = 'Give the path of one file, or of a folder with one kind';
  throw new ProtocolError('dataset-missing', `${root}: holds ${kinds.join(' and ')}. ${remedy}`);
}

function found(format: DataFormat, files: readonly StoredFile[], root: string): Detected {
  const filled = files.filter(({ bytes }) => bytes > 0);
  if (filled.length > 0) return { format, files: filled };
  const [empty] = files;
  const what =
    empty === undefined ? `${root}: holds no file` : `${empty.path} in ${root}: is empty`;
  throw new ProtocolError('dataset-missing', what);
}

const named = (files: readonly StoredFile[], names: readonly string[]) =>
  names.map((name) => files.find(({ path }) => path === name)).find((file) => file !== undefined);

function idxPair(root: string, [images, labels]: readonly (StoredFile | undefined)[]): Detected {
  if (images !== undefined && labels !== undefined) {
    return { format: 'idx', files: [images, labels] };
  }
  const missing = images === undefined ? IDX_IMAGES : IDX_LABELS;
  throw new ProtocolError('dataset-missing', `${root}: holds none of ${missing.join(', ')}`);
}

export const extensionOf = ({ path }: StoredFile): string =>
  /\.([^./]+)$/.exec(path)?.[1]?.toLowerCase() ?? '';

function nothingFound(root: string, files: readonly StoredFile[]): ProtocolError {
  const packed = files.find(({ path }) => PACKED.test(path));
  const remedy =
    packed === undefined
      ? `Wanted are ${IDX_IMAGES[0]} with ${IDX_LABELS[0]}, or files ending in ` +
        `${Object.keys(EXTENSIONS).join(', ')}; other texts with --text`
      : `Unpack ${packed.path} first`;
  return new ProtocolError('dataset-missing', `${root}: holds no data that can be read. ${remedy}`);
}
