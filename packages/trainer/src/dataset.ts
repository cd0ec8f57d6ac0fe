import { mkdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Augmentation } from '@starling/autodiff';
import { ConfigError } from '@starling/core';
import type { DataOffers, DataSchema } from '@starling/rounds';
import type { DatasetDescription } from './data/description.ts';
import type { ExampleSet } from './data/example-set.ts';
import { DESCRIPTION, IDX_IMAGES, IDX_LABELS } from './data/formats.ts';
import { type Inspection, planDataset } from './data/inspect.ts';
import type { DataOptions } from './data/options.ts';
import type { ReadingPlan } from './data/reading-plan.ts';
import type { Progress } from './data/source.ts';
import { writeIdx } from './idx.ts';

/** A data set that a volunteer offers. */
export interface Dataset {
  readonly name: string;
  /** File, folder or `s3://bucket/prefix`. */
  readonly path: string;
  /** How its files become examples, as found when it was added. */
  readonly plan: ReadingPlan;
  /** What is changed at random in training examples; null for nothing. */
  readonly augment: Augmentation | null;
  /** What a job may know of it. */
  readonly schema: DataSchema;
}

export interface DatasetCatalog {
  get(name: string): Dataset | undefined;
  list(): Iterable<Dataset>;
}

export function datasetCatalog(datasets: Iterable<Dataset>): DatasetCatalog {
  const byName = new Map(Array.from(datasets, (dataset) => [dataset.name, dataset]));
  return { get: (name) => byName.get(name), list: () => byName.values() };
}

/** What a job may know of data that are read by such a plan. */
export function schemaOf(task: string, { shape, elements, target }: ReadingPlan): DataSchema {
  const classes = target.kind === 'classes' || target.kind === 'sequence' ? target.count : 0;
  const dtype = elements.dtype === 'int32' ? 'int32' : 'float32';
  return { task, input: { dtype, shape }, target: target.kind, classes };
}

/** The task of a data set that does not say it: the name of its file or folder. */
export const usualTask = (path: string, { task }: Inspection): string =>
  task ?? basename(path).replace(/\.[^.]+$/, '');

export interface Offer {
  readonly options?: DataOptions;
  /** What the data are for; from their `dataset.json` or their name unless told. */
  readonly task?: string | undefined;
  readonly augment?: Augmentation | null;
  readonly progress?: Progress;
}

/**
 * Looks at a data set to offer it.
 * @throws ConfigError `data` with what hinders it, and what to do
 * @throws ProtocolError `dataset-missing`, `dataset-corrupt`
 */
export async function inspectOffer(name: string, path: string, offer: Offer): Promise<Dataset> {
  const inspection = await planDataset(path, offer.options, offer.progress);
  const { plan, problems } = inspection;
  if (problems.length > 0) throw new ConfigError('data', problems.join('\n'));
  const schema = schemaOf(offer.task ?? usualTask(path, inspection), plan);
  const augment = offer.augment ?? null;
  if (augment !== null) checkAugmentation(augment, plan);
  return { name, path, plan, augment, schema };
}

/** @throws ConfigError where examples are nothing that can be so changed */
export function checkAugmentation(
  { flip, crop }: Augmentation,
  { shape, elements }: Pick<ReadingPlan, 'shape' | 'elements'>,
): void {
  if (elements.dtype === 'int32') {
    throw new ConfigError('augment', 'tokens cannot be augmented', 'Leave --augment out');
  }
  if ((flip || crop > 0) && shape.length !== 2 && shape.length !== 3) {
    const hint = 'Give --shape HEIGHTxWIDTH or CHANNELSxHEIGHTxWIDTH, or --augment noise:… alone';
    throw new ConfigError('augment', `examples of shape [${shape}] are no images`, hint);
  }
}

/** Writes a folder of IDX files with a description, as a data set that can be added. */
export async function writeDataset(
  path: string,
  { info, examples }: ExampleSet,
  description: DatasetDescription,
): Promise<void> {
  const { inputs, targets, count } = examples;
  await mkdir(path, { recursive: true });
  const images = writeIdx({ shape: [count, ...info.shape], data: Uint8Array.from(inputs) });
  await writeFile(join(path, IDX_IMAGES[0]!), images);
  const labels = writeIdx({ shape: [count], data: Uint8Array.from(targets ?? []) });
  await writeFile(join(path, IDX_LABELS[0]!), labels);
  await writeFile(join(path, DESCRIPTION), `${JSON.stringify(description)}\n`);
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
  // A job without targets leaves those of the data unread.
  if (wanted.target !== 'none' && wanted.target !== schema.target) {
    differ('targets', wanted.target, schema.target);
  } else if (wanted.target !== 'none' && wanted.classes < schema.classes) {
    // Fewer classes fit into a job of more: a volunteer may never have seen some of them.
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
