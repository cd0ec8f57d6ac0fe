import type { FunctionBody, FunctionCall, FunctionEntry } from './function-call.ts';
import { elementCount, tensorOf } from './tensor.ts';
import { float, int, ints, intsAttribute, numberAttribute } from './types.ts';

const epsilonOf = ({ node }: FunctionCall, fallback = 1e-5) =>
  numberAttribute(node, 'epsilon', fallback);

const range = (from: number, to: number) =>
  Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);

/**
 * With its mean and inverse standard deviation, which the gradient uses.
 * @param inputs value, scale and perhaps bias
 */
export function layerNorm(
  call: FunctionCall,
  inputs: readonly string[],
  axis: number,
  epsilon: number,
): readonly string[] {
  const name = `${call.node.name}/LayerNormalization`;
  const outputs = ['output', 'mean', 'inverse'].map((slot) => `${name}/${slot}`);
  const attributes = new Map([
    ['axis', int(axis)],
    ['epsilon', float(epsilon)],
  ]);
  return call.builder.addMany('LayerNormalization', inputs, attributes, { name, outputs });
}

/** Each row of the value, cut into rows of `width`, to mean 0 and variance 1; in its own shape. */
function normalizedRows(call: FunctionCall, rows: number, width: number): string {
  const { dtype, shape } = call.input(0);
  const ones = tensorOf(dtype, [width], new Float32Array(width).fill(1));
  const flat = call.reshape(call.x[0]!, [rows, width]);
  const made = layerNorm(call, [flat, call.builder.constant(ones)], 1, epsilonOf(call));
  return call.reshape(made[0]!, shape);
}

/** `a` [N, C, …] times and plus a number for each channel. */
function perChannel(call: FunctionCall, a: string, scale: string, bias: string): string {
  const rank = call.input(0).shape.length;
  const columns = [scale, bias].map((name) => {
    return call.reshape(name, [call.input(0).shape[1]!, ...range(2, rank).map(() => 1)]);
  });
  return call.add(call.mul(a, columns[0]!), columns[1]!);
}

const instanceNorm: FunctionBody = (call) => {
  const { shape } = call.input(0);
  if (shape.length < 3) call.fail(`[${shape}] has no spatial axis`);
  const normalized = normalizedRows(call, shape[0]! * shape[1]!, elementCount(shape.slice(2)));
  return [perChannel(call, normalized, call.x[1]!, call.x[2]!)];
};

/** Scale and bias are one number for each group in opset 18, one for each channel from 21 on. */
const groupNorm: FunctionBody = (call) => {
  const { shape } = call.input(0);
  const groups = numberAttribute(call.node, 'num_groups', 0);
  const channels = shape[1] ?? 0;
  if (shape.length < 2 || groups < 1 || channels % groups !== 0) {
    call.fail(`[${shape}] in ${groups} groups`);
  }
  const settings = [1, 2].map((index) => {
    const given = call.input(index).shape;
    if (given.length === 1 && given[0] === channels) return call.x[index]!;
    if (given.length !== 1 || given[0] !== groups) call.fail(`input ${index} of [${given}]`);
    const column = call.reshape(call.x[index]!, [groups, 1]);
    const spread = call.op('Expand', [column, call.integers([groups, channels / groups])]);
    return call.reshape(spread, [channels]);
  });
  const width = (channels / groups) * elementCount(shape.slice(2));
  const normalized = normalizedRows(call, shape[0]! * groups, width);
  return [perChannel(call, normalized, settings[0]!, settings[1]!)];
};

/** `a` over the root of the mean of its squares from `axis` on, and the inverse of that root. */
function rootMeanSquare(call: FunctionCall, a: string, scale: string, fallback = 1e-5) {
  const { shape } = call.input(0);
  const axis = call.axis(numberAttribute(call.node, 'axis', -1), shape.length);
  const axes = ints(range(axis, shape.length));
  const mean = call.op('ReduceMean', [call.square(a)], { axes, keepdims: int(1) });
  const root = call.sqrt(call.add(mean, call.number(epsilonOf(call, fallback))));
  const inverse = call.op('Reciprocal', [root]);
  return { output: call.mul(call.mul(a, inverse), scale), inverse };
}

const rmsNorm: FunctionBody = (call) => {
  const { output, inverse } = rootMeanSquare(call, call.x[0]!, call.x[1]!);
  return [output, inverse].slice(0, call.node.outputs.length);
};

/** Input and skip (and bias) are added up before they are normalised (ONNX Runtime's operator). */
const skipLayerNorm: FunctionBody = (call) => {
  const total = call.addGiven(call.add(call.x[0]!, call.x[1]!), 4);
  const affine = call.x.slice(2, 4).filter((name) => name !== '');
  const made = layerNorm(call, [total, ...affine], -1, epsilonOf(call, 1e-12));
  return [...made, total];
};

const skipRmsNorm: FunctionBody = (call) => {
  const total = call.addGiven(call.add(call.x[0]!, call.x[1]!), 3);
  const { output, inverse } = rootMeanSquare(call, total, call.x[2]!, 1e-12);
  // The mean, which is no output here, has a place in the list.
  return [output, '', inverse, total];
};

/**
 * x / (bias + alpha/size · Σ x²)^beta, the sum over `size` neighbouring channels (Krizhevsky et al.
 * 2012). The mean over neighbours is a pool along the channels.
 */
const localResponse: FunctionBody = (call) => {
  const { shape } = call.input(0);
  if (shape.length < 3) call.fail(`[${shape}] has no spatial axis`);
  const [batch, channels] = [shape[0]!, shape[1]!];
  const size = numberAttribute(call.node, 'size', 1);
  const [before, after] = [Math.floor((size - 1) / 2), Math.ceil((size - 1) / 2)];
  const setting = (name: string, fallback: number) =>
    call.number(numberAttribute(call.node, name, fallback));
  const flat = [batch, 1, channels, elementCount(shape.slice(2))];
  const means = call.op('AveragePool', [call.reshape(call.square(call.x[0]!), flat)], {
    kernel_shape: ints([size, 1]),
    pads: ints([before, 0, after, 0]),
    count_include_pad: int(1),
  });
  const scaled = call.mul(call.reshape(means, shape), setting('alpha', 1e-4));
  const exponent = numberAttribute(call.node, 'beta', 0.75);
  const factor = call.op('Pow', [call.add(scaled, setting('bias', 1)), call.number(-exponent)]);
  return [call.mul(call.x[0]!, factor)];
};

/** The least variance whose root has a gradient; far below the 1e-9 that is added to the root. */
const VARIANCE_MIN = 1e-30;

const meanVariance: FunctionBody = (call) => {
  const { shape } = call.input(0);
  const axes = call.axes(intsAttribute(call.node, 'axes') ?? [0, 2, 3], shape.length);
  const mean = (a: string) => call.op('ReduceMean', [a], { axes: ints(axes), keepdims: int(1) });
  const centred = call.sub(call.x[0]!, mean(call.x[0]!));
  const variance = call.op('Max', [mean(call.square(centred)), call.number(VARIANCE_MIN)]);
  return [call.div(centred, call.add(call.sqrt(variance), call.number(1e-9)))];
};

/** x over its norm along an axis; a vector of zeros stays. */
const lpNormalization: FunctionBody = (call) => {
  const axis = call.axis(numberAttribute(call.node, 'axis', -1), call.input(0).shape.length);
  const p = numberAttribute(call.node, 'p', 2);
  if (p !== 1 && p !== 2) call.fail(`p is ${p}, not 1 or 2`);
  const norm = call.op(`ReduceL${p}`, call.x, { axes: ints([axis]), keepdims: int(1) });
  const empty = call.op('Equal', [norm, call.number(0)]);
  return [call.div(call.x[0]!, call.op('Where', [empty, call.number(1), norm]))];
};

export const normFunctions: readonly FunctionEntry[] = [
  [
    'LayerNormalization',
    (call) => {
      const axis = numberAttribute(call.node, 'axis', -1);
      const inputs = call.x.filter((name) => name !== '');
      return layerNorm(call, inputs, axis, epsilonOf(call));
    },
    [2, 3],
  ],
  ['InstanceNormalization', instanceNorm, [3, 3]],
  ['GroupNormalization', groupNorm, [3, 3]],
  ['RMSNormalization', rmsNorm, [2, 2]],
  // ONNX Runtime's transformer optimiser writes it into the standard domain.
  ...['SimplifiedLayerNormalization', 'com.microsoft.SimplifiedLayerNormalization'].map(
    (op): FunctionEntry => [op, rmsNorm, [2, 2]],
  ),
  ['com.microsoft.SkipLayerNormalization', skipLayerNorm, [3, 5]],
  ['com.microsoft.SkipSimplifiedLayerNormalization', skipRmsNorm, [3, 4]],
  ['LRN', localResponse],
  ['MeanVarianceNormalization', meanVariance],
  ['LpNormalization', lpNormalization],
];
