import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { createGenerator, permutation } from '@starling/autodiff';
import { errorMessage, ProtocolError } from '@starling/core';
import type { DataOffers, DataSchema } from '@starling/rounds';
import { readIdx, writeIdx } from './idx.ts';

/** A data set that a volunteer offers. */
export interface Dataset {
  readonly name: string;
  /** Folder with images and labels as IDX files. */
  readonly path: string;
  readonly schema: DataSchema;
}

export interface DatasetCatalog {
  get(name: string): Dataset | undefined;
  list(): Iterable<Dataset>;
}

/** Examples in memory. */
export interface LabelledImages {
  readonly count: number;
  /** Shape of one image. */
  readonly shape: readonly number[];
  /** Bytes of all images, [count, …shape]. */
  readonly images: Uint8Array;
  /** Class of each image, [count]. */
  readonly labels: Uint8Array;
}

export interface DatasetReport {
  readonly schema: DataSchema;
  readonly examples: number;
  /** Shape of one image in the file; the schema has it flat. */
  readonly imageShape: readonly number[];
  /** Examples per class. */
  readonly histogram: readonly number[];
}

export interface DatasetDescription {
  readonly task: string;
  readonly classes: number;
}

const IMAGES = ['images.idx3-ubyte', 'train-images-idx3-ubyte', 'train-images.idx3-ubyte'];
const LABELS = ['labels.idx1-ubyte', 'train-labels-idx1-ubyte', 'train-labels.idx1-ubyte'];
const DESCRIPTION = 'dataset.json';

export function datasetCatalog(datasets: Iterable<Dataset>): DatasetCatalog {
  const byName = new Map(Array.from(datasets, (dataset) => [dataset.name, dataset]));
  return { get: (name) => byName.get(name), list: () => byName.values() };
}

async function readPart(path: string, names: readonly string[]) {
  const file = names.map((name) => join(path, name)).find((candidate) => existsSync(candidate));
  if (file === undefined) {
    throw new ProtocolError('dataset-missing', `${path}: holds none of ${names.join(', ')}`);
  }
  return readIdx(await readFile(file), file);
}

/** @throws ProtocolError `dataset-missing` or `dataset-corrupt`, naming the file */
export async function loadDataset(path: string): Promise<LabelledImages> {
  const [images, labels] = await Promise.all([readPart(path, IMAGES), readPart(path, LABELS)]);
  const [count = 0, ...shape] = images.shape;
  if (labels.shape.length !== 1 || labels.shape[0] !== count || shape.length === 0) {
    throw new ProtocolError(
      'dataset-corrupt',
      `${path}: images of shape [${images.shape}] with labels of shape [${labels.shape}]`,
    );
  }
  if (count < 2) throw new ProtocolError('dataset-corrupt', `${path}: ${count} examples`);
  return { count, shape, images: images.data, labels: labels.data };
}

/** Writes a folder that `loadDataset` and `inspectDataset` read. */
export async function writeDataset(
  path: string,
  data: LabelledImages,
  description: DatasetDescription,
): Promise<void> {
  await mkdir(path, { recursive: true });
  const images = writeIdx({ shape: [data.count, ...data.shape], data: data.images });
  await writeFile(join(path, IMAGES[0]!), images);
  await writeFile(join(path, LABELS[0]!), writeIdx({ shape: [data.count], data: data.labels }));
  await writeFile(join(path, DESCRIPTION), `${JSON.stringify(description)}\n`);
}

/**
 * What a folder offers. Task and number of classes come from its `dataset.json`, else from the
 * folder's name and the largest label: a share of a data set may lack its last class.
 */
export async function inspectDataset(path: string): Promise<DatasetReport> {
  const { count, shape, labels } = await loadDataset(path);
  const described = await readDescription(join(path, DESCRIPTION));
  const seen = labels.reduce((largest, label) => Math.max(largest, label), 0) + 1;
  const classes = described?.classes ?? seen;
  if (classes < seen) {
    throw new ProtocolError('dataset-corrupt', `${path}: label ${seen - 1} of ${classes} classes`);
  }
  const histogram = new Array<number>(classes).fill(0);
  for (const label of labels) histogram[label]! += 1;
  const pixels = shape.reduce((product, dim) => product * dim, 1);
  const task = described?.task ?? basename(path);
  const schema: DataSchema = { task, input: { dtype: 'float32', shape: [pixels] }, classes };
  return { schema, examples: count, imageShape: shape, histogram };
}

async function readDescription(file: string): Promise<DatasetDescription | undefined> {
  if (!existsSync(file)) return undefined;
  try {
    const { task, classes } = JSON.parse(await readFile(file, 'utf8'));
    if (typeof task === 'string' && Number.isInteger(classes) && classes > 0)
      return { task, classes };
  } catch (error) {
    throw new ProtocolError('dataset-corrupt', `${file}: ${errorMessage(error)}`);
  }
  throw new ProtocolError('dataset-corrupt', `${file}: expected {"task": text, "classes": number}`);
}

export type SchemaMatch = { readonly ok: true } | { readonly ok: false; readonly reason: string };

/** Whether a data set can serve a job, or what differs, in words for both sides. */
export function matchSchema(wanted: DataSchema, { name, schema }: Dataset): SchemaMatch {
  const size = (shape: readonly number[]) => shape.reduce((product, dim) => product * dim, 1);
  const differences: string[] = [];
  const differ = (what: string, asked: unknown, has: unknown) =>
    differences.push(`${what}: the job wants ${asked}, data set "${name}" has ${has}`);
  if (wanted.task !== schema.task) differ('task', wanted.task, schema.task);
  if (wanted.input.dtype !== schema.input.dtype) {
    differ('dtype', wanted.input.dtype, schema.input.dtype);
  }
  if (size(wanted.input.shape) !== size(schema.input.shape)) {
    differ('shape', `[${wanted.input.shape}]`, `[${schema.input.shape}]`);
  }
  // Fewer classes fit into a job of more: a volunteer may never have seen some of them.
  const kindDiffers = (wanted.classes === 0) !== (schema.classes === 0);
  if (kindDiffers || wanted.classes < schema.classes) {
    differ('classes', wanted.classes, schema.classes);
  }
  return differences.length === 0 ? { ok: true } : { ok: false, reason: differences.join('; ') };
}

/** The port by which a node asks for data that fit a job; the first in the catalogue's order. */
export function dataOffers(catalog: DatasetCatalog): DataOffers {
  return {
    async match(wanted) {
      const reasons: string[] = [];
      for (const dataset of catalog.list()) {
        const match = matchSchema(wanted, dataset);
        if (match.ok) return { ok: true, dataset: dataset.name };
        reasons.push(match.reason);
      }
      return { ok: false, reasons };
    },
  };
}

export interface Split {
  readonly training: Int32Array;
  readonly validation: Int32Array;
}

const SPLIT_SEED = 0x5711;

/** Indices of examples: the last tenth (at least one) of a fixed permutation validates. */
export function splitDataset(count: number): Split {
  const order = permutation(count, createGenerator(SPLIT_SEED));
  const kept = count - Math.max(1, Math.floor(count / 10));
  return { training: order.slice(0, kept), validation: order.slice(kept) };
}
