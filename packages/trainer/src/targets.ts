import { ProtocolError } from '@starling/core';
import { elementCount, type ValueInfo } from '@starling/onnx';
import type { Tensor } from 'onnxruntime-node';
import type { Examples, TargetInfo } from './data/source.ts';
import { loadOrt } from './ort.ts';

/** What a graph takes as targets: values and shape of so many of a data set's targets. */
export interface TargetForm {
  readonly dtype: 'int32' | 'float32';
  /** Of one example. */
  readonly shape: readonly number[];
  /** The targets of so many examples as the graph takes them; a view where nothing changes. */
  convert(targets: Int32Array | Float32Array): Int32Array | Float32Array;
}

/**
 * Shape of one example's labels beside the axis of classes: one for each example, or one for each
 * place of a sequence.
 * @param output shape of the model's output for a batch
 */
export function targetExample(target: TargetInfo, output: readonly number[]): readonly number[] {
  return target.kind === 'sequence' && output.length > 2 ? [target.length] : [];
}

/**
 * How a data set's targets become what a graph takes: classes as they are, as 0 and 1 where there
 * are two, or as one-hot rows; numbers as they are; of a sequence all tokens, or the last one where
 * the model answers once for each example.
 * @param input the graph's input, [examples, …]; undefined where it takes none
 * @param classes those of the job
 * @throws ProtocolError `data-mismatch` naming what the model takes and what the data have
 */
export function targetForm(
  target: TargetInfo,
  input: ValueInfo | undefined,
  classes: number,
): TargetForm | undefined {
  if (input === undefined) return undefined;
  const shape = input.shape.slice(1).map(Number);
  const width = elementCount(shape);
  const dtype = input.dtype === 'float32' ? 'float32' : 'int32';
  const convert = converter(target, { dtype, width, classes });
  if (convert !== undefined) return { dtype, shape, convert };
  throw new ProtocolError(
    'data-mismatch',
    `the model takes ${dtype === 'int32' ? 'whole numbers' : 'numbers'} of shape [${shape}] as ` +
      `the target of each example; the data have ${describeTarget(target, classes)}`,
  );
}

interface Wanted {
  readonly dtype: TargetForm['dtype'];
  /** Numbers in one example's target. */
  readonly width: number;
  readonly classes: number;
}

function converter(
  target: TargetInfo,
  { dtype, width, classes }: Wanted,
): TargetForm['convert'] | undefined {
  const isIndex = dtype === 'int32';
  switch (target.kind) {
    case 'none':
      return undefined;
    case 'classes':
      if (isIndex) return width === 1 ? asIs : undefined;
      if (width === 1 && classes <= 2) return (labels) => Float32Array.from(labels);
      return width === classes ? (labels) => oneHot(labels, classes) : undefined;
    case 'numbers':
      return !isIndex && width === target.width ? asIs : undefined;
    case 'sequence': {
      const { length } = target;
      if (!isIndex) return undefined;
      if (width === length) return asIs;
      return width === 1 ? (tokens) => lastOfEach(tokens, length) : undefined;
    }
  }
}

const asIs: TargetForm['convert'] = (targets) => targets;

function oneHot(labels: ArrayLike<number>, classes: number): Float32Array {
  const rows = new Float32Array(labels.length * classes);
  for (let i = 0; i < labels.length; i++) rows[i * classes + labels[i]!] = 1;
  return rows;
}

const lastOfEach = (tokens: ArrayLike<number>, length: number): Int32Array =>
  Int32Array.from({ length: tokens.length / length }, (_, i) => tokens[(i + 1) * length - 1]!);

/** In words for both sides. */
export function describeTarget(target: TargetInfo, classes: number): string {
  switch (target.kind) {
    case 'none':
      return 'no target';
    case 'classes':
      return `one label of ${classes} classes`;
    case 'numbers':
      return `${target.width} ${target.width === 1 ? 'number' : 'numbers'}`;
    case 'sequence':
      return `${target.length} tokens`;
  }
}

/** Targets as a graph is fed with them; undefined where it takes none. */
export async function targetTensor(
  form: TargetForm | undefined,
  { count, targets }: Pick<Examples, 'count' | 'targets'>,
): Promise<Tensor | undefined> {
  if (form === undefined || targets === null) return undefined;
  const { Tensor } = await loadOrt();
  const shape = [count, ...form.shape];
  const values = form.convert(targets);
  return values instanceof Int32Array
    ? new Tensor('int32', values, shape)
    : new Tensor('float32', values, shape);
}
