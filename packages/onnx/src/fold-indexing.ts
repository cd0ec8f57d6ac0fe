import { permutationOf, sliceRanges, splitSizes } from './infer-shape.ts';
import type { InferenceCall } from './inference.ts';
import { elementCount, numbersOf, stridesOf } from './tensor.ts';
import { numberAttribute, textAttribute, type ValueType } from './types.ts';

/** Values of the outputs, given constant inputs and the outputs' types. */
export type FoldRule = (
  call: InferenceCall,
  output: ValueType,
  outputs: readonly ValueType[],
) => readonly (readonly number[])[];

export const values = (call: InferenceCall, index: number) => numbersOf(call.input(index).value!);

const nodeAxis = (call: InferenceCall, fallback: number) =>
  call.axis(numberAttribute(call.node, 'axis', fallback), call.input(0).shape.length);

/** Position of element `i` along every axis of `shape`. */
const coordinates = (i: number, shape: readonly number[], strides: readonly number[]) =>
  shape.map((dim, axis) => Math.floor(i / strides[axis]!) % dim);

const offsetOf = (at: readonly number[], strides: readonly number[]) =>
  at.reduce((sum, position, axis) => sum + position * strides[axis]!, 0);

/** Reads `data` of shape `from` at `source(position in the output)` for every output position. */
export function picked(
  data: readonly number[],
  from: readonly number[],
  to: readonly number[],
  source: (at: readonly number[]) => readonly number[],
): number[] {
  const [outer, inner] = [stridesOf(to), stridesOf(from)];
  return Array.from(
    { length: elementCount(to) },
    (_, i) => data[offsetOf(source(coordinates(i, to, outer)), inner)]!,
  );
}

/** `index` counted from the front of an axis of `size`, checked. */
function indexWithin(call: InferenceCall, index: number, size: number): number {
  const at = index < 0 ? index + size : index;
  if (!(at >= 0 && at < size)) call.fail(`index ${index} of ${size}`);
  return at;
}

const transpose: FoldRule = (call, output) => {
  const { shape } = call.input(0);
  const perm = permutationOf(call.node, shape.length);
  const source = (at: readonly number[]) => shape.map((_, axis) => at[perm.indexOf(axis)]!);
  return [picked(values(call, 0), shape, output.shape, source)];
};

const slice: FoldRule = (call, output) => {
  const ranges = new Map(sliceRanges(call).map((range) => [range.axis, range]));
  const source = (at: readonly number[]) =>
    at.map((position, axis) => {
      const range = ranges.get(axis);
      return range ? range.start + position * range.step : position;
    });
  return [picked(values(call, 0), call.input(0).shape, output.shape, source)];
};

const split: FoldRule = (call, _, outputs) => {
  const { shape } = call.input(0);
  const axis = nodeAxis(call, 0);
  let start = 0;
  return splitSizes(call).map((size, i) => {
    const from = start;
    start += size;
    const source = (at: readonly number[]) => at.with(axis, at[axis]! + from);
    return picked(values(call, 0), shape, outputs[i]!.shape, source);
  });
};

const tile: FoldRule = (call, output) => {
  const { shape } = call.input(0);
  const source = (at: readonly number[]) => at.map((position, axis) => position % shape[axis]!);
  return [picked(values(call, 0), shape, output.shape, source)];
};

const gather: FoldRule = (call, output) => {
  const { shape } = call.input(0);
  const axis = nodeAxis(call, 0);
  const chosen = values(call, 1).map((index) => indexWithin(call, index, shape[axis]!));
  const indices = call.input(1).shape;
  const strides = stridesOf(indices);
  const source = (at: readonly number[]) => [
    ...at.slice(0, axis),
    chosen[offsetOf(at.slice(axis, axis + indices.length), strides)]!,
    ...at.slice(axis + indices.length),
  ];
  return [picked(values(call, 0), shape, output.shape, source)];
};

const gatherElements: FoldRule = (call, output) => {
  const { shape } = call.input(0);
  const axis = nodeAxis(call, 0);
  const indices = values(call, 1);
  const strides = stridesOf(output.shape);
  const source = (at: readonly number[]) =>
    at.with(axis, indexWithin(call, indices[offsetOf(at, strides)]!, shape[axis]!));
  return [picked(values(call, 0), shape, output.shape, source)];
};

/** Start in the data of what each tuple of indices names, and how many elements that is. */
function tuples(call: InferenceCall, batchDims: number) {
  const { shape } = call.input(0);
  const list = call.input(1).shape;
  const depth = list.at(-1)!;
  const strides = stridesOf(shape);
  const outer = list.slice(0, -1);
  const outerStrides = stridesOf(outer);
  const indices = values(call, 1);
  const starts = Array.from({ length: elementCount(outer) }, (_, i) => {
    const batch = coordinates(i, outer, outerStrides).slice(0, batchDims);
    const chosen = indices
      .slice(i * depth, (i + 1) * depth)
      .map((index, axis) => indexWithin(call, index, shape[batchDims + axis]!));
    return offsetOf([...batch, ...chosen], strides);
  });
  return { starts, size: elementCount(shape.slice(batchDims + depth)) };
}

const gatherNd: FoldRule = (call) => {
  const data = values(call, 0);
  const { starts, size } = tuples(call, numberAttribute(call.node, 'batch_dims', 0));
  return [starts.flatMap((start) => data.slice(start, start + size))];
};

const joined = (call: InferenceCall) => {
  const add = textAttribute(call.node, 'reduction', 'none') === 'add';
  return (before: number, update: number) => (add ? before + update : update);
};

const scatterNd: FoldRule = (call) => {
  const [out, updates, join] = [values(call, 0), values(call, 2), joined(call)];
  const { starts, size } = tuples(call, 0);
  for (const [i, start] of starts.entries()) {
    for (let j = 0; j < size; j++) out[start + j] = join(out[start + j]!, updates[i * size + j]!);
  }
  return [out];
};

const scatterElements: FoldRule = (call) => {
  const [out, updates, join] = [values(call, 0), values(call, 2), joined(call)];
  const { shape } = call.input(0);
  const axis = nodeAxis(call, 0);
  const part = call.input(1).shape;
  const [inner, outer] = [stridesOf(part), stridesOf(shape)];
  for (const [i, index] of values(call, 1).entries()) {
    const at = coordinates(i, part, inner).with(axis, indexWithin(call, index, shape[axis]!));
    const offset = offsetOf(at, outer);
    out[offset] = join(out[offset]!, updates[i]!);
  }
  return [out];
};

const concat: FoldRule = (call) => {
  const outer = elementCount(call.input(0).shape.slice(0, nodeAxis(call, 0)));
  const parts = call.inputs.map((_, i) => values(call, i));
  const rows = Array.from({ length: outer }, (_, i) =>
    parts.flatMap((part) => part.slice((i * part.length) / outer, ((i + 1) * part.length) / outer)),
  );
  return [rows.flat()];
};

const trilu: FoldRule = (call, { shape }) => {
  const upper = numberAttribute(call.node, 'upper', 1) === 1;
  const k = call.optional(1) === undefined ? 0 : call.scalar(1);
  const [rows, columns] = shape.slice(-2);
  const keep = (row: number, column: number) => (upper ? column - row >= k : column - row <= k);
  const inside = (i: number) => keep(Math.floor(i / columns!) % rows!, i % columns!);
  return [values(call, 0).map((value, i) => (inside(i) ? value : 0))];
};

const cumSum: FoldRule = (call, { shape }) => {
  const stride = stridesOf(shape)[call.axis(call.scalar(1), shape.length)]!;
  const size = shape[call.axis(call.scalar(1), shape.length)]!;
  const exclusive = numberAttribute(call.node, 'exclusive', 0) === 1;
  const reverse = numberAttribute(call.node, 'reverse', 0) === 1;
  const data = values(call, 0);
  const out = new Array<number>(data.length).fill(0);
  for (let line = 0; line < data.length / size; line++) {
    const first = Math.floor(line / stride) * stride * size + (line % stride);
    let sum = 0;
    for (let step = 0; step < size; step++) {
      const at = first + (reverse ? size - 1 - step : step) * stride;
      const before = sum;
      sum += data[at]!;
      out[at] = exclusive ? before : sum;
    }
  }
  return [out];
};

const nonZero: FoldRule = (call) => {
  const { shape } = call.input(0);
  const strides = stridesOf(shape);
  const found = values(call, 0).flatMap((value, i) =>
    value === 0 ? [] : [coordinates(i, shape, strides)],
  );
  return [shape.flatMap((_, axis) => found.map((at) => at[axis]!))];
};

const range: FoldRule = (call, { shape }) => {
  const [start, step] = [call.scalar(0), call.scalar(2)];
  return [Array.from({ length: shape[0]! }, (_, i) => start + i * step)];
};

const constantOfShape: FoldRule = (call, { shape }) => {
  const attribute = call.node.attributes.get('value');
  const fill = attribute?.kind === 'tensor' ? (numbersOf(attribute.value)[0] ?? 0) : 0;
  return [new Array<number>(elementCount(shape)).fill(fill)];
};

/** Operators that move, choose or place elements. */
export const indexingFolds: readonly (readonly [op: string, rule: FoldRule])[] = [
  ['Transpose', transpose],
  ['Slice', slice],
  ['Split', split],
  ['Tile', tile],
  ['Gather', gather],
  ['GatherElements', gatherElements],
  ['GatherND', gatherNd],
  ['ScatterND', scatterNd],
  ['ScatterElements', scatterElements],
  ['Concat', concat],
  ['Trilu', trilu],
  ['CumSum', cumSum],
  ['NonZero', nonZero],
  ['Range', range],
  ['ConstantOfShape', constantOfShape],
];
