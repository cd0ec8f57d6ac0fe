import {
  elementCount,
  int,
  int64s,
  numberAttribute,
  numbersOf,
  text,
  textAttribute,
} from '@starling/onnx';
import type { Ops } from './ops.ts';
import { type Gradient, type GradientCall, type RuleEntry, rule, type Share } from './rule.ts';

const axisOf = ({ g, node, x }: GradientCall, fallback: number) => {
  const axis = numberAttribute(node, 'axis', fallback);
  return axis < 0 ? axis + g.shape(x[0]!).length : axis;
};

/**
 * Up to this many rows a product with a one-hot matrix costs no more than adding row by row (both
 * measured); it is deterministic on GPUs too.
 */
const ONE_HOT_ROWS_MAX = 256;

/** Rows that were gathered go back to where they came from; repeated ones are added up. */
function gathered(call: GradientCall): readonly Gradient[] {
  const { g, x, dy } = call;
  return [
    () => {
      const shape = g.shape(x[0]!);
      const axis = axisOf(call, 0);
      const count = elementCount(g.shape(x[1]!));
      const rows = g.reshape(dy, shape.with(axis, count));
      const run = runOf(g, x[1]!, shape[axis]!);
      if (run !== undefined) return { kind: 'piece', value: rows, axis, start: run };
      const oneHot = shape[axis]! <= ONE_HOT_ROWS_MAX;
      return oneHot ? hotProduct(call, axis) : scattered(call, rows, axis);
    },
  ];
}

/** First of constant indices that count up one by one. */
function runOf(g: Ops, indices: string, size: number): number | undefined {
  const value = g.builder.valueOf(indices);
  if (value === undefined || value.data.length === 0) return undefined;
  const numbers = numbersOf(value).map((index) => (index < 0 ? index + size : index));
  const first = numbers[0]!;
  const within = first >= 0 && first + numbers.length <= size;
  return within && numbers.every((index, i) => index === first + i) ? first : undefined;
}

/** A product with the matrix that has a 1 where a row was gathered. */
function hotProduct({ g, x, dy }: GradientCall, axis: number): Share {
  const shape = g.shape(x[0]!);
  const [size, count] = [shape[axis]!, elementCount(g.shape(x[1]!))];
  const chosen = g.reshape(fromFront(g, g.cast(x[1]!, 'int32'), size), [1, count]);
  const hot = g.cast(g.equal(countUp(g, [size, 1]), chosen), 'float32');
  const outer = elementCount(shape.slice(0, axis));
  const rows = g.reshape(dy, [outer, count, elementCount(shape.slice(axis + 1))]);
  return g.reshape(g.matmul(hot, rows), shape);
}

/** Negative indices count from the end. */
function fromFront(g: Ops, indices: string, size: number): string {
  const number = (value: number) =>
    g.builder.constant({ dtype: 'int32', shape: [], data: Int32Array.of(value) });
  return g.where(g.greater(number(0), indices), g.add(indices, number(size)), indices);
}

/** 0, 1, 2, … as int32 in a shape whose other dimensions are 1. */
function countUp(g: Ops, shape: readonly number[]): string {
  const data = Int32Array.from({ length: elementCount(shape) }, (_, i) => i);
  return g.builder.constant({ dtype: 'int32', shape, data });
}

/** Adds whole rows into zeros, with `axis` in front while that is done. */
function scattered({ g, x }: GradientCall, rows: string, axis: number): string {
  const shape = g.shape(x[0]!);
  const indices = g.reshape(x[1]!, [elementCount(g.shape(x[1]!)), 1]);
  const order = shape.map((_, i) => i);
  const perm = [axis, ...order.toSpliced(axis, 1)];
  const target = g.zeros(perm.map((from) => shape[from]!));
  const sum = g.expand('ScatterND', [target, indices, g.transpose(rows, perm)], ADD);
  return g.transpose(
    sum,
    order.map((to) => perm.indexOf(to)),
  );
}

const ADD = { reduction: text('add') };

/** Each element goes back to the place that its index names. */
const elementsGathered = (call: GradientCall): readonly Gradient[] => [
  () => {
    const { g, x, dy } = call;
    const attributes = { axis: int(axisOf(call, 0)), ...ADD };
    return g.call('ScatterElements', [g.zeros(g.shape(x[0]!)), x[1]!, dy], attributes);
  },
];

const tuplesGathered = (call: GradientCall): readonly Gradient[] => [
  () => {
    const { g, node, x, dy } = call;
    const shape = g.shape(x[0]!);
    const tuples = withBatch(g, x[1]!, numberAttribute(node, 'batch_dims', 0));
    return g.expand('ScatterND', [g.zeros(shape), tuples, dy], ADD);
  },
];

/** Tuples of indices with the position along each batch axis before them. */
function withBatch(g: Ops, indices: string, batchDims: number): string {
  if (batchDims === 0) return indices;
  const outer = g.shape(indices).slice(0, -1);
  const count = elementCount(outer);
  const parts = Array.from({ length: batchDims }, (_, axis) => {
    const inner = elementCount(outer.slice(axis + 1));
    const position = (_: unknown, i: number) => Math.floor(i / inner) % outer[axis]!;
    const data = Array.from({ length: count }, position);
    return g.reshape(g.builder.constant(int64s(data)), [...outer, 1]);
  });
  return g.concat([...parts, indices], outer.length);
}

/** With `add` the data shine through; without, nothing flows to what was overwritten. */
function tuplesScattered({ g, node, x, dy }: GradientCall): readonly Gradient[] {
  const keeps = textAttribute(node, 'reduction', 'none') === 'add';
  const erased = () => g.call('ScatterND', [dy, x[1]!, g.zeros(g.shape(x[2]!))]);
  return [() => (keeps ? dy : erased()), () => g.call('GatherND', [dy, x[1]!])];
}

function elementsScattered(call: GradientCall): readonly Gradient[] {
  const { g, node, x, dy } = call;
  const keeps = textAttribute(node, 'reduction', 'none') === 'add';
  const axis = { axis: int(axisOf(call, 0)) };
  const erased = () => g.call('ScatterElements', [dy, x[1]!, g.zeros(g.shape(x[2]!))], axis);
  return [() => (keeps ? dy : erased()), () => g.call('GatherElements', [dy, x[1]!], axis)];
}

/** The chosen values; their positions carry no gradient. */
const chosen = (call: GradientCall): readonly Gradient[] => [
  () => {
    const { g, x, y, dy } = call;
    const axis = { axis: int(axisOf(call, -1)) };
    return g.call('ScatterElements', [g.zeros(g.shape(x[0]!)), y[1]!, dy], axis);
  },
];

/** Operators that choose, place or count elements. */
export const indexingRules: readonly RuleEntry[] = [
  rule('Gather', gathered, [0]),
  rule('GatherElements', elementsGathered, [0]),
  rule('GatherND', tuplesGathered, [0]),
  rule('ScatterND', tuplesScattered, [0, 2]),
  rule('ScatterElements', elementsScattered, [0, 2]),
  rule('TopK', chosen, [0]),
  rule(
    'Trilu',
    ({ g, node, x, dy }) => [
      () => {
        const upper = { upper: int(numberAttribute(node, 'upper', 1)) };
        return g.call('Trilu', [dy, ...x.slice(1)], upper);
      },
    ],
    [0],
  ),
  rule(
    'CumSum',
    ({ g, node, x, dy }) => [
      () => {
        const flag = (name: string) => numberAttribute(node, name, 0);
        const attributes = { exclusive: int(flag('exclusive')), reverse: int(1 - flag('reverse')) };
        return g.call('CumSum', [dy, x[1]!], attributes);
      },
    ],
    [0],
  ),
  rule(
    'ReverseSequence',
    ({ g, node, x, dy }) => [
      () => {
        const axis = (name: string, fallback: number) => int(numberAttribute(node, name, fallback));
        const axes = { batch_axis: axis('batch_axis', 1), time_axis: axis('time_axis', 0) };
        return g.call('ReverseSequence', [dy, x[1]!], axes);
      },
    ],
    [0],
  ),
];
