import {
  InferenceCall,
  int,
  intsAttribute,
  type Node,
  numberAttribute,
  sliceRanges,
} from '@starling/onnx';
import { type Gradient, type GradientCall, type RuleEntry, rule } from './rule.ts';

/** Operators that only rename positions: the gradient takes the input's shape back. */
const reshaped = ({ g, x, dy }: GradientCall) => [() => g.reshape(dy, g.shape(x[0]!))];

const frontAxis = (axis: number, rank: number) => (axis < 0 ? axis + rank : axis);

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

/** What a Slice took goes back to where it was; of a cut along one axis the walker places it. */
function sliced({ g, node, x, dy }: GradientCall): readonly Gradient[] {
  return [
    () => {
      const shape = g.shape(x[0]!);
      const inputs = x.map((name) => g.builder.known(name));
      const ranges = sliceRanges(new InferenceCall(node, inputs));
      const cut = ranges.filter(({ axis, step, length }) => step !== 1 || length < shape[axis]!);
      if (cut.some(({ length }) => length === 0)) return g.zeros(shape);
      const begin = shape.map(() => 0);
      let value = dy;
      for (const { axis, start, step, length } of cut) {
        value = interleaved(g, value, axis, step);
        begin[axis] = step > 0 ? start : start + (length - 1) * step;
      }
      const axis = cut[0]?.axis ?? 0;
      if (cut.length === 1) return { kind: 'piece', value, axis, start: begin[axis]! };
      const end = shape.map((dim, i) => dim - begin[i]! - g.shape(value)[i]!);
      return g.pad(value, begin, end);
    },
  ];
}

/** Elements along `axis` at distance |step|, in reverse order when the step is negative. */
function interleaved(g: GradientCall['g'], value: string, axis: number, step: number): string {
  const shape = g.shape(value);
  const count = shape[axis]!;
  const gap = Math.abs(step);
  const ascending = step > 0 ? value : g.reverse(value, axis);
  if (gap === 1 || count === 1) return ascending;
  const column = g.reshape(ascending, shape.toSpliced(axis + 1, 0, 1));
  const none = g.shape(column).map(() => 0);
  const spread = g.reshape(
    g.pad(column, none, none.with(axis + 1, gap - 1)),
    shape.with(axis, count * gap),
  );
  return g.slice(spread, [{ axis, start: 0, end: (count - 1) * gap + 1 }]);
}

function splitted({ g, node, x, dys }: GradientCall) {
  const axis = frontAxis(numberAttribute(node, 'axis', 0), g.shape(x[0]!).length);
  return [() => g.concat(dys, axis)];
}

/** Copies side by side: each axis that was repeated becomes two, and the copies are summed. */
function tiled({ g, x, dy }: GradientCall) {
  return [
    () => {
      const shape = g.shape(x[0]!);
      const repeats = g.shape(dy).map((dim, i) => (shape[i] === 0 ? 1 : dim / shape[i]!));
      if (repeats.includes(0)) return g.zeros(shape);
      const split = shape.flatMap((dim, i) => (repeats[i] === 1 ? [dim] : [repeats[i]!, dim]));
      let at = 0;
      const axes = repeats.flatMap((count) => {
        at += count === 1 ? 1 : 2;
        return count === 1 ? [] : [at - 2];
      });
      return g.reduceSum(g.reshape(dy, split), axes, false);
    },
  ];
}

/** Element types, as numbers of the file format, that carry gradients. */
const FLOAT_TYPES: readonly number[] = [1, 11];

/** A cast to integers or truth values is a step: no gradient flows. */
const castInputs = (node: Node) =>
  FLOAT_TYPES.includes(numberAttribute(node, 'to', 0)) ? [0] : [];

/** Operators that move or repeat elements. */
export const shapeRules: readonly RuleEntry[] = [
  ...['Reshape', 'Squeeze', 'Unsqueeze'].map((op) => rule(op, reshaped, [0])),
  rule('Flatten', reshaped),
  rule('Identity', ({ dy }) => [() => dy]),
  rule('Expand', ({ dy }) => [() => dy], [0]),
  rule('Transpose', transposed),
  rule('Concat', concatenated),
  rule('Slice', sliced, [0]),
  rule('Split', splitted, [0]),
  rule('Tile', tiled, [0]),
  rule(
    'Cast',
    ({ g, x, dy }) => [
      () => {
        const from = g.builder.type(x[0]!).dtype;
        return g.call('Cast', [dy], { to: int(from === 'float64' ? 11 : 1) });
      },
    ],
    castInputs,
  ),
];
