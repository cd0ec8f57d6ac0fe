import { ConfigError } from '@starling/core';
import { type ColumnScan, DISTINCT_MAX } from './column-scan.ts';
import {
  beyondFloat,
  type ElementPlan,
  type NumberRange,
  PLAIN,
  planElements,
} from './elements.ts';
import { CLASSES_MAX, type DataOptions } from './options.ts';
import type { TargetInfo } from './source.ts';

/** Which columns of a table make an example. */
export interface TableColumns {
  readonly features: readonly string[];
  readonly labels: readonly string[];
  /** Whether a label is the index of its class, or its name. */
  readonly labelsAre: 'indices' | 'names';
}

/** What files hold as a job would see it, and what was noticed. */
export interface Findings {
  readonly shape: readonly number[];
  readonly elements: ElementPlan;
  readonly target: TargetInfo;
  /** Examples of each class; empty without classes. */
  readonly histogram: readonly number[];
  /** Of all numbers of the input; null where columns say it, and for text. */
  readonly range: NumberRange | null;
  /** What was guessed, one sentence each. */
  readonly notes: readonly string[];
  /** Why these files cannot train as they are, and what to do, one sentence each. */
  readonly problems: readonly string[];
}

export interface TablePlan extends Findings {
  readonly columns: TableColumns;
}

/** Labels of at most so many different whole numbers are taken for classes. */
const GUESSED_CLASSES_MAX = 100;
const LABEL_NAMES = /^(labels?|class|classes|targets?|y|outcome|category)$/i;

/**
 * Chooses input and target of a table whose columns have been seen whole.
 * @throws ConfigError where an option names what is not there
 */
export function planTable(scans: readonly ColumnScan[], options: DataOptions): TablePlan {
  const notes: string[] = [];
  const problems: string[] = [];
  const labels = chooseLabels(scans, options, notes);
  const features = chooseFeatures(scans, labels, options, notes);
  for (const scan of [...features, ...labels]) problems.push(...missingProblem(scan));
  for (const scan of features) problems.push(...numberProblems(scan));
  const moments = features.flatMap((scan) => scan.moments);
  const { shape, problem } = chooseShape(moments.length, options.shape);
  const target = chooseTarget(labels, options, notes);
  problems.push(...[problem, target.problem].filter((text) => text !== undefined));
  if (features.length === 0) {
    problems.push('no column of numbers is left for the input; name some with --features');
  }
  const { labelsAre = 'indices' } = target;
  const elements = planElements(
    options.normalise ?? { kind: 'none' },
    moments,
    moments.every(({ fitsByte }) => fitsByte),
  );
  problems.push(...rangeProblems(features, elements));
  if (target.info.kind === 'numbers') problems.push(...rangeProblems(labels, PLAIN));
  return {
    columns: {
      features: features.map(({ name }) => name),
      labels: labels.map(({ name }) => name),
      labelsAre,
    },
    shape,
    elements,
    target: target.info,
    histogram: histogram(target.info, labelsAre, labels[0]),
    range: null,
    ...{ notes, problems },
  };
}

function chooseLabels(
  scans: readonly ColumnScan[],
  { label }: DataOptions,
  notes: string[],
): readonly ColumnScan[] {
  if (label !== undefined) return label.map((name) => columnNamed('label', scans, name));
  if (scans.length < 2) return [];
  const byName = scans.find(({ name }) => LABEL_NAMES.test(name));
  const chosen = byName ?? scans.at(-1)!;
  const reason = byName === undefined ? 'it is the last' : 'of its name';
  notes.push(`the label is column "${chosen.name}", because ${reason}; --label says otherwise`);
  return [chosen];
}

function columnNamed(key: string, scans: readonly ColumnScan[], name: string): ColumnScan {
  const found = scans.find((scan) => scan.name === name);
  if (found !== undefined) return found;
  const all = scans.map((scan) => scan.name);
  const listed = all.length > 20 ? [...all.slice(0, 20), `… ${all.length - 20} more`] : all;
  throw new ConfigError(
    key,
    `there is no column "${name}"`,
    `The columns are ${listed.join(', ')}`,
  );
}

function chooseFeatures(
  scans: readonly ColumnScan[],
  labels: readonly ColumnScan[],
  { features }: DataOptions,
  notes: string[],
): readonly ColumnScan[] {
  const others = scans.filter((scan) => !labels.includes(scan));
  if (features !== undefined) {
    const chosen = features.flatMap((pattern) => {
      if (!pattern.includes('*')) return [columnNamed('features', scans, pattern)];
      const matching = others.filter(({ name }) => matches(pattern, name));
      if (matching.length > 0) return matching;
      throw new ConfigError('features', `no column matches "${pattern}"`);
    });
    return [...new Set(chosen)];
  }
  const usable = others.filter(({ type }) => type !== 'text' && type !== 'empty');
  const left = others.filter((scan) => !usable.includes(scan)).map(({ name }) => `"${name}"`);
  if (left.length > 0) notes.push(`left out, because they hold no numbers: ${left.join(', ')}`);
  return usable;
}

/** Whether a name fits a pattern in which `*` stands for any text. */
export function matches(pattern: string, name: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(name);
}

function missingProblem({ name, missing, firstMissing }: ColumnScan): readonly string[] {
  if (firstMissing === undefined) return [];
  const remedy = 'fill it in, remove such rows, or leave the column out with --features';
  const more = missing > 1 ? ` (and ${missing - 1} more)` : '';
  return [`${firstMissing.place}, column "${name}": the value is missing${more}; ${remedy}`];
}

function numberProblems({ name, firstText, otherWidth, width }: ColumnScan): readonly string[] {
  if (firstText !== undefined) {
    const { place, value } = firstText;
    const remedy = 'correct it, or leave the column out with --features';
    return [`${place}, column "${name}": ${value} is no number; ${remedy}`];
  }
  if (otherWidth === undefined) return [];
  const { place, value } = otherWidth;
  return [`${place}, column "${name}": ${value}, where other rows have lists of ${width}`];
}

/** Numbers that would become infinite in single precision. */
function rangeProblems(scans: readonly ColumnScan[], elements: ElementPlan): readonly string[] {
  const moments = scans.flatMap((scan) => scan.moments);
  const at = beyondFloat(elements, moments);
  if (at < 0) return [];
  const names = scans.flatMap((scan) => scan.moments.map(() => scan.name));
  const { min, max } = moments[at]!;
  const range = `${min} to ${max}, which is beyond single precision`;
  return [`column "${names[at]}": ${range}; correct it, or choose --normalise standard`];
}

/** The shape that was asked for, if it has as many elements; else a list of them all. */
export function chooseShape(elements: number, wanted: readonly number[] | undefined) {
  if (wanted === undefined) return { shape: [elements] };
  const size = wanted.reduce((product, dim) => product * dim, 1);
  if (size === elements) return { shape: wanted };
  const problem =
    `--shape ${wanted.join('x')} has ${size} elements, but an example has ${elements} numbers; ` +
    'choose another shape, or other columns with --features';
  return { shape: [elements], problem };
}

interface ChosenTarget {
  readonly info: TargetInfo;
  readonly labelsAre?: TableColumns['labelsAre'];
  readonly problem?: string;
}

function chooseTarget(
  labels: readonly ColumnScan[],
  { classes }: DataOptions,
  notes: string[],
): ChosenTarget {
  const [label] = labels;
  if (label === undefined) return { info: { kind: 'none' } };
  const wholeValues = label.type === 'integer' ? label.values : null;
  const isNumber = label.type === 'number' || label.type === 'list' || label.type === 'integer';
  const manyValues = wholeValues === null || wholeValues.size > GUESSED_CLASSES_MAX;
  const wantsNumbers = classes === 0 || (classes === undefined && isNumber && manyValues);
  if (labels.length > 1 || wantsNumbers) return numberTarget(labels);
  if (typeof classes === 'number' || wholeValues !== null) {
    return indexTarget(label, classes, notes);
  }
  return nameTarget(label, classes, notes);
}

function numberTarget(labels: readonly ColumnScan[]): ChosenTarget {
  const width = labels.reduce((sum, scan) => sum + scan.width, 0);
  const [problem] = labels.flatMap(numberProblems);
  return { info: { kind: 'numbers', width }, ...(problem !== undefined && { problem }) };
}

/** Whole numbers as labels: indices of classes, or names where they are no count from 0. */
function indexTarget(label: ColumnScan, classes: DataOptions['classes'], notes: string[]) {
  const { min, max, whole } = label.moments[0] ?? { min: -1, max: -1, whole: false };
  const names = typeof classes === 'object' ? classes : null;
  const areNames =
    names !== null && [...(label.values?.keys() ?? [])].every((v) => names.includes(v));
  const isCount = min >= 0 && max < CLASSES_MAX;
  if (classes === undefined && !isCount) return nameTarget(label, classes, notes);
  if (areNames) return nameTarget(label, classes, notes);
  const count = typeof classes === 'number' ? classes : (names?.length ?? max + 1);
  const info: TargetInfo = { kind: 'classes', count, names };
  if (classes === undefined) {
    notes.push(`${count} classes, because the labels go up to ${max}; --classes says otherwise`);
  }
  if (whole && label.texts === 0 && min >= 0 && max < count) return { info };
  const range = whole ? `${min} to ${max}` : (label.firstText?.value ?? 'numbers with fractions');
  const problem =
    `column "${label.name}": labels of ${count} classes are whole numbers from 0 to ` +
    `${count - 1}, ` +
    `but the file has ${range}; correct --classes (0 for numbers as targets)`;
  return { info, problem };
}

function nameTarget(label: ColumnScan, classes: DataOptions['classes'], notes: string[]) {
  const { values } = label;
  if (values === null) {
    const problem =
      `column "${label.name}" has more than ${DISTINCT_MAX} different labels; name another with ` +
      '--label, or --label none';
    return { info: { kind: 'none' }, problem } satisfies ChosenTarget;
  }
  const sorted = [...values.keys()].sort(byValue);
  const names = typeof classes === 'object' ? classes : sorted;
  const info: TargetInfo = { kind: 'classes', count: names.length, names };
  if (classes === undefined) notes.push(`${names.length} classes, in the order of their names`);
  const unknown = sorted.find((value) => !names.includes(value));
  if (unknown === undefined) return { info, labelsAre: 'names' } satisfies ChosenTarget;
  const problem = `column "${label.name}": label "${unknown}" is not among --classes`;
  return { info, labelsAre: 'names', problem } satisfies ChosenTarget;
}

/** Numbers by their value, texts in binary order. */
export const byValue = (a: string, b: string): number =>
  Number.isNaN(Number(a) - Number(b)) ? (a < b ? -1 : 1) : Number(a) - Number(b);

function histogram(
  target: TargetInfo,
  labelsAre: TableColumns['labelsAre'],
  label: ColumnScan | undefined,
): readonly number[] {
  if (target.kind !== 'classes') return [];
  const counts = new Array<number>(target.count).fill(0);
  for (const [value, count] of label?.values ?? []) {
    const index = labelsAre === 'names' ? target.names!.indexOf(value) : indexOf(value);
    if (counts[index] !== undefined) counts[index] += count;
  }
  return counts;
}

const indexOf = (value: string): number =>
  value === 'true' ? 1 : value === 'false' ? 0 : Number(value);
