import { planArrays } from './array-source.ts';
import { ColumnScan } from './column-scan.ts';
import { readDescription } from './description.ts';
import type { NumberRange } from './elements.ts';
import type { FileStore } from './file-store.ts';
import { type Detected, detectFormat } from './formats.ts';
import { inReadingOrder, planImages } from './images.ts';
import { openArrays, openFileStore, openTables, sizeOf } from './open-source.ts';
import type { DataOptions } from './options.ts';
import type { Reading, ReadingPlan } from './reading-plan.ts';
import { corrupt, type Progress } from './source.ts';
import { type Findings, planTable } from './table-plan.ts';
import { planText } from './text.ts';

/** A column of a table as `starling data inspect` shows it. */
export interface ColumnReport {
  readonly name: string;
  readonly type: ColumnScan['type'];
  /** Numbers in each field: 1, or the length of lists. */
  readonly width: number;
  readonly missing: number;
  readonly min: number | null;
  readonly max: number | null;
  readonly mean: number | null;
  readonly deviation: number | null;
  /** Number of different values; null for more than a thousand, and for lists. */
  readonly distinct: number | null;
  readonly use: 'input' | 'label' | 'unused';
}

export interface Inspection {
  /** What the folder's `dataset.json` says the data are for. */
  readonly task: string | undefined;
  readonly plan: ReadingPlan;
  /** Empty for formats that have none. */
  readonly columns: readonly ColumnReport[];
  /** Of all numbers of the input; null where columns say it, and for text. */
  readonly range: NumberRange | null;
  /** What was guessed, one sentence each. */
  readonly notes: readonly string[];
  /** Why these files cannot train as they are, and what to do, one sentence each. */
  readonly problems: readonly string[];
}

/** IDX files are images of bytes. */
const USUAL_IDX: DataOptions = {
  features: ['images'],
  label: ['labels'],
  normalise: { kind: 'scale', factor: 1 / 255 },
};

interface Planned {
  readonly findings: Findings;
  readonly count: number;
  readonly reading: Reading;
  readonly columns: readonly ColumnReport[];
}

/**
 * Looks at all the data of a file, folder or `s3://bucket/prefix`, and settles how to read it.
 * @throws ConfigError where an option names what is not there
 * @throws ProtocolError `dataset-missing`, `dataset-corrupt`, naming file and place
 */
export async function planDataset(
  path: string,
  options: DataOptions = {},
  progress?: Progress,
): Promise<Inspection> {
  const store = await openFileStore(path);
  try {
    const files = await store.list();
    const described = await readDescription(store, files);
    const detected = detectFormat(store.root, files, options);
    const classes = detected.format === 'idx' ? described?.classes : undefined;
    const all = { ...(classes !== undefined && { classes }), ...options };
    const { findings, count, reading, columns } = await plan(store, detected, all, progress);
    const { notes, shape, elements, target, histogram, range } = findings;
    const few = `${path}: ${count} examples; at least 2 are needed, one of them to validate`;
    return {
      plan: {
        ...{ format: detected.format, ...sizeOf(detected.files) },
        ...{ count, shape, elements, target, histogram, reading },
      },
      problems: count < 2 ? [few, ...findings.problems] : findings.problems,
      ...{ task: described?.task, columns, notes, range },
    };
  } finally {
    await store.close();
  }
}

async function plan(
  store: FileStore,
  detected: Detected,
  options: DataOptions,
  progress: Progress | undefined,
): Promise<Planned> {
  switch (detected.format) {
    case 'csv':
    case 'json-lines':
    case 'parquet':
      return planTables(store, detected, options, progress);
    case 'idx':
    case 'npy':
    case 'npz': {
      const arrays = await openArrays(store, detected);
      const isIdx = detected.format === 'idx';
      const usual = isIdx ? USUAL_IDX : {};
      const findings = await planArrays(arrays, { ...usual, ...options }, progress);
      await Promise.all([...arrays.values()].map((array) => array.close()));
      const { names, count } = findings;
      return { findings, count, reading: { kind: 'arrays', ...names }, columns: [] };
    }
    case 'images': {
      const images = inReadingOrder(detected.files);
      const findings = await planImages(store, images, options, progress);
      return { findings, count: findings.count, reading: { kind: 'images' }, columns: [] };
    }
    case 'text': {
      const findings = await planText(store, detected.files, options, progress);
      const { unit, alphabet, blocks, count } = findings;
      return { findings, count, reading: { kind: 'text', unit, alphabet, blocks }, columns: [] };
    }
  }
}

async function planTables(
  store: FileStore,
  detected: Detected,
  options: DataOptions,
  progress: Progress | undefined,
): Promise<Planned> {
  const files = await openTables(store, detected);
  const names = files[0]!.columns;
  const scans = names.map((name) => new ColumnScan(name));
  const rows: number[] = [];
  const known = files.map((file) => file.rows);
  const total = known.every((count) => count !== undefined)
    ? known.reduce((sum, count) => sum + count, 0)
    : undefined;
  let done = 0;
  for (const file of files) {
    let count = 0;
    for await (const batch of file.batches(names, 0, Number.POSITIVE_INFINITY)) {
      for (const [i, scan] of scans.entries()) scan.add(batch.columns[i]!, batch);
      count += batch.count;
      progress?.(done + count, total ?? Number.NaN);
    }
    if (count === 0) throw corrupt(file.name, 'holds no row', 'Remove the file, or fill it');
    rows.push(count);
    done += count;
    await file.close();
  }
  const findings = planTable(scans, options);
  const { columns } = findings;
  return {
    findings,
    count: done,
    reading: { kind: 'table', columns, rows },
    columns: scans.map((scan) => report(scan, columns.features, columns.labels)),
  };
}

function report(
  scan: ColumnScan,
  features: readonly string[],
  labels: readonly string[],
): ColumnReport {
  const { name, type, width, missing, moments, values } = scan;
  const isNumber =
    moments.length > 0 && (type === 'integer' || type === 'number' || type === 'list');
  const least = moments.reduce((low, { min }) => Math.min(low, min), Number.POSITIVE_INFINITY);
  const most = moments.reduce((high, { max }) => Math.max(high, max), Number.NEGATIVE_INFINITY);
  return {
    ...{ name, type, width, missing },
    min: isNumber ? least : null,
    max: isNumber ? most : null,
    mean: isNumber && moments.length === 1 ? moments[0]!.mean : null,
    deviation: isNumber && moments.length === 1 ? moments[0]!.deviation : null,
    distinct: values?.size ?? null,
    use: labels.includes(name) ? 'label' : features.includes(name) ? 'input' : 'unused',
  };
}
