import { askedShape } from './infer-shape.ts';
import type { InferenceCall, InferenceEntry, InferenceRule } from './inference.ts';
import { equalShapes } from './tensor.ts';
import {
  DATA_TYPES,
  type DataType,
  ELEMENT_TYPES,
  numberAttribute,
  textAttribute,
} from './types.ts';

const nodeAxis = (call: InferenceCall, fallback: number, rank: number) =>
  call.axis(numberAttribute(call.node, 'axis', fallback), rank);

/** Indices are whole numbers. */
function indices(call: InferenceCall): readonly number[] {
  const { dtype, shape } = call.input(1);
  if (dtype !== 'int32' && dtype !== 'int64') call.fail(`indices are ${dtype}`);
  return shape;
}

/** Tuples of indices have 64 bits. */
function checkWide(call: InferenceCall): void {
  const { dtype } = call.input(1);
  if (dtype !== 'int64') call.fail(`indices are ${dtype}, not int64`);
}

const gather: InferenceRule = (call) => {
  const { dtype, shape } = call.input(0);
  const axis = nodeAxis(call, 0, shape.length);
  const chosen = indices(call);
  return [{ dtype, shape: [...shape.slice(0, axis), ...chosen, ...shape.slice(axis + 1)] }];
};

/** Every dimension of `part` but the one along `axis` lies within `shape`. */
function within(call: InferenceCall, part: readonly number[], axis: number): void {
  const { shape } = call.input(0);
  const fits = part.length === shape.length && part.every((d, i) => i === axis || d <= shape[i]!);
  if (!fits) call.fail(`indices [${part}] into [${shape}] on axis ${axis}`);
}

const gatherElements: InferenceRule = (call) => {
  const { dtype, shape } = call.input(0);
  const chosen = indices(call);
  within(call, chosen, nodeAxis(call, 0, shape.length));
  return [{ dtype, shape: chosen }];
};

/** Shape of what tuples of indices choose: their batch, then the axes that they leave open. */
function chosenShape(call: InferenceCall, batchDims: number): readonly number[] {
  const { shape } = call.input(0);
  const tuples = indices(call);
  const depth = tuples.at(-1) ?? call.fail('indices are a scalar');
  const open = batchDims + depth;
  const batches = equalShapes(shape.slice(0, batchDims), tuples.slice(0, batchDims));
  if (depth < 1 || open > shape.length || !batches || tuples.length <= batchDims) {
    call.fail(`indices [${tuples}] into [${shape}] with ${batchDims} batch axes`);
  }
  return [...tuples.slice(0, -1), ...shape.slice(open)];
}

const gatherNd: InferenceRule = (call) => {
  const batchDims = numberAttribute(call.node, 'batch_dims', 0);
  if (!Number.isInteger(batchDims) || batchDims < 0) call.fail(`batch_dims ${batchDims}`);
  checkWide(call);
  return [{ dtype: call.input(0).dtype, shape: chosenShape(call, batchDims) }];
};

/** What a scatter does where it writes: the two that have a gradient. */
function checkReduction(call: InferenceCall): void {
  const reduction = textAttribute(call.node, 'reduction', 'none');
  if (reduction !== 'none' && reduction !== 'add') {
    call.refuse(`reduction "${reduction}" is not supported; "none" and "add" are`);
  }
  if (call.input(0).dtype !== call.input(2).dtype) call.fail('updates are of another type');
}

/** Data, tuples of indices and updates of a ScatterND fit one another. */
export function checkScatterNd(call: InferenceCall): void {
  checkReduction(call);
  const expected = chosenShape(call, 0);
  if (!equalShapes(expected, call.input(2).shape)) {
    call.fail(`updates [${call.input(2).shape}], expected [${expected}]`);
  }
}

const scatterNd: InferenceRule = (call) => {
  checkWide(call);
  checkScatterNd(call);
  const { dtype, shape } = call.input(0);
  return [{ dtype, shape }];
};

const scatterElements: InferenceRule = (call) => {
  const { dtype, shape } = call.input(0);
  checkReduction(call);
  const chosen = indices(call);
  within(call, chosen, nodeAxis(call, 0, shape.length));
  if (!equalShapes(chosen, call.input(2).shape)) {
    call.fail(`updates [${call.input(2).shape}] for indices [${chosen}]`);
  }
  return [{ dtype, shape }];
};

const topK: InferenceRule = (call) => {
  const { dtype, shape } = call.input(0);
  const axis = nodeAxis(call, -1, shape.length);
  const k = call.scalar(1);
  const fits = Number.isInteger(k) && k >= 0 && k <= shape[axis]!;
  if (!fits) call.fail(`${k} of ${shape[axis]} on axis ${axis}`);
  const out = shape.with(axis, k);
  const types: { dtype: DataType; shape: readonly number[] }[] = [
    { dtype, shape: out },
    { dtype: 'int64', shape: out },
  ];
  return types.slice(0, call.node.outputs.length);
};

const argument: InferenceRule = (call) => {
  const { shape } = call.input(0);
  const axis = nodeAxis(call, 0, shape.length);
  const keep = numberAttribute(call.node, 'keepdims', 1) === 1;
  return [{ dtype: 'int64', shape: keep ? shape.with(axis, 1) : shape.toSpliced(axis, 1) }];
};

const range: InferenceRule = (call) => {
  const [start, limit, step] = [0, 1, 2].map((i) => call.scalar(i));
  const length = Math.max(0, Math.ceil((limit! - start!) / step!));
  if (!Number.isFinite(length)) call.fail('no finite range');
  return [{ dtype: call.input(0).dtype, shape: [length] }];
};

const constantOfShape: InferenceRule = (call) => {
  const value = call.node.attributes.get('value');
  const dtype = value?.kind === 'tensor' ? value.value.dtype : 'float32';
  return [{ dtype, shape: askedShape(call, 0) }];
};

const trilu: InferenceRule = (call) => {
  const { dtype, shape } = call.input(0);
  if (shape.length < 2) call.fail(`[${shape}] is no matrix`);
  if (call.optional(1) !== undefined) call.scalar(1);
  return [{ dtype, shape }];
};

const cumSum: InferenceRule = (call) => {
  const { dtype, shape } = call.input(0);
  call.axis(call.scalar(1), shape.length);
  return [{ dtype, shape }];
};

const reverseSequence: InferenceRule = (call) => {
  const { dtype, shape } = call.input(0);
  const batch = numberAttribute(call.node, 'batch_axis', 1);
  const time = numberAttribute(call.node, 'time_axis', 0);
  if (batch + time !== 1 || batch * time !== 0) call.fail(`axes ${batch} and ${time}`);
  const lengths = call.input(1);
  if (shape.length < 2 || !equalShapes(lengths.shape, [shape[batch]!])) {
    call.fail(`lengths [${lengths.shape}] for [${shape}]`);
  }
  return [{ dtype, shape }];
};

/** Only a constant says how many elements are not zero. */
const nonZero: InferenceRule = (call) => {
  const { shape, value } = call.input(0);
  const known = value ?? call.refuse('the shape of its output depends on data');
  const count = Array.from(known.data, Number).filter((element) => element !== 0).length;
  return [{ dtype: 'int64', shape: [shape.length, count] }];
};

const eyeLike: InferenceRule = (call) => {
  const { dtype, shape } = call.input(0);
  if (shape.length !== 2) call.fail(`[${shape}] is no matrix`);
  const asked = numberAttribute(call.node, 'dtype', 0);
  const named = DATA_TYPES.find((type) => ELEMENT_TYPES[type] === asked);
  return [{ dtype: asked === 0 ? dtype : (named ?? call.fail(`element type ${asked}`)), shape }];
};

/** Operators that choose, place or count elements. */
export const indexingEntries: readonly InferenceEntry[] = [
  ['Gather', gather, [2, 2]],
  ['GatherElements', gatherElements, [2, 2]],
  ['GatherND', gatherNd, [2, 2]],
  ['ScatterND', scatterNd, [3, 3]],
  ['ScatterElements', scatterElements, [3, 3]],
  ['TopK', topK, [2, 2]],
  ['ArgMax', argument],
  ['ArgMin', argument],
  ['Range', range, [3, 3]],
  ['ConstantOfShape', constantOfShape],
  ['EyeLike', eyeLike],
  ['Trilu', trilu, [1, 2]],
  ['CumSum', cumSum, [2, 2]],
  ['ReverseSequence', reverseSequence, [2, 2]],
  ['NonZero', nonZero],
];
