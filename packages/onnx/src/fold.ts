import { type FoldRule, indexingFolds, values } from './fold-indexing.ts';
import { shapePart } from './infer-shape.ts';
import { InferenceCall, type Known } from './inference.ts';
import { MODEL_LIMITS } from './limits.ts';
import { elementCount, int64s, numbersOf, stridesOf, tensorOf } from './tensor.ts';
import { intsAttribute, type Node, numberAttribute, type Tensor, type ValueType } from './types.ts';

type Elementwise = (...values: number[]) => number;

const truth = (value: boolean) => (value ? 1 : 0);

const ELEMENTWISE: ReadonlyMap<string, Elementwise> = new Map<string, Elementwise>([
  ['Add', (a, b) => a! + b!],
  ['Sub', (a, b) => a! - b!],
  ['Mul', (a, b) => a! * b!],
  ['Div', (a, b) => a! / b!],
  ['Pow', (a, b) => a! ** b!],
  ['Max', (...all) => Math.max(...all)],
  ['Min', (...all) => Math.min(...all)],
  ['Sum', (...all) => all.reduce((sum, value) => sum + value, 0)],
  ['Neg', (a) => -a!],
  ['Abs', (a) => Math.abs(a!)],
  ['Sign', (a) => Math.sign(a!)],
  ['Floor', (a) => Math.floor(a!)],
  ['Ceil', (a) => Math.ceil(a!)],
  ['Sqrt', (a) => Math.sqrt(a!)],
  ['Reciprocal', (a) => 1 / a!],
  ['Not', (a) => truth(a === 0)],
  ['And', (a, b) => truth(a !== 0 && b !== 0)],
  ['Or', (a, b) => truth(a !== 0 || b !== 0)],
  ['Xor', (a, b) => truth((a !== 0) !== (b !== 0))],
  ['Equal', (a, b) => truth(a === b)],
  ['Greater', (a, b) => truth(a! > b!)],
  ['GreaterOrEqual', (a, b) => truth(a! >= b!)],
  ['Less', (a, b) => truth(a! < b!)],
  ['LessOrEqual', (a, b) => truth(a! <= b!)],
  ['Where', (condition, a, b) => (condition !== 0 ? a! : b!)],
  ['Expand', (a) => a!],
]);

function elementwise(apply: Elementwise): FoldRule {
  return (call, { shape }) => {
    // Expand's second input is a shape, not an operand.
    const operands = call.node.op === 'Expand' ? [call.input(0)] : call.inputs;
    const views = operands.map((input) => ({
      data: numbersOf(input.value!),
      at: broadcastIndex(input.shape, shape),
    }));
    const element = (_: unknown, i: number) => apply(...views.map(({ data, at }) => data[at(i)]!));
    return [Array.from({ length: elementCount(shape) }, element)];
  };
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

/** The remainder has the divisor's sign, or with `fmod` the dividend's. */
const modulo: FoldRule = (call, output, outputs) => {
  const fmod = numberAttribute(call.node, 'fmod', 0) === 1;
  const remainder = (a: number, b: number) => (fmod ? a % b : a - b * Math.floor(a / b));
  return elementwise((a, b) => remainder(a!, b!))(call, output, outputs);
};

/** Element by element into the place that is left when the reduced axes count 1. */
function reduction(start: number, join: Elementwise): FoldRule {
  return (call, output) => {
    const { shape } = call.input(0);
    const listed = intsAttribute(call.node, 'axes') ?? (call.optional(1) ? call.list(1) : []);
    const axes = listed.length === 0 ? shape.map((_, i) => i) : call.axes(listed, shape.length);
    const kept = shape.map((dim, i) => (axes.includes(i) ? 1 : dim));
    const out = new Array<number>(elementCount(output.shape)).fill(start);
    const at = broadcastIndex(kept, shape);
    for (const [i, value] of values(call, 0).entries()) out[at(i)] = join(out[at(i)]!, value);
    return [out];
  };
}

const copy: FoldRule = (call) => [values(call, 0)];

const FOLDS: ReadonlyMap<string, FoldRule> = new Map<string, FoldRule>([
  ...[...ELEMENTWISE].map(([op, apply]): [string, FoldRule] => [op, elementwise(apply)]),
  ...['Cast', 'Identity', 'Reshape', 'Flatten', 'Squeeze', 'Unsqueeze'].map(
    (op): [string, FoldRule] => [op, copy],
  ),
  ['Mod', modulo],
  ['ReduceSum', reduction(0, (sum, value) => sum! + value!)],
  ['ReduceProd', reduction(1, (product, value) => product! * value!)],
  ['ReduceMax', reduction(-Infinity, (most, value) => Math.max(most!, value!))],
  ['ReduceMin', reduction(Infinity, (least, value) => Math.min(least!, value!))],
  ...indexingFolds,
]);

/** Operators whose value follows from the types of their inputs alone. */
const FROM_TYPES: ReadonlyMap<string, (call: InferenceCall, output: ValueType) => Tensor> = new Map(
  [
    ['Shape', (call) => int64s(shapePart(call))],
    ['Size', (call) => tensorOf('int64', [], [elementCount(call.input(0).shape)])],
    ['EyeLike', identityMatrix],
  ],
);

function identityMatrix(call: InferenceCall, { dtype, shape }: ValueType): Tensor {
  const k = numberAttribute(call.node, 'k', 0);
  const columns = shape[1]!;
  const cell = (_: unknown, i: number) => truth((i % columns) - Math.floor(i / columns) === k);
  return tensorOf(dtype, shape, Array.from({ length: elementCount(shape) }, cell));
}

/**
 * The values of a node's outputs when they follow from constants, or from types alone, and are
 * small; else undefined.
 */
export function foldNode(
  node: Node,
  inputs: readonly (Known | undefined)[],
  outputs: readonly ValueType[],
): readonly Tensor[] | undefined {
  const output = outputs[0];
  if (output === undefined) return undefined;
  const sizes = outputs.map(({ shape }) => elementCount(shape));
  if (Math.max(...sizes) > MODEL_LIMITS.foldElementsMax) return undefined;
  const call = new InferenceCall(node, inputs);
  const typed = FROM_TYPES.get(node.op);
  if (typed !== undefined) return [typed(call, output)];
  const rule = FOLDS.get(node.op);
  const known = inputs.every((input) => {
    return input === undefined || (input.value?.data.length ?? Infinity) <= FOLD_INPUT_MAX;
  });
  if (rule === undefined || !known) return undefined;
  const found = rule(call, output, outputs);
  return outputs.map((type, i) => tensorOf(type.dtype, type.shape, finish(type, found[i]!)));
}

const FOLD_INPUT_MAX = MODEL_LIMITS.foldElementsMax;

/** Integer division truncates, and a cast to bool asks for non-zero. */
function finish({ dtype }: ValueType, numbers: readonly number[]): readonly number[] {
  if (dtype === 'bool') return numbers.map((value) => truth(value !== 0));
  if (dtype === 'float32' || dtype === 'float64') return numbers;
  return numbers.map((value) => (Number.isFinite(value) ? Math.trunc(value) : 0));
}
