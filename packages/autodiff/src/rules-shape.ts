import { ProtocolError } from '@starling/core';
import { elementCount, int, intsAttribute, numberAttribute, numbersOf } from '@starling/onnx';
import { type GradientCall, type RuleEntry, rule } from './rule.ts';

/** Operators that only rename positions: the gradient takes the input's shape back. */
const reshaped = ({ g, x, dy }: GradientCall) => [() => g.reshape(dy, g.shape(x[0]!))];

const frontAxis = (axis: number, rank: number) => (axis < 0 ? axis + rank : axis);

function constantInts({ g, node, x }: GradientCall, index: number): readonly number[] | undefined {
  const name = x[index] ?? '';
  if (name === '') return undefined;
  const value = g.builder.valueOf(name);
  if (value !== undefined) return numbersOf(value);
  throw new ProtocolError(
    'unsupported-operator',
    `node "${node.name}" (${node.op}): input ${index} is not constant`,
  );
}

/** Axes of a Reduce node, from the front; all when none are given. */
function reducedAxes(call: GradientCall): readonly number[] {
  const rank = call.g.shape(call.x[0]!).length;
  const given = constantInts(call, 1) ?? intsAttribute(call.node, 'axes') ?? [];
  if (given.length === 0) return Array.from({ length: rank }, (_, i) => i);
  return given.map((axis) => frontAxis(axis, rank));
}

/** The gradient of a sum: the same for every element that went in. */
function spread(call: GradientCall): string {
  const { g, x, dy } = call;
  const shape = g.shape(x[0]!);
  // An empty list of axes with noop_with_empty_axes reduced nothing.
  if (elementCount(g.shape(dy)) === elementCount(shape)) return g.reshape(dy, shape);
  const axes = reducedAxes(call);
  const kept = shape.map((dim, i) => (axes.includes(i) ? 1 : dim));
  return g.broadcastTo(g.reshape(dy, kept), shape);
}

function softmaxAxis({ g, node, x }: GradientCall): number {
  return frontAxis(numberAttribute(node, 'axis', -1), g.shape(x[0]!).length);
}

function transposed({ g, node, dy }: GradientCall) {
  const rank = g.shape(dy).length;
  const identity = Array.from({ length: rank }, (_, i) => i);
  const perm = intsAttribute(node, 'perm') ?? identity.toReversed();
  return [
    () =>
      g.transpose(
        dy,
        identity.map((axis) => perm.indexOf(axis)),
      ),
  ];
}

function concatenated({ g, node, x, dy }: GradientCall) {
  const axis = frontAxis(numberAttribute(node, 'axis', 0), g.shape(dy).length);
  let at = 0;
  return x.map((part) => {
    const start = at;
    at += g.shape(part)[axis]!;
    const end = at;
    return () => g.slice(dy, [{ axis, start, end }]);
  });
}

/** Zeros around what the slice took; steps other than 1 would need a scatter. */
function sliced(call: GradientCall) {
  const { g, node, x, dy } = call;
  const shape = g.shape(x[0]!);
  const starts = constantInts(call, 1)!;
  const axes = constantInts(call, 3) ?? starts.map((_, i) => i);
  if (constantInts(call, 4)?.some((step) => step !== 1)) {
    throw new ProtocolError(
      'unsupported-operator',
      `node "${node.name}" (Slice): a gradient exists only for step 1`,
    );
  }
  const begin = shape.map(() => 0);
  for (const [i, axis] of axes.entries()) {
    const at = frontAxis(axis, shape.length);
    begin[at] = Math.min(Math.max(frontAxis(starts[i]!, shape[at]!), 0), shape[at]!);
  }
  const end = shape.map((dim, i) => dim - begin[i]! - g.shape(dy)[i]!);
  return [() => g.pad(dy, begin, end)];
}

function splitted({ g, node, x, dys }: GradientCall) {
  const axis = frontAxis(numberAttribute(node, 'axis', 0), g.shape(x[0]!).length);
  return [() => g.concat(dys, axis)];
}

/**
 * Rows that were gathered, summed by a product with a one-hot matrix: the same on every device,
 * where a scatter-add of repeated indices is not.
 */
function gathered({ g, node, x, dy }: GradientCall) {
  const shape = g.shape(x[0]!);
  const axis = frontAxis(numberAttribute(node, 'axis', 0), shape.length);
  const size = shape[axis]!;
  const indices = x[1]!;
  const count = elementCount(g.shape(indices));
  return [
    () => {
      const outer = elementCount(shape.slice(0, axis));
      const inner = elementCount(shape.slice(axis + 1));
      const chosen = g.reshape(g.cast(indices, 'int32'), [1, count]);
      const hot = g.cast(g.equal(classNumbers(g, [size, 1]), chosen), 'float32');
      return g.reshape(g.matmul(hot, g.reshape(dy, [outer, count, inner])), shape);
    },
  ];
}

/** 0, 1, 2, … as int32 in a shape whose other dimensions are 1. */
function classNumbers(g: GradientCall['g'], shape: readonly number[]): string {
  const data = Int32Array.from({ length: elementCount(shape) }, (_, i) => i);
  return g.builder.constant({ dtype: 'int32', shape, data });
}

/** Operators that move, repeat or reduce elements, and the softmax family. */
export const shapeRules: readonly RuleEntry[] = [
  ...['Reshape', 'Squeeze', 'Unsqueeze'].map((op) => rule(op, reshaped, [0])),
  rule('Flatten', reshaped),
  rule('Identity', ({ dy }) => [() => dy]),
  rule('Expand', ({ dy }) => [() => dy], [0]),
  rule('Transpose', transposed),
  rule('Concat', concatenated),
  rule('Slice', sliced, [0]),
  rule('Split', splitted, [0]),
  rule('Gather', gathered, [0]),
  rule('ReduceSum', (call) => [() => spread(call)], [0]),
  rule(
    'ReduceMean',
    (call) => [
      () => {
        const { g, x, dy } = call;
        const ratio = elementCount(g.shape(dy)) / elementCount(g.shape(x[0]!));
        return g.scale(spread(call), ratio);
      },
    ],
    [0],
  ),
  rule('Softmax', (call) => [
    () => {
      const { g, y, dy } = call;
      const inner = g.reduceSum(g.mul(dy, y[0]!), [softmaxAxis(call)]);
      return g.mul(y[0]!, g.sub(dy, inner));
    },
  ]),
  rule('LogSoftmax', (call) => [
    () => {
      const { g, y, dy } = call;
      return g.sub(dy, g.mul(g.exp(y[0]!), g.reduceSum(dy, [softmaxAxis(call)])));
    },
  ]),
  rule(
    'Cast',
    ({ g, x, dy }) => [
      () => {
        const from = g.builder.type(x[0]!).dtype;
        return g.call('Cast', [dy], { to: int(from === 'float64' ? 11 : 1) });
      },
    ],
    [0],
  ),
];
