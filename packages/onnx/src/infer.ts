import { ProtocolError } from '@starling/core';
import { inferConv, inferConvTranspose, inferGlobalPool, inferPool } from './infer-spatial.ts';
import { MODEL_LIMITS } from './limits.ts';
import { broadcastShapes, elementCount, numbersOf } from './tensor.ts';
import {
  type DataType,
  intsAttribute,
  type Node,
  numberAttribute,
  type Tensor,
  type ValueType,
} from './types.ts';

/** What is known of an input: its type always, its value when it is a constant. */
export interface Known extends ValueType {
  readonly value?: Tensor;
}

/** Types of the outputs. An absent optional input is undefined. */
type InferenceRule = (call: InferenceCall) => readonly ValueType[];

/** One operator call with checked access to its inputs. */
export class InferenceCall {
  readonly node: Node;
  readonly #inputs: readonly (Known | undefined)[];
  constructor(node: Node, inputs: readonly (Known | undefined)[]) {
    this.node = node;
    this.#inputs = inputs;
  }

  input(index: number): Known {
    return this.#inputs[index] ?? this.fail(`input ${index} is missing`);
  }

  optional(index: number): Known | undefined {
    return this.#inputs[index];
  }

  get inputs(): readonly Known[] {
    return this.#inputs.map((_, i) => this.input(i));
  }

  /** Integers of a constant input. */
  constants(index: number): readonly number[] {
    const { value } = this.input(index);
    if (value === undefined) this.fail(`input ${index} (a shape, axes or bounds) is not constant`);
    return numbersOf(value);
  }

  /** `axis` counted from the front, checked. */
  axis(axis: number, rank: number): number {
    const at = axis < 0 ? axis + rank : axis;
    if (!Number.isInteger(at) || at < 0 || at >= rank) this.fail(`axis ${axis} of rank ${rank}`);
    return at;
  }

  axes(axes: readonly number[], rank: number): number[] {
    return axes.map((axis) => this.axis(axis, rank));
  }

  fail(message: string): never {
    throw new ProtocolError(
      'model-shape',
      `node "${this.node.name}" (${this.node.op}): ${message}`,
    );
  }
}

const same: InferenceRule = (call) => {
  const { dtype, shape } = call.input(0);
  return [{ dtype, shape }];
};

const broadcast =
  (dtype?: DataType, first = 0): InferenceRule =>
  (call) => {
    let shape: readonly number[] = [];
    for (const input of call.inputs) {
      shape =
        broadcastShapes(shape, input.shape) ??
        call.fail(`shapes [${shape}] and [${input.shape}] do not broadcast`);
    }
    return [{ dtype: dtype ?? call.input(first).dtype, shape }];
  };

/** Target of a Reshape: 0 copies a dimension, one −1 takes what is left. */
function reshapeTarget(call: InferenceCall): readonly number[] {
  const { shape } = call.input(0);
  const keepZero = numberAttribute(call.node, 'allowzero', 0) === 1;
  const target = call
    .constants(1)
    .map((dim, i) => (dim === 0 && !keepZero ? (shape[i] ?? call.fail('0 beyond rank')) : dim));
  const open = target.indexOf(-1);
  if (open >= 0) {
    const rest = target.reduce((product, dim, i) => (i === open ? product : product * dim), 1);
    target[open] = rest === 0 ? 0 : elementCount(shape) / rest;
  }
  const fits = target.every((dim) => Number.isInteger(dim) && dim >= 0);
  if (!fits || elementCount(target) !== elementCount(shape)) {
    call.fail(`[${shape}] does not reshape to [${call.constants(1)}]`);
  }
  return target;
}

function matmulShape(call: InferenceCall): readonly number[] {
  const [a, b] = [call.input(0).shape, call.input(1).shape];
  if (a.length === 0 || b.length === 0) call.fail('an operand is a scalar');
  const left = a.length === 1 ? [1, ...a] : a;
  const right = b.length === 1 ? [...b, 1] : b;
  const batch = broadcastShapes(left.slice(0, -2), right.slice(0, -2));
  if (batch === undefined || left.at(-1) !== right.at(-2)) call.fail(`[${a}] times [${b}]`);
  return [
    ...batch,
    ...(a.length === 1 ? [] : [left.at(-2)!]),
    ...(b.length === 1 ? [] : [right.at(-1)!]),
  ];
}

const gemm: InferenceRule = (call) => {
  const [a, b] = [call.input(0), call.input(1)];
  if (a.shape.length !== 2 || b.shape.length !== 2) call.fail('operands are not matrices');
  const transA = numberAttribute(call.node, 'transA', 0) !== 0;
  const transB = numberAttribute(call.node, 'transB', 0) !== 0;
  const [rows, inner] = transA ? [a.shape[1]!, a.shape[0]!] : [a.shape[0]!, a.shape[1]!];
  const [depth, columns] = transB ? [b.shape[1]!, b.shape[0]!] : [b.shape[0]!, b.shape[1]!];
  if (inner !== depth) call.fail(`[${a.shape}] times [${b.shape}]`);
  const c = call.optional(2);
  const shape = [rows, columns];
  if (c !== undefined && `${broadcastShapes(shape, c.shape)}` !== `${shape}`) {
    call.fail(`bias [${c.shape}] for [${shape}]`);
  }
  return [{ dtype: a.dtype, shape }];
};

const reduce: InferenceRule = (call) => {
  const { dtype, shape } = call.input(0);
  const given = call.optional(1) === undefined ? undefined : call.constants(1);
  const listed = given ?? intsAttribute(call.node, 'axes') ?? [];
  const none = listed.length === 0;
  if (none && numberAttribute(call.node, 'noop_with_empty_axes', 0) === 1)
    return [{ dtype, shape }];
  const axes = none ? shape.map((_, i) => i) : call.axes(listed, shape.length);
  const keep = numberAttribute(call.node, 'keepdims', 1) === 1;
  const reduced = shape.map((dim, i) => (axes.includes(i) ? 1 : dim));
  return [{ dtype, shape: keep ? reduced : reduced.filter((_, i) => !axes.includes(i)) }];
};

const concat: InferenceRule = (call) => {
  const first = call.input(0);
  const axis = call.axis(numberAttribute(call.node, 'axis', 0), first.shape.length);
  for (const { shape } of call.inputs) {
    const fits = shape.every((dim, i) => i === axis || dim === first.shape[i]);
    if (shape.length !== first.shape.length || !fits) {
      call.fail(`[${shape}] beside [${first.shape}] on axis ${axis}`);
    }
  }
  const total = call.inputs.reduce((sum, { shape }) => sum + shape[axis]!, 0);
  return [{ dtype: first.dtype, shape: first.shape.with(axis, total) }];
};

const gather: InferenceRule = (call) => {
  const { dtype, shape } = call.input(0);
  const axis = call.axis(numberAttribute(call.node, 'axis', 0), shape.length);
  const indices = call.input(1).shape;
  return [{ dtype, shape: [...shape.slice(0, axis), ...indices, ...shape.slice(axis + 1)] }];
};

/** Start, step and length along every axis that a Slice names. */
export function sliceRanges(call: InferenceCall) {
  const { shape } = call.input(0);
  const [starts, ends] = [call.constants(1), call.constants(2)];
  const axes = call.optional(3) === undefined ? starts.map((_, i) => i) : call.constants(3);
  const steps = call.optional(4) === undefined ? starts.map(() => 1) : call.constants(4);
  return starts.map((from, i) => {
    const axis = call.axis(axes[i] ?? Number.NaN, shape.length);
    const size = shape[axis]!;
    const step = steps[i]!;
    if (!step) call.fail('step 0');
    const to = ends[i] ?? call.fail('fewer ends than starts');
    const clamp = (at: number) => {
      const counted = at < 0 ? at + size : at;
      return step > 0
        ? Math.min(Math.max(counted, 0), size)
        : Math.min(Math.max(counted, -1), size - 1);
    };
    const start = clamp(from);
    return { axis, start, step, length: Math.max(0, Math.ceil((clamp(to) - start) / step)) };
  });
}

const slice: InferenceRule = (call) => {
  const { dtype, shape } = call.input(0);
  const out = [...shape];
  for (const { axis, length } of sliceRanges(call)) out[axis] = length;
  return [{ dtype, shape: out }];
};

const split: InferenceRule = (call) => {
  const { dtype, shape } = call.input(0);
  const axis = call.axis(numberAttribute(call.node, 'axis', 0), shape.length);
  const parts = call.node.outputs.length;
  const size = Math.ceil(shape[axis]! / parts);
  const even = Array.from({ length: parts }, (_, i) => Math.min(size, shape[axis]! - i * size));
  const sizes = call.optional(1) === undefined ? even : call.constants(1);
  const total = sizes.reduce((sum, part) => sum + part, 0);
  if (sizes.length !== parts || total !== shape[axis]) call.fail(`split [${sizes}] of [${shape}]`);
  return sizes.map((part) => ({ dtype, shape: shape.with(axis, part) }));
};

const transpose: InferenceRule = (call) => {
  const { dtype, shape } = call.input(0);
  const perm = intsAttribute(call.node, 'perm') ?? shape.map((_, i) => shape.length - 1 - i);
  if (new Set(perm).size !== shape.length) call.fail(`perm [${perm}] of rank ${shape.length}`);
  return [{ dtype, shape: perm.map((axis) => shape[call.axis(axis, shape.length)]!) }];
};

const squeeze: InferenceRule = (call) => {
  const { dtype, shape } = call.input(0);
  const ones = shape.flatMap((dim, i) => (dim === 1 ? [i] : []));
  const axes = call.optional(1) === undefined ? ones : call.axes(call.constants(1), shape.length);
  if (axes.some((axis) => shape[axis] !== 1)) call.fail(`axes [${axes}] of [${shape}]`);
  return [{ dtype, shape: shape.filter((_, i) => !axes.includes(i)) }];
};

const unsqueeze: InferenceRule = (call) => {
  const { dtype, shape } = call.input(0);
  const listed = call.constants(1);
  const axes = call.axes(listed, shape.length + listed.length);
  const rest = [...shape];
  const out = Array.from({ length: shape.length + axes.length }, (_, i) =>
    axes.includes(i) ? 1 : rest.shift()!,
  );
  return [{ dtype, shape: out }];
};

const flatten: InferenceRule = (call) => {
  const { dtype, shape } = call.input(0);
  const axis = numberAttribute(call.node, 'axis', 1);
  const at = axis < 0 ? axis + shape.length : axis;
  const rows = elementCount(shape.slice(0, at));
  return [{ dtype, shape: [rows, elementCount(shape.slice(at))] }];
};

const CAST_TYPES: ReadonlyMap<number, DataType> = new Map([
  [1, 'float32'],
  [2, 'uint8'],
  [3, 'int8'],
  [6, 'int32'],
  [7, 'int64'],
  [9, 'bool'],
  [11, 'float64'],
]);

const cast: InferenceRule = (call) => {
  const to = numberAttribute(call.node, 'to', 0);
  return [{ dtype: CAST_TYPES.get(to) ?? call.fail(`type ${to}`), shape: call.input(0).shape }];
};

/** A shape that foreign constants ask for: non-negative integers. */
function askedShape(call: InferenceCall, index: number): readonly number[] {
  const shape = call.constants(index);
  if (shape.some((dim) => !Number.isInteger(dim) || dim < 0)) call.fail(`shape [${shape}]`);
  return shape;
}

const expand: InferenceRule = (call) => {
  const { dtype, shape } = call.input(0);
  const asked = askedShape(call, 1);
  return [{ dtype, shape: broadcastShapes(shape, asked) ?? call.fail(`[${shape}] to [${asked}]`) }];
};

const pad: InferenceRule = (call) => {
  const { dtype, shape } = call.input(0);
  const pads = call.constants(1);
  if (pads.length !== 2 * shape.length) call.fail(`pads [${pads}] of rank ${shape.length}`);
  const out = shape.map((dim, i) => dim + pads[i]! + pads[shape.length + i]!);
  if (out.some((dim) => dim < 0)) call.fail(`pads [${pads}] of [${shape}]`);
  return [{ dtype, shape: out }];
};

const argument: InferenceRule = (call) => {
  const { shape } = call.input(0);
  const axis = call.axis(numberAttribute(call.node, 'axis', 0), shape.length);
  const keep = numberAttribute(call.node, 'keepdims', 1) === 1;
  return [{ dtype: 'int64', shape: keep ? shape.with(axis, 1) : shape.toSpliced(axis, 1) }];
};

const range: InferenceRule = (call) => {
  const [start, limit, step] = [0, 1, 2].map((i) => call.constants(i)[0] ?? Number.NaN);
  const length = Math.max(0, Math.ceil((limit! - start!) / step!));
  if (!Number.isFinite(length)) call.fail('no finite range');
  return [{ dtype: call.input(0).dtype, shape: [length] }];
};

const rules = (names: string, rule: InferenceRule) =>
  names.split(' ').map((name): [string, InferenceRule] => [name, rule]);

const RULES: ReadonlyMap<string, InferenceRule> = new Map<string, InferenceRule>([
  ...rules('Relu LeakyRelu Elu Sigmoid HardSigmoid HardSwish Tanh Softplus Exp Log Sqrt', same),
  ...rules('Neg Abs Erf Sin Cos Reciprocal Floor Ceil Sign Softmax LogSoftmax Identity', same),
  ...rules('Clip Dropout CumSum Not', same),
  ...rules('Add Sub Mul Div Pow PRelu Max Min Sum And Or', broadcast()),
  ...rules('Equal Greater GreaterOrEqual Less LessOrEqual', broadcast('bool')),
  ['Where', broadcast(undefined, 1)],
  ['MatMul', (call) => [{ dtype: call.input(0).dtype, shape: matmulShape(call) }]],
  ['Gemm', gemm],
  ['Conv', (call) => [inferConv(call)]],
  ['ConvTranspose', (call) => [inferConvTranspose(call)]],
  ...rules('MaxPool AveragePool', (call) => [inferPool(call)]),
  ...rules('GlobalAveragePool', (call) => [inferGlobalPool(call)]),
  ...rules('ReduceSum ReduceMean ReduceMax ReduceMin ReduceProd', reduce),
  ['Reshape', (call) => [{ dtype: call.input(0).dtype, shape: reshapeTarget(call) }]],
  ['Flatten', flatten],
  ['Transpose', transpose],
  ['Squeeze', squeeze],
  ['Unsqueeze', unsqueeze],
  ['Concat', concat],
  ['Gather', gather],
  ['Slice', slice],
  ['Split', split],
  ['Pad', pad],
  ['Expand', expand],
  ['Cast', cast],
  ...rules('ArgMax ArgMin', argument),
  ['Shape', (call) => [{ dtype: 'int64', shape: [call.input(0).shape.length] }]],
  ['Size', () => [{ dtype: 'int64', shape: [] }]],
  ['Range', range],
  [
    'ConstantOfShape',
    (call) => {
      const value = call.node.attributes.get('value');
      const dtype = value?.kind === 'tensor' ? value.value.dtype : 'float32';
      return [{ dtype, shape: askedShape(call, 0) }];
    },
  ],
]);

/** Least and largest number of inputs, where it is not exactly one. */
const ARITIES = new Map<string, readonly [least: number, most: number]>([
  ...'Add Sub Mul Div Pow PRelu And Or MatMul Gather Expand Reshape Unsqueeze CumSum'
    .concat(' Equal Greater GreaterOrEqual Less LessOrEqual')
    .split(' ')
    .map((op) => [op, [2, 2]] as const),
  ...['Where', 'Range'].map((op) => [op, [3, 3]] as const),
  ...['Gemm', 'Conv', 'ConvTranspose'].map((op) => [op, [2, 3]] as const),
  ...['Squeeze', 'Split', 'ReduceSum'].map((op) => [op, [1, 2]] as const),
  ...['Max', 'Min', 'Sum', 'Concat'].map((op) => [op, [1, MODEL_LIMITS.aritiesMax]] as const),
  ['Clip', [1, 3]],
  ['Slice', [3, 5]],
  ['Pad', [2, 3]],
]);

/** Operators that a graph may hold: the allow-list for foreign models (decision 5). */
export const KNOWN_OPERATORS: ReadonlySet<string> = new Set([...RULES.keys(), 'Constant']);

/**
 * Types of a node's outputs.
 * @throws ProtocolError `unsupported-operator` or `model-shape`, naming the node
 */
export function inferNode(
  node: Node,
  inputs: readonly (Known | undefined)[],
): readonly ValueType[] {
  const rule = RULES.get(node.op);
  if (rule === undefined) {
    throw new ProtocolError(
      'unsupported-operator',
      `node "${node.name}": operator ${node.op} is not supported`,
    );
  }
  const call = new InferenceCall(node, inputs);
  const [least, most] = ARITIES.get(node.op) ?? [1, 1];
  if (inputs.length > most) call.fail(`${inputs.length} inputs, at most ${most}`);
  for (let i = 0; i < least; i++) call.input(i);
  const types = rule(call);
  if (types.length !== node.outputs.length) {
    call.fail(`${node.outputs.length} outputs, expected ${types.length}`);
  }
  return types;
}
