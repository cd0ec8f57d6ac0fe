import type { InferenceCall, InferenceEntry, InferenceRule } from './inference.ts';
import { MODEL_LIMITS } from './limits.ts';
import { elementCount } from './tensor.ts';
import { intsAttribute, type Node, numberAttribute, textAttribute } from './types.ts';

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

/**
 * Cells that an average counts along each axis, for each position of the output; a window counts
 * their product. With `withPads` those of the given pads, but none that `ceil_mode` adds.
 */
export function windowCounts(
  window: Window,
  size: readonly number[],
  withPads: boolean,
): readonly (readonly number[])[] {
  return size.map((dim, i) => {
    const begin = window.padsBegin[i]!;
    const [low, high] = withPads ? [0, dim + begin + window.padsEnd[i]!] : [begin, begin + dim];
    const step = window.dilations[i]!;
    return Array.from({ length: window.output[i]! }, (_, position) => {
      const start = position * window.strides[i]!;
      const first = Math.max(0, Math.ceil((low - start) / step));
      return Math.min(window.kernel[i]!, Math.ceil((high - start) / step)) - first;
    });
  });
}

const LISTS = ['strides', 'dilations', 'kernel_shape'] as const;

/** Refuses lists of a wrong length, and steps that are no positive integers. */
function checkLists(call: InferenceCall, input: readonly number[]): void {
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
}

function checkedWindow(
  call: InferenceCall,
  input: readonly number[],
  kernel: readonly number[],
): Window {
  checkLists(call, input);
  const window = windowOf(call.node, input, kernel);
  if (!window.output.every((size) => size >= 1)) call.fail(`window [${kernel}] over [${input}]`);
  return window;
}

const conv: InferenceRule = (call) => {
  const { dtype, shape } = call.input(0);
  const weight = call.input(1).shape;
  const group = numberAttribute(call.node, 'group', 1);
  const fits = shape.length >= 3 && weight.length === shape.length && group >= 1;
  if (!fits || weight[1]! * group !== shape[1] || weight[0]! % group !== 0) {
    call.fail(`[${shape}] with weight [${weight}] in ${group} groups`);
  }
  checkBias(call, weight[0]!);
  const { output } = checkedWindow(call, shape.slice(2), weight.slice(2));
  return [{ dtype, shape: [shape[0]!, weight[0]!, ...output] }];
};

function checkBias(call: InferenceCall, channels: number): void {
  const bias = call.optional(2)?.shape;
  if (bias !== undefined && (bias.length !== 1 || bias[0] !== channels)) {
    call.fail(`bias [${bias}] for ${channels} channels`);
  }
}

/** Geometry of a ConvTranspose, as attributes that say everything. */
export interface TransposedWindow {
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** All begins, then all ends. */
  readonly pads: readonly number[];
  readonly outputPadding: readonly number[];
  readonly output: readonly number[];
}

/**
 * Works out `auto_pad` and `output_shape`: what goes over the asked size is cut off at both ends,
 * an odd cell at the end for SAME_UPPER and at the start else; what is missing is output padding.
 */
export function transposedWindowOf(
  node: Node,
  input: readonly number[],
  kernel: readonly number[],
): TransposedWindow {
  const list = (name: string, value: number) => intsAttribute(node, name) ?? input.map(() => value);
  const [strides, dilations] = [list('strides', 1), list('dilations', 1)];
  const auto = textAttribute(node, 'auto_pad', 'NOTSET');
  const same = auto === 'SAME_UPPER' || auto === 'SAME_LOWER';
  // PyTorch's exporter of old wrote the batch and the channels in front.
  const asked =
    intsAttribute(node, 'output_shape')?.slice(-input.length) ??
    (same ? input.map((size, i) => size * strides[i]!) : undefined);
  const pads = intsAttribute(node, 'pads') ?? [...input, ...input].map(() => 0);
  const axes = input.map((size, i) => {
    const extra = list('output_padding', 0)[i]!;
    const full = (size - 1) * strides[i]! + span(kernel[i]!, dilations[i]!);
    if (asked === undefined) {
      const [begin, end] = auto === 'VALID' ? [0, 0] : [pads[i]!, pads[input.length + i]!];
      return { begin, end, extra, output: full + extra - begin - end };
    }
    const over = Math.max(0, full + extra - asked[i]!);
    const begin = auto === 'SAME_UPPER' ? Math.floor(over / 2) : Math.ceil(over / 2);
    const grown = Math.max(extra, asked[i]! - full);
    return { begin, end: over - begin, extra: grown, output: full + grown - over };
  });
  return {
    strides,
    dilations,
    pads: [...axes.map(({ begin }) => begin), ...axes.map(({ end }) => end)],
    outputPadding: axes.map(({ extra }) => extra),
    output: axes.map(({ output }) => output),
  };
}

const convTranspose: InferenceRule = (call) => {
  const { dtype, shape } = call.input(0);
  const weight = call.input(1).shape;
  const group = numberAttribute(call.node, 'group', 1);
  const fits = shape.length >= 3 && weight.length === shape.length && group >= 1;
  if (!fits || weight[0] !== shape[1] || shape[1]! % group !== 0) {
    call.fail(`[${shape}] with weight [${weight}] in ${group} groups`);
  }
  checkBias(call, weight[1]! * group);
  const input = shape.slice(2);
  checkLists(call, input);
  const extra = intsAttribute(call.node, 'output_padding');
  if (extra !== undefined && (extra.length !== input.length || extra.some((count) => count < 0))) {
    call.fail(`output_padding [${extra}] over [${input}]`);
  }
  const { output, strides, outputPadding } = transposedWindowOf(call.node, input, weight.slice(2));
  // ONNX Runtime has no kernel for it; PyTorch's limit is the stride or the dilation.
  if (outputPadding.some((count, i) => count > 0 && count >= strides[i]!)) {
    call.refuse(`output padding [${outputPadding}] is not below the strides [${strides}]`);
  }
  if (output.some((size) => !(size >= 1))) call.fail(`output [${output}]`);
  return [{ dtype, shape: [shape[0]!, weight[1]! * group, ...output] }];
};

/** The window of a pool over [N, C, …spatial]. */
export function poolWindow(call: InferenceCall): Window {
  const { shape } = call.input(0);
  const kernel = intsAttribute(call.node, 'kernel_shape');
  if (shape.length < 3 || kernel === undefined) call.fail(`window [${kernel}] over [${shape}]`);
  // Sums over windows are convolutions with ones.
  if (elementCount(kernel) > MODEL_LIMITS.foldElementsMax) call.fail(`window [${kernel}]`);
  return checkedWindow(call, shape.slice(2), kernel);
}

const pool: InferenceRule = (call) => {
  const { dtype, shape } = call.input(0);
  return [{ dtype, shape: [...shape.slice(0, 2), ...poolWindow(call).output] }];
};

const globalPool: InferenceRule = (call) => {
  const { dtype, shape } = call.input(0);
  if (shape.length < 3) call.fail(`[${shape}] has no spatial axis`);
  return [{ dtype, shape: shape.map((dim, i) => (i < 2 ? dim : 1)) }];
};

/** Operators that slide a window over [N, C, …spatial]. */
export const spatialEntries: readonly InferenceEntry[] = [
  ['Conv', conv, [2, 3]],
  ['ConvTranspose', convTranspose, [2, 3]],
  ['MaxPool', pool],
  ['AveragePool', pool],
  ['GlobalAveragePool', globalPool],
];
