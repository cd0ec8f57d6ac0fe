import type { InferenceCall, InferenceEntry, InferenceRule } from './inference.ts';
import { MODEL_LIMITS } from './limits.ts';
import { broadcastShapes, elementCount } from './tensor.ts';
import { DATA_TYPES, ELEMENT_TYPES, intsAttribute, type Node, numberAttribute } from './types.ts';

/** Target of a Reshape: 0 copies a dimension, one −1 takes what is left. */
function reshapeTarget(call: InferenceCall): readonly number[] {
  const { shape } = call.input(0);
  const keepZero = numberAttribute(call.node, 'allowzero', 0) === 1;
  const target = call
    .list(1)
    .map((dim, i) => (dim === 0 && !keepZero ? (shape[i] ?? call.fail('0 beyond rank')) : dim));
  const open = target.indexOf(-1);
  if (open >= 0) {
    const rest = target.reduce((product, dim, i) => (i === open ? product : product * dim), 1);
    target[open] = rest === 0 ? 0 : elementCount(shape) / rest;
  }
  const fits = target.every((dim) => Number.isInteger(dim) && dim >= 0);
  if (!fits || elementCount(target) !== elementCount(shape)) {
    call.fail(`[${shape}] does not reshape to [${call.list(1)}]`);
  }
  return target;
}

const reshape: InferenceRule = (call) => [
  { dtype: call.input(0).dtype, shape: reshapeTarget(call) },
];

const concat: InferenceRule = (call) => {
  const first = call.input(0);
  const axis = call.axis(numberAttribute(call.node, 'axis', 0), first.shape.length);
  for (const { dtype, shape } of call.inputs) {
    const fits = shape.every((dim, i) => i === axis || dim === first.shape[i]);
    if (shape.length !== first.shape.length || !fits) {
      call.fail(`[${shape}] beside [${first.shape}] on axis ${axis}`);
    }
    if (dtype !== first.dtype) call.fail(`${dtype} beside ${first.dtype}`);
  }
  const total = call.inputs.reduce((sum, { shape }) => sum + shape[axis]!, 0);
  return [{ dtype: first.dtype, shape: first.shape.with(axis, total) }];
};

/** Positions that a slice takes along one axis: `start`, `start + step`, … */
export interface SliceRange {
  readonly axis: number;
  readonly start: number;
  readonly step: number;
  readonly length: number;
}

/** Start, step and length along every axis that a Slice names. */
export function sliceRanges(call: InferenceCall): readonly SliceRange[] {
  const { shape } = call.input(0);
  const [starts, ends] = [call.list(1), call.list(2)];
  const listed = call.optional(3) === undefined ? starts.map((_, i) => i) : call.list(3);
  const steps = call.optional(4) === undefined ? starts.map(() => 1) : call.list(4);
  const axes = call.axes(listed, shape.length);
  if (new Set([starts, ends, axes, steps].map((list) => list.length)).size !== 1) {
    call.fail(`${starts.length} starts, ${ends.length} ends, ${axes.length} axes`);
  }
  return axes.map((axis, i) => {
    const size = shape[axis]!;
    const step = steps[i]!;
    if (step === 0) call.fail('step 0');
    const clamp = (at: number, low: number, high: number) =>
      Math.max(low, Math.min(at < 0 ? at + size : at, high));
    const start = step > 0 ? clamp(starts[i]!, 0, size) : clamp(starts[i]!, 0, size - 1);
    const end = step > 0 ? clamp(ends[i]!, 0, size) : clamp(ends[i]!, -1, size - 1);
    // With no element, `start` may lie before an axis of size 0.
    return { axis, start, step, length: Math.max(0, Math.ceil((end - start) / step)) };
  });
}

const slice: InferenceRule = (call) => {
  const { dtype, shape } = call.input(0);
  const out = [...shape];
  for (const { axis, length } of sliceRanges(call)) out[axis] = length;
  return [{ dtype, shape: out }];
};

/** Sizes along the axis of a Split: equal, the last one smaller, where none are given. */
export function splitSizes(call: InferenceCall): readonly number[] {
  const { shape } = call.input(0);
  const axis = call.axis(numberAttribute(call.node, 'axis', 0), shape.length);
  const parts = call.node.outputs.length;
  const asked = numberAttribute(call.node, 'num_outputs', parts);
  if (asked !== parts) call.fail(`${parts} outputs, num_outputs is ${asked}`);
  const size = Math.ceil(shape[axis]! / parts);
  const even = Array.from({ length: parts }, (_, i) => Math.min(size, shape[axis]! - i * size));
  if ((call.optional(1)?.shape[0] ?? 0) > MODEL_LIMITS.aritiesMax) call.fail('too many parts');
  const sizes = call.optional(1) === undefined ? even : call.constants(1);
  const total = sizes.reduce((sum, part) => sum + part, 0);
  const fits = sizes.length === parts && total === shape[axis] && sizes.every((part) => part >= 0);
  if (!fits) call.fail(`split [${sizes}] of [${shape}] on axis ${axis} into ${parts}`);
  return sizes;
}

const split: InferenceRule = (call) => {
  const { dtype, shape } = call.input(0);
  const axis = call.axis(numberAttribute(call.node, 'axis', 0), shape.length);
  return splitSizes(call).map((part) => ({ dtype, shape: shape.with(axis, part) }));
};

/** Where each output axis of a Transpose comes from; the axes reversed when none are named. */
export function permutationOf(node: Node, rank: number): readonly number[] {
  return intsAttribute(node, 'perm') ?? Array.from({ length: rank }, (_, i) => rank - 1 - i);
}

const transpose: InferenceRule = (call) => {
  const { dtype, shape } = call.input(0);
  const perm = permutationOf(call.node, shape.length);
  const distinct = new Set(perm).size === shape.length && perm.length === shape.length;
  if (!distinct || perm.some((axis) => shape[axis] === undefined)) {
    call.fail(`perm [${perm.slice(0, 16)}] of rank ${shape.length}`);
  }
  return [{ dtype, shape: perm.map((axis) => shape[axis]!) }];
};

const squeeze: InferenceRule = (call) => {
  const { dtype, shape } = call.input(0);
  const ones = shape.flatMap((dim, i) => (dim === 1 ? [i] : []));
  const axes = call.optional(1) === undefined ? ones : call.axes(call.list(1), shape.length);
  if (axes.some((axis) => shape[axis] !== 1)) call.fail(`axes [${axes}] of [${shape}]`);
  return [{ dtype, shape: shape.filter((_, i) => !axes.includes(i)) }];
};

const unsqueeze: InferenceRule = (call) => {
  const { dtype, shape } = call.input(0);
  const listed = call.list(1);
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
  // An axis may stand behind the last: then all is rows.
  const at = axis === shape.length ? axis : call.axis(axis, shape.length);
  const rows = elementCount(shape.slice(0, at));
  return [{ dtype, shape: [rows, elementCount(shape.slice(at))] }];
};

const cast: InferenceRule = (call) => {
  const to = numberAttribute(call.node, 'to', 0);
  const dtype = DATA_TYPES.find((type) => ELEMENT_TYPES[type] === to);
  return [
    {
      dtype: dtype ?? call.fail(`element type ${to} is not supported`),
      shape: call.input(0).shape,
    },
  ];
};

/** A shape that foreign constants ask for: non-negative integers, not more than memory. */
export function askedShape(call: InferenceCall, index: number): readonly number[] {
  const shape = call.list(index);
  if (shape.some((dim) => !Number.isInteger(dim) || dim < 0)) call.fail(`shape [${shape}]`);
  return shape;
}

const expand: InferenceRule = (call) => {
  const { dtype, shape } = call.input(0);
  const asked = askedShape(call, 1);
  return [{ dtype, shape: broadcastShapes(shape, asked) ?? call.fail(`[${shape}] to [${asked}]`) }];
};

const tile: InferenceRule = (call) => {
  const { dtype, shape } = call.input(0);
  const repeats = askedShape(call, 1);
  if (repeats.length !== shape.length) call.fail(`repeats [${repeats}] of [${shape}]`);
  return [{ dtype, shape: shape.map((dim, i) => dim * repeats[i]!) }];
};

/** The dimensions that a Shape node with a range (opset 15) answers. */
export function shapePart(call: InferenceCall): readonly number[] {
  const { shape } = call.input(0);
  const start = numberAttribute(call.node, 'start', 0);
  return shape.slice(start, numberAttribute(call.node, 'end', shape.length));
}

/** Operators that rename, cut, join or repeat positions. */
export const shapeEntries: readonly InferenceEntry[] = [
  ['Reshape', reshape, [2, 2]],
  ['Flatten', flatten],
  ['Transpose', transpose],
  ['Squeeze', squeeze, [1, 2]],
  ['Unsqueeze', unsqueeze, [2, 2]],
  ['Concat', concat, [1, MODEL_LIMITS.aritiesMax]],
  ['Slice', slice, [3, 5]],
  ['Split', split, [1, 2]],
  ['Expand', expand, [2, 2]],
  ['Tile', tile, [2, 2]],
  ['Cast', cast],
  ['Shape', (call) => [{ dtype: 'int64', shape: [shapePart(call).length] }]],
  ['Size', () => [{ dtype: 'int64', shape: [] }]],
];
