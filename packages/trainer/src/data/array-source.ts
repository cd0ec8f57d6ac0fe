import { assert, ConfigError } from '@starling/core';
import type { ArrayFile } from './arrays.ts';
import {
  beyondFloat,
  convertElements,
  type ElementPlan,
  Moments,
  PLAIN,
  planElements,
} from './elements.ts';
import { CLASSES_MAX, type DataOptions } from './options.ts';
import {
  corrupt,
  type DataSource,
  type Examples,
  type Progress,
  type SourceInfo,
  type TargetInfo,
  targetArray,
} from './source.ts';
import { chooseShape, type Findings } from './table-plan.ts';

/** Which array is the input and which the target. */
export interface ArrayNames {
  readonly inputs: string;
  readonly targets: string | null;
}

export interface ArrayPlan extends Findings {
  readonly names: ArrayNames;
  readonly count: number;
}

const INPUT_NAMES = ['x', 'inputs', 'images', 'features', 'data', 'x_train', 'arr_0'];
const TARGET_NAMES = ['y', 'targets', 'labels', 'label', 'target', 'y_train', 'arr_1'];
/** Numbers that are looked at in one go. */
const BLOCK_NUMBERS = 4 * 1024 * 1024;

/**
 * Chooses input and target among arrays and looks at all their numbers.
 * @param arrays by name
 * @throws ConfigError, ProtocolError `dataset-corrupt`
 */
export async function planArrays(
  arrays: ReadonlyMap<string, ArrayFile>,
  options: DataOptions,
  progress?: Progress,
): Promise<ArrayPlan> {
  const notes: string[] = [];
  const names = chooseNames(arrays, options, notes);
  const inputs = arrays.get(names.inputs)!;
  const targets = names.targets === null ? undefined : arrays.get(names.targets)!;
  const [count = 0, ...natural] = inputs.shape;
  if (targets !== undefined && targets.shape[0] !== count) {
    const both = `${count} inputs, but ${targets.shape[0]} targets in ${targets.name}`;
    throw corrupt(inputs.name, both, 'Both need one row for each example');
  }
  const seen = new Moments();
  const bad = await look(inputs, (value) => seen.add(value), progress);
  const { target, histogram, problems } = await planTargets(targets, options, notes);
  const wanted = options.shape ?? (natural.length === 0 ? [1] : natural);
  const { shape, problem } = chooseShape(sizeOf(natural), wanted);
  const elements = planElements(options.normalise ?? { kind: 'none' }, [seen], seen.fitsByte);
  const large = rangeProblem(inputs, elements, seen);
  return {
    ...{ names, count, shape, elements, target, histogram, notes, range: seen.range },
    problems: [...problems, ...[bad, problem, large].filter((text) => text !== undefined)],
  };
}

/** Numbers that would become infinite in single precision. */
function rangeProblem({ name }: ArrayFile, elements: ElementPlan, seen: Moments) {
  if (beyondFloat(elements, [seen]) < 0) return undefined;
  const range = `${seen.min} to ${seen.max}, which is beyond single precision`;
  return `${name}: ${range}; correct it, or choose --normalise standard`;
}

const sizeOf = (shape: readonly number[]) => shape.reduce((product, dim) => product * dim, 1);

function chooseNames(
  arrays: ReadonlyMap<string, ArrayFile>,
  { features, label }: DataOptions,
  notes: string[],
): ArrayNames {
  const all = [...arrays.keys()];
  const named = (key: string, wanted: readonly string[]) => {
    const [name, ...more] = wanted;
    if (name !== undefined && arrays.has(name) && more.length === 0) return name;
    const hint = `Name one of ${all.join(', ')}`;
    throw new ConfigError(key, `there is no array "${wanted.join(',')}"`, hint);
  };
  const guess = (usual: readonly string[]) =>
    all.find((name) => usual.includes(name.toLowerCase()));
  const targets =
    label === undefined ? guess(TARGET_NAMES) : label.length > 0 && named('label', label);
  const others = all.filter((name) => name !== targets);
  const inputs =
    features === undefined
      ? (guess(INPUT_NAMES) ?? (others.length === 1 ? others[0] : undefined))
      : named('features', features);
  if (inputs === undefined) {
    const hint = `Name one of ${all.join(', ')} with --features`;
    throw new ConfigError('features', 'it is not clear which array is the input', hint);
  }
  if (features === undefined) notes.push(`the input is array "${inputs}", because of its name`);
  if (label === undefined && targets) notes.push(`the label is array "${targets}"`);
  return { inputs, targets: targets || null };
}

/** Calls `visit` with every number. @returns what is wrong with the first that is none */
async function look(
  array: ArrayFile,
  visit: (value: number) => void,
  progress?: Progress,
): Promise<string | undefined> {
  const [count = 0, ...rest] = array.shape;
  const width = sizeOf(rest);
  const step = Math.max(1, Math.floor(BLOCK_NUMBERS / Math.max(1, width)));
  let problem: string | undefined;
  for (let from = 0; from < count; from += step) {
    const rows = Math.min(step, count - from);
    const numbers = await array.rows(from, rows);
    for (let i = 0; i < numbers.length; i++) {
      const value = numbers[i]!;
      if (Number.isFinite(value)) visit(value);
      else {
        const row = from + Math.floor(i / width);
        problem ??= `${array.name}, row ${row}: ${value} is no number; replace it in the array`;
      }
    }
    progress?.(from + rows, count);
  }
  return problem;
}

interface TargetPlan {
  readonly target: TargetInfo;
  readonly histogram: readonly number[];
  readonly problems: readonly string[];
}

async function planTargets(
  array: ArrayFile | undefined,
  { classes }: DataOptions,
  notes: string[],
): Promise<TargetPlan> {
  if (array === undefined) return { target: { kind: 'none' }, histogram: [], problems: [] };
  const width = sizeOf(array.shape.slice(1));
  const seen = new Moments();
  const histogram: number[] = [];
  const bad = await look(array, (value) => {
    seen.add(value);
    if (!Number.isInteger(value) || value < 0 || value >= CLASSES_MAX) return;
    histogram[value] = (histogram[value] ?? 0) + 1;
  });
  const isIndex = seen.whole && seen.min >= 0 && seen.max < CLASSES_MAX && width === 1;
  if (classes === 0 || (classes === undefined && !isIndex)) {
    const large = rangeProblem(array, PLAIN, seen);
    const problems = [bad, large].filter((text) => text !== undefined);
    return { target: { kind: 'numbers', width }, histogram: [], problems };
  }
  const names = typeof classes === 'object' ? classes : null;
  const count = typeof classes === 'number' ? classes : (names?.length ?? seen.max + 1);
  if (classes === undefined)
    notes.push(`${count} classes, because the labels go up to ${seen.max}`);
  const fits = isIndex && seen.max < count && bad === undefined;
  const problem =
    `${array.name}: labels of ${count} classes are whole numbers from 0 to ${count - 1}, one for ` +
    `each example, but the array has shape [${array.shape}] and ${seen.min} to ${seen.max}`;
  return {
    target: { kind: 'classes', count, names },
    histogram: Array.from({ length: count }, (_, i) => histogram[i] ?? 0),
    problems: fits ? [] : [problem],
  };
}

export interface ArraySourceParts {
  readonly info: SourceInfo;
  readonly elements: ElementPlan;
  readonly inputs: ArrayFile;
  readonly targets: ArrayFile | undefined;
}

/** Examples from two arrays. */
export class ArraySource implements DataSource {
  readonly info: SourceInfo;
  readonly #parts: ArraySourceParts;

  constructor(parts: ArraySourceParts) {
    this.info = parts.info;
    this.#parts = parts;
  }

  async read(from: number, count: number): Promise<Examples> {
    const { info, elements, inputs, targets } = this.#parts;
    assert(from >= 0 && from + count <= info.count, `examples ${from} to ${from + count}`);
    const raw = await inputs.rows(from, count);
    const wanted = targetArray(info.target, count);
    wanted?.set(await targets!.rows(from, count));
    return {
      count,
      inputs: convertElements(elements, raw, sizeOf(info.shape)),
      targets: wanted,
    };
  }

  async close(): Promise<void> {
    await Promise.all([this.#parts.inputs.close(), this.#parts.targets?.close()]);
  }
}
