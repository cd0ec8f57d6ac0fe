import type { InferenceCall } from './infer.ts';
import { MODEL_LIMITS } from './limits.ts';
import { elementCount } from './tensor.ts';
import {
  intsAttribute,
  type Node,
  numberAttribute,
  textAttribute,
  type ValueType,
} from './types.ts';

/** Geometry of a sliding window with everything resolved, one entry per spatial axis. */
export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly padsBegin: readonly number[];
  readonly padsEnd: readonly number[];
  readonly output: readonly number[];
}

/** Cells that a dilated kernel spans. */
const span = (kernel: number, dilation: number) => (kernel - 1) * dilation + 1;

/**
 * The window of a Conv, MaxPool or AveragePool node over `input` (spatial sizes), with `auto_pad`
 * and `ceil_mode` worked out.
 */
export function windowOf(node: Node, input: readonly number[], kernel: readonly number[]): Window {
  const ones = input.map(() => 1);
  const strides = intsAttribute(node, 'strides') ?? ones;
  const dilations = intsAttribute(node, 'dilations') ?? ones;
  const pads = intsAttribute(node, 'pads') ?? [...input, ...input].map(() => 0);
  const auto = textAttribute(node, 'auto_pad', 'NOTSET');
  const ceil = numberAttribute(node, 'ceil_mode', 0) === 1;
  const axes = input.map((size, i) => {
    const stride = strides[i]!;
    const cells = span(kernel[i]!, dilations[i]!);
    if (auto === 'SAME_UPPER' || auto === 'SAME_LOWER') {
      const output = Math.ceil(size / stride);
      const total = Math.max(0, (output - 1) * stride + cells - size);
      const small = Math.floor(total / 2);
      const begin = auto === 'SAME_UPPER' ? small : total - small;
      return { begin, end: total - begin, output };
    }
    const explicit = auto !== 'VALID';
    const begin = explicit ? pads[i]! : 0;
    const end = explicit ? pads[input.length + i]! : 0;
    const steps = (size + begin + end - cells) / stride;
    const rounded = (ceil ? Math.ceil(steps) : Math.floor(steps)) + 1;
    // With ceil_mode a window must still start inside the input or its leading pad.
    const outside = ceil && (rounded - 1) * stride >= size + begin;
    return { begin, end, output: outside ? rounded - 1 : rounded };
  });
  return {
    kernel,
    strides,
    dilations,
    padsBegin: axes.map(({ begin }) => begin),
    padsEnd: axes.map(({ end }) => end),
    output: axes.map(({ output }) => output),
  };
}

const LISTS = ['strides', 'dilations', 'kernel_shape'] as const;

function checkedWindow(call: InferenceCall, input: readonly number[], kernel: readonly number[]) {
  for (const name of LISTS) {
    const list = intsAttribute(call.node, name);
    const bad = list?.some((value) => !Number.isInteger(value) || value < 1);
    if (list !== undefined && (bad || list.length !== input.length)) {
      call.fail(`${name} [${list}] over [${input}]`);
    }
  }
  const pads = intsAttribute(call.node, 'pads');
  if (pads !== undefined && (pads.length !== 2 * input.length || pads.some((pad) => pad < 0))) {
    call.fail(`pads [${pads}] over [${input}]`);
  }
  const window = windowOf(call.node, input, kernel);
  if (window.output.some((size) => size < 1)) call.fail(`window [${kernel}] over [${input}]`);
  return window;
}

export function inferConv(call: InferenceCall): ValueType {
  const { dtype, shape } = call.input(0);
  const weight = call.input(1).shape;
  const group = numberAttribute(call.node, 'group', 1);
  const fits = shape.length >= 3 && weight.length === shape.length && group >= 1;
  if (!fits || weight[1]! * group !== shape[1] || weight[0]! % group !== 0) {
    call.fail(`[${shape}] with weight [${weight}] in ${group} groups`);
  }
  const { output } = checkedWindow(call, shape.slice(2), weight.slice(2));
  return { dtype, shape: [shape[0]!, weight[0]!, ...output] };
}

/** Explicit pads only: ours is the one hand that writes ConvTranspose so far. */
export function inferConvTranspose(call: InferenceCall): ValueType {
  const { dtype, shape } = call.input(0);
  const weight = call.input(1).shape;
  const group = numberAttribute(call.node, 'group', 1);
  if (weight.length !== shape.length || weight[0] !== shape[1]) {
    call.fail(`[${shape}] with weight [${weight}]`);
  }
  if (call.node.attributes.has('output_shape') || call.node.attributes.has('auto_pad')) {
    call.fail('only explicit pads are supported');
  }
  const input = shape.slice(2);
  const list = (name: string, value: number, length = input.length) =>
    intsAttribute(call.node, name) ?? new Array<number>(length).fill(value);
  const [strides, dilations] = [list('strides', 1), list('dilations', 1)];
  const [pads, extra] = [list('pads', 0, 2 * input.length), list('output_padding', 0)];
  const output = input.map(
    (size, i) =>
      (size - 1) * strides[i]! +
      span(weight[2 + i]!, dilations[i]!) +
      extra[i]! -
      pads[i]! -
      pads[input.length + i]!,
  );
  if (output.some((size) => !(size >= 1))) call.fail(`output [${output}]`);
  return { dtype, shape: [shape[0]!, weight[1]! * group, ...output] };
}

export function inferPool(call: InferenceCall): ValueType {
  const { dtype, shape } = call.input(0);
  const kernel = intsAttribute(call.node, 'kernel_shape');
  if (shape.length < 3 || kernel === undefined) call.fail(`window [${kernel}] over [${shape}]`);
  if (call.node.outputs.length > 1) call.fail('the Indices output is not supported');
  // Gradients are written cell by cell of the window.
  if (elementCount(kernel) > MODEL_LIMITS.poolCellsMax) call.fail(`window [${kernel}]`);
  const { output } = checkedWindow(call, shape.slice(2), kernel);
  return { dtype, shape: [...shape.slice(0, 2), ...output] };
}

export function inferGlobalPool(call: InferenceCall): ValueType {
  const { dtype, shape } = call.input(0);
  if (shape.length < 3) call.fail(`[${shape}] has no spatial axis`);
  return { dtype, shape: shape.map((dim, i) => (i < 2 ? dim : 1)) };
}
