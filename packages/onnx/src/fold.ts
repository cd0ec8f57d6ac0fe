import { InferenceCall, type Known, sliceRanges } from './infer.ts';
import { MODEL_LIMITS } from './limits.ts';
import { elementCount, int64s, numbersOf, stridesOf, tensorOf } from './tensor.ts';
import { intsAttribute, type Node, numberAttribute, type Tensor, type ValueType } from './types.ts';

type Elementwise = (...values: number[]) => number;
/** Values of the first output, given constant inputs and the output's type. */
type FoldRule = (call: InferenceCall, output: ValueType) => readonly number[];

const truth = (value: boolean) => (value ? 1 : 0);

const ELEMENTWISE: ReadonlyMap<string, Elementwise> = new Map<string, Elementwise>([
  ['Add', (a, b) => a! + b!],
  ['Sub', (a, b) => a! - b!],
  ['Mul', (a, b) => a! * b!],
  ['Div', (a, b) => a! / b!],
  ['Max', (...all) => Math.max(...all)],
  ['Min', (...all) => Math.min(...all)],
  ['Neg', (a) => -a!],
  ['Abs', (a) => Math.abs(a!)],
  ['Floor', (a) => Math.floor(a!)],
  ['Ceil', (a) => Math.ceil(a!)],
  ['Sqrt', (a) => Math.sqrt(a!)],
  ['Not', (a) => truth(a === 0)],
  ['And', (a, b) => truth(a !== 0 && b !== 0)],
  ['Or', (a, b) => truth(a !== 0 || b !== 0)],
  ['Equal', (a, b) => truth(a === b)],
  ['Greater', (a, b) => truth(a! > b!)],
  ['Less', (a, b) => truth(a! < b!)],
  ['Where', (condition, a, b) => (condition !== 0 ? a! : b!)],
  ['Expand', (a) => a!],
]);

const values = (call: InferenceCall, index: number) => numbersOf(call.input(index).value!);
const copy: FoldRule = (call) => values(call, 0);

function elementwise(apply: Elementwise, call: InferenceCall, { shape }: ValueType): number[] {
  const count = elementCount(shape);
  // Expand's second input is a shape, not an operand.
  const operands = call.node.op === 'Expand' ? [call.input(0)] : call.inputs;
  const views = operands.map((input) => ({
    data: numbersOf(input.value!),
    at: broadcastIndex(input.shape, shape),
  }));
  return Array.from({ length: count }, (_, i) =>
    apply(...views.map(({ data, at }) => data[at(i)]!)),
  );
}

/** Where element `i` of a tensor of shape `to` comes from in one of shape `from`. */
function broadcastIndex(from: readonly number[], to: readonly number[]) {
  const outer = stridesOf(to);
  const inner = stridesOf(from);
  const shift = to.length - from.length;
  return (i: number) =>
    from.reduce((at, dim, axis) => {
      if (dim === 1) return at;
      const position = Math.floor(i / outer[axis + shift]!) % to[axis + shift]!;
      return at + position * inner[axis]!;
    }, 0);
}

/** Reads `data` through per-axis source positions: `pick(axis, position in the output)`. */
function picked(
  data: readonly number[],
  from: readonly number[],
  to: readonly number[],
  pick: (axis: number, position: number) => { axis: number; position: number },
): number[] {
  const outer = stridesOf(to);
  const inner = stridesOf(from);
  return Array.from({ length: elementCount(to) }, (_, i) => {
    let at = 0;
    for (let axis = 0; axis < to.length; axis++) {
      const source = pick(axis, Math.floor(i / outer[axis]!) % to[axis]!);
      at += source.position * inner[source.axis]!;
    }
    return data[at]!;
  });
}

const transpose: FoldRule = (call, output) => {
  const { shape } = call.input(0);
  const perm = intsAttribute(call.node, 'perm') ?? shape.map((_, i) => shape.length - 1 - i);
  return picked(values(call, 0), shape, output.shape, (axis, position) => ({
    axis: perm[axis]!,
    position,
  }));
};

const slice: FoldRule = (call, output) => {
  const ranges = new Map(sliceRanges(call).map((range) => [range.axis, range]));
  return picked(values(call, 0), call.input(0).shape, output.shape, (axis, position) => {
    const range = ranges.get(axis);
    return { axis, position: range ? range.start + position * range.step : position };
  });
};

const gather: FoldRule = (call) => {
  const { shape } = call.input(0);
  const axis = call.axis(numberAttribute(call.node, 'axis', 0), shape.length);
  const [data, indices] = [values(call, 0), values(call, 1)];
  const [outer, size] = [elementCount(shape.slice(0, axis)), shape[axis]!];
  const inner = elementCount(shape.slice(axis + 1));
  const out: number[] = [];
  for (let i = 0; i < outer; i++) {
    for (const index of indices) {
      const at = index < 0 ? index + size : index;
      if (!(at >= 0 && at < size)) call.fail(`index ${index} of ${size}`);
      const start = (i * size + at) * inner;
      for (let j = 0; j < inner; j++) out.push(data[start + j]!);
    }
  }
  return out;
};

const concat: FoldRule = (call) => {
  const { shape } = call.input(0);
  const axis = call.axis(numberAttribute(call.node, 'axis', 0), shape.length);
  const outer = elementCount(shape.slice(0, axis));
  const parts = call.inputs.map((input) => numbersOf(input.value!));
  return Array.from({ length: outer }, (_, i) =>
    parts.flatMap((part) => part.slice((i * part.length) / outer, ((i + 1) * part.length) / outer)),
  ).flat();
};

const FOLDS: ReadonlyMap<string, FoldRule> = new Map<string, FoldRule>([
  ...[...ELEMENTWISE].map(([op, apply]): [string, FoldRule] => [
    op,
    (call, output) => elementwise(apply, call, output),
  ]),
  ...['Cast', 'Identity', 'Reshape', 'Flatten', 'Squeeze', 'Unsqueeze'].map(
    (op): [string, FoldRule] => [op, copy],
  ),
  ['Transpose', transpose],
  ['Slice', slice],
  ['Gather', gather],
  ['Concat', concat],
  [
    'Range',
    (call, { shape }) => {
      const [start, , step] = [0, 1, 2].map((i) => call.constants(i)[0]!);
      return Array.from({ length: shape[0]! }, (_, i) => start! + i * step!);
    },
  ],
  [
    'ConstantOfShape',
    (call, { shape }) => {
      const attribute = call.node.attributes.get('value');
      const fill = attribute?.kind === 'tensor' ? (numbersOf(attribute.value)[0] ?? 0) : 0;
      return new Array<number>(elementCount(shape)).fill(fill);
    },
  ],
]);

/**
 * The value of a node's only output when it follows from constants and is small, else undefined.
 * Shape and Size follow from types alone.
 */
export function foldNode(
  node: Node,
  inputs: readonly (Known | undefined)[],
  outputs: readonly ValueType[],
): Tensor | undefined {
  const output = outputs[0];
  if (output === undefined || outputs.length !== 1) return undefined;
  const call = new InferenceCall(node, inputs);
  if (node.op === 'Shape') return int64s(shapePart(call));
  if (node.op === 'Size') return tensorOf('int64', [], [elementCount(call.input(0).shape)]);
  const rule = FOLDS.get(node.op);
  const constant = inputs.every((input) => input?.value !== undefined);
  if (rule === undefined || !constant) return undefined;
  const sizes = [output, ...inputs].map((type) => elementCount(type!.shape));
  if (Math.max(...sizes) > MODEL_LIMITS.foldElementsMax) return undefined;
  return tensorOf(output.dtype, output.shape, finish(output, rule(call, output)));
}

/** Shape's optional range of dimensions (opset 15). */
function shapePart(call: InferenceCall): readonly number[] {
  const { shape } = call.input(0);
  const start = numberAttribute(call.node, 'start', 0);
  return shape.slice(start, numberAttribute(call.node, 'end', shape.length));
}

/** Integer division truncates, and a cast to bool asks for non-zero. */
function finish({ dtype }: ValueType, numbers: readonly number[]): readonly number[] {
  if (dtype === 'bool') return numbers.map((value) => truth(value !== 0));
  if (dtype === 'float32' || dtype === 'float64') return numbers;
  return numbers.map((value) => (Number.isFinite(value) ? Math.trunc(value) : 0));
}
