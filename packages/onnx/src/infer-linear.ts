import { type EinsumPlan, planEinsum } from './einsum.ts';
import type { InferenceCall, InferenceEntry, InferenceRule } from './inference.ts';
import { MODEL_LIMITS } from './limits.ts';
import { broadcastShapes } from './tensor.ts';
import { numberAttribute, textAttribute } from './types.ts';

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

const matmul: InferenceRule = (call) => {
  sameTypes(call);
  return [{ dtype: call.input(0).dtype, shape: matmulShape(call) }];
};

function sameTypes(call: InferenceCall): void {
  const { dtype } = call.input(0);
  const other = call.inputs.find((input) => input.dtype !== dtype);
  if (other !== undefined) call.fail(`operands of ${dtype} and ${other.dtype}`);
}

const gemm: InferenceRule = (call) => {
  const [a, b] = [call.input(0), call.input(1)];
  if (a.shape.length !== 2 || b.shape.length !== 2) call.fail('operands are not matrices');
  if (a.dtype !== b.dtype) call.fail(`operands of ${a.dtype} and ${b.dtype}`);
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

/** The equation of an Einsum node against its operands, checked. */
export function einsumPlan(call: InferenceCall): EinsumPlan {
  const equation = textAttribute(call.node, 'equation', '');
  const plan = planEinsum(
    equation,
    call.inputs.map(({ shape }) => shape),
  );
  return typeof plan === 'string' ? call.fail(plan) : plan;
}

const einsum: InferenceRule = (call) => {
  sameTypes(call);
  const { output, sizes } = einsumPlan(call);
  return [{ dtype: call.input(0).dtype, shape: output.map((label) => sizes[label]!) }];
};

/** Products of matrices and of tensors. */
export const linearEntries: readonly InferenceEntry[] = [
  ['MatMul', matmul, [2, 2]],
  ['Gemm', gemm, [2, 3]],
  ['Einsum', einsum, [1, MODEL_LIMITS.aritiesMax]],
];
