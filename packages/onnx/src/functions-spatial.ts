import type { AttributeRecord } from './builder.ts';
import type { FunctionBody, FunctionCall, FunctionEntry } from './function-call.ts';
import {
  poolWindow,
  transposedWindowOf,
  type Window,
  windowCounts,
  windowOf,
} from './infer-spatial.ts';
import { elementCount, tensorOf } from './tensor.ts';
import { int, ints, numberAttribute, textAttribute } from './types.ts';

const range = (from: number, to: number) =>
  Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);

/** All geometry as explicit pads, strides and output padding, whatever was left to work out. */
const convTranspose: FunctionBody = (call) => {
  const size = call.input(0).shape.slice(2);
  const window = transposedWindowOf(call.node, size, call.input(1).shape.slice(2));
  const attributes: AttributeRecord = {
    group: int(numberAttribute(call.node, 'group', 1)),
    strides: ints(window.strides),
    dilations: ints(window.dilations),
    pads: ints(window.pads),
    output_padding: ints(window.outputPadding),
  };
  return [call.op('ConvTranspose', call.x, attributes)];
};

/**
 * Pads that the windows need at the end: with ceil_mode the last one reaches over the given pads;
 * where rows are left over, they shrink.
 */
function endPads(window: Window, size: readonly number[]): readonly number[] {
  const { kernel, strides, dilations, padsBegin, output } = window;
  return output.map((count, i) => {
    const reach = (count - 1) * strides[i]! + (kernel[i]! - 1) * dilations[i]! + 1;
    return Math.max(0, reach - size[i]! - padsBegin[i]!);
  });
}

/** The sum over each window of `a`, [N, C, …]: a convolution of each channel with ones. */
function windowSums(call: FunctionCall, a: string, window: Window): string {
  const { dtype, shape } = call.input(0);
  const [batch, channels, ...size] = shape;
  const { kernel, strides, dilations, padsBegin, output } = window;
  const ones = tensorOf(dtype, [1, 1, ...kernel], new Array(elementCount(kernel)).fill(1));
  const images = call.reshape(a, [batch! * channels!, 1, ...size]);
  const sums = call.op('Conv', [images, call.builder.constant(ones)], {
    kernel_shape: ints(kernel),
    strides: ints(strides),
    dilations: ints(dilations),
    pads: ints([...padsBegin, ...endPads(window, size)]),
  });
  return call.reshape(sums, [batch!, channels!, ...output]);
}

/** The least sum whose root has a gradient. */
const SUM_MIN = 1e-30;

/** (Σ |x|^p)^(1/p) over each window. */
const lpPool: FunctionBody = (call) => {
  const p = numberAttribute(call.node, 'p', 2);
  const x = call.x[0]!;
  const absolute = () => call.op('Abs', [x]);
  if (p === 1) return [windowSums(call, absolute(), poolWindow(call))];
  const powers = p === 2 ? call.square(x) : call.op('Pow', [absolute(), call.number(p)]);
  const sums = windowSums(call, powers, poolWindow(call));
  const positive = call.op('Max', [sums, call.number(SUM_MIN)]);
  return [p === 2 ? call.sqrt(positive) : call.op('Pow', [positive, call.number(1 / p)])];
};

/**
 * All geometry as explicit pads: `auto_pad`, which does not go with dilations in ONNX Runtime, and
 * what `ceil_mode` adds at the ends, which opset 17 counts in two ways.
 */
function explicitPads(call: FunctionCall, window: Window): AttributeRecord {
  const { kernel, strides, dilations, padsBegin } = window;
  return {
    kernel_shape: ints(kernel),
    strides: ints(strides),
    dilations: ints(dilations),
    pads: ints([...padsBegin, ...endPads(window, call.input(0).shape.slice(2))]),
  };
}

const conv: FunctionBody = (call) => {
  const window = windowOf(call.node, call.input(0).shape.slice(2), call.input(1).shape.slice(2));
  const group = int(numberAttribute(call.node, 'group', 1));
  return [call.op('Conv', call.x, { ...explicitPads(call, window), group })];
};

/** What no finite number is below. */
const LOWEST = -3.4028234663852886e38;

/** Without the output of indices, which fails on WebGPU at run time: refused where it is used. */
const maxPool: FunctionBody = (call) => {
  const window = poolWindow(call);
  const { kernel, padsBegin } = window;
  const ends = endPads(window, call.input(0).shape.slice(2));
  const attributes = explicitPads(call, window);
  // Dilated windows may need pads that ONNX Runtime does not take: as large as the kernel.
  if (kernel.every((size, i) => padsBegin[i]! < size && ends[i]! < size)) {
    return [call.op('MaxPool', call.x, attributes)];
  }
  const pads = call.integers([0, 0, ...padsBegin, 0, 0, ...ends]);
  const padded = call.op('Pad', [call.x[0]!, pads, call.number(LOWEST)]);
  const none = ints([...padsBegin, ...ends].map(() => 0));
  return [call.op('MaxPool', [padded], { ...attributes, pads: none })];
};

/**
 * An average counts what `count_include_pad` says, but never what `ceil_mode` adds: where that
 * differs, and with dilations, which opset 17 lacks, it is a sum over counts.
 */
const averagePool: FunctionBody = (call) => {
  const window = poolWindow(call);
  const size = call.input(0).shape.slice(2);
  const withPads = numberAttribute(call.node, 'count_include_pad', 0) === 1;
  const dilated = window.dilations.some((step) => step !== 1);
  const grown = endPads(window, size).some((count, i) => count > window.padsEnd[i]!);
  if (!dilated && !(grown && withPads)) {
    const { dilations: _, ...geometry } = explicitPads(call, window);
    const count_include_pad = int(Number(withPads));
    return [call.op('AveragePool', call.x, { ...geometry, count_include_pad })];
  }
  let average = windowSums(call, call.x[0]!, window);
  for (const [axis, counts] of windowCounts(window, size, withPads).entries()) {
    const shape = [counts.length, ...size.slice(axis + 1).map(() => 1)];
    const divisors = tensorOf(call.input(0).dtype, shape, counts);
    average = call.div(average, call.builder.constant(divisors));
  }
  return [average];
};

/** A reduction over all spatial axes of [N, C, …]. */
const overSpace =
  (operator: (call: FunctionCall) => string): FunctionBody =>
  (call) => {
    const { shape } = call.input(0);
    if (shape.length < 3) call.fail(`[${shape}] has no spatial axis`);
    const axes = ints(range(2, shape.length));
    return [call.op(operator(call), call.x, { axes, keepdims: int(1) })];
  };

const lpOperator = (call: FunctionCall) => {
  const p = numberAttribute(call.node, 'p', 2);
  if (p !== 1 && p !== 2) call.refuse(`p is ${p}, not 1 or 2`);
  return `ReduceL${p}`;
};

/** Blocks of channels to blocks of pixels; DCR and CRD say which of the two varies slower. */
const depthToSpace: FunctionBody = (call) => {
  const { shape } = call.input(0);
  const block = numberAttribute(call.node, 'blocksize', 0);
  const [batch, channels, height, width] = shape;
  const inner = channels! / block ** 2;
  if (shape.length !== 4 || block < 1 || !Number.isInteger(inner)) {
    call.fail(`[${shape}] in blocks of ${block}`);
  }
  const columns = textAttribute(call.node, 'mode', 'DCR') === 'CRD';
  const parts = columns ? [inner, block, block] : [block, block, inner];
  const split = call.reshape(call.x[0]!, [batch!, ...parts, height!, width!]);
  const turned = call.transpose(split, columns ? [0, 1, 4, 2, 5, 3] : [0, 3, 4, 1, 5, 2]);
  return [call.reshape(turned, [batch!, inner, height! * block, width! * block])];
};

const spaceToDepth: FunctionBody = (call) => {
  const { shape } = call.input(0);
  const block = numberAttribute(call.node, 'blocksize', 0);
  const [batch, channels, height, width] = shape;
  const [rows, columns] = [height! / block, width! / block];
  if (shape.length !== 4 || !Number.isInteger(rows) || !Number.isInteger(columns)) {
    call.fail(`[${shape}] in blocks of ${block}`);
  }
  const split = call.reshape(call.x[0]!, [batch!, channels!, rows, block, columns, block]);
  const turned = call.transpose(split, [0, 3, 5, 1, 2, 4]);
  return [call.reshape(turned, [batch!, channels! * block ** 2, rows, columns])];
};

export const spatialFunctions: readonly FunctionEntry[] = [
  ['Conv', conv, [2, 3]],
  ['ConvTranspose', convTranspose, [2, 3]],
  ['MaxPool', maxPool],
  ['AveragePool', averagePool],
  ['LpPool', lpPool],
  ['GlobalMaxPool', overSpace(() => 'ReduceMax')],
  ['GlobalLpPool', overSpace(lpOperator)],
  ['DepthToSpace', depthToSpace],
  ['SpaceToDepth', spaceToDepth],
];
