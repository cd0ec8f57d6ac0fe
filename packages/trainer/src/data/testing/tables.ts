import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { zipSync } from 'fflate';
import { parquetWriteBuffer } from 'hyparquet-writer';
import sharp from 'sharp';
import { writeDataset } from '../../dataset.ts';
import type { ExampleSet } from '../example-set.ts';

/** The same images and labels in every format, below `folder`; the path of each by its name. */
export async function writeEveryFormat(folder: string, data: ExampleSet) {
  const { count, shape, images, labels } = partsOf(data);
  const pixels = images.length / count;
  const rows = Array.from({ length: count }, (_, i) =>
    Array.from(images.subarray(i * pixels, (i + 1) * pixels)),
  );
  const names = Array.from({ length: pixels }, (_, i) => `p${i}`);
  const path = (name: string) => join(folder, name);
  await writeDataset(path('idx'), data, { task: 'digits', classes: 10 });
  const csv = rows.map((row, i) => [labels[i], ...row].join(','));
  await writeFile(path('a.csv'), [['label', ...names].join(','), ...csv, ''].join('\n'));
  const objects = rows.map((row, i) => JSON.stringify({ pixels: row, label: labels[i] }));
  await writeFile(path('a.jsonl'), objects.join('\n'));
  const columns = [
    ...names.map((name, j) => ({ name, data: Int32Array.from(rows, (row) => row[j]!) })),
    { name: 'label', data: Int32Array.from(labels) },
  ];
  await writeFile(path('a.parquet'), parquetBytes(columns, 64));
  const x = npyBytes('|u1', [count, ...shape], images);
  const y = npyBytes(
    '<i8',
    [count],
    new Uint8Array(BigInt64Array.from(Array.from(labels, BigInt)).buffer),
  );
  await writeFile(path('a.npz'), zipSync({ 'x.npy': x, 'y.npy': y }));
  await mkdir(path('npy'));
  await writeFile(join(path('npy'), 'x.npy'), x);
  await writeFile(join(path('npy'), 'y.npy'), y);
  await writeImages(path('images'), data);
  return {
    idx: path('idx'),
    csv: path('a.csv'),
    'json-lines': path('a.jsonl'),
    parquet: path('a.parquet'),
    npz: path('a.npz'),
    npy: path('npy'),
    images: path('images'),
  };
}

const partsOf = ({ info, examples }: ExampleSet) => ({
  ...{ count: info.count, shape: info.shape },
  images: Uint8Array.from(examples.inputs),
  labels: Int32Array.from(examples.targets ?? []),
});

/** A folder for each class, and files numbered through all of them. */
async function writeImages(folder: string, data: ExampleSet) {
  const { count, shape, images, labels } = partsOf(data);
  const [height = 1, width = 1] = shape;
  for (const label of new Set(labels))
    await mkdir(join(folder, String(label)), { recursive: true });
  for (let i = 0; i < count; i++) {
    const pixels = images.subarray(i * height * width, (i + 1) * height * width);
    const image = sharp(pixels, { raw: { width, height, channels: 1 } });
    const name = `${String(i).padStart(6, '0')}.png`;
    await image.png().toFile(join(folder, String(labels[i]), name));
  }
}

export function parquetBytes(
  columnData: { name: string; data: Int32Array | Float32Array | (string | null)[] }[],
  rowGroupSize: number,
): Uint8Array {
  return new Uint8Array(parquetWriteBuffer({ columnData, rowGroupSize }));
}

/** A NumPy array file, version 1. */
export function npyBytes(type: string, shape: readonly number[], data: Uint8Array): Uint8Array {
  const dims = `(${shape.join(', ')}${shape.length === 1 ? ',' : ''})`;
  const header = `{'descr': '${type}', 'fortran_order': False, 'shape': ${dims}, }`;
  const padded = `${header.padEnd(128 - 10 - 1)}\n`;
  const prefix = Buffer.from('\x93NUMPY\x01\x00', 'latin1');
  const length = Buffer.alloc(2);
  length.writeUInt16LE(padded.length);
  return Buffer.concat([prefix, length, Buffer.from(padded), data]);
}
