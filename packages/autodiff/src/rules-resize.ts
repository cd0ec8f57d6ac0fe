import { ProtocolError } from '@starling/core';
import {
  elementCount,
  InferenceCall,
  int64s,
  ints,
  MODEL_LIMITS,
  type Node,
  numbersOf,
  type PadRun,
  padRuns,
  type ResizedAxis,
  resizedAxes,
  type Tensor,
  textAttribute,
} from '@starling/onnx';
import { interpolation } from './interpolation.ts';
import { type GradientCall, type RuleEntry, rule } from './rule.ts';

/** Takes off what was put on, or puts zeros where something was cut off. */
function padded(call: GradientCall): string {
  const { g, node, x, dy } = call;
  const shape = g.shape(x[0]!);
  const pads = numbersOf(g.builder.valueOf(x[1]!)!);
  const mode = textAttribute(node, 'mode', 'constant');
  if (mode === 'constant') {
    const negated = g.builder.constant(int64s(pads.map((count) => -count)));
    return pads.every((count) => count === 0) ? dy : g.call('Pad', [dy, negated]);
  }
  return shape.reduce((value, size, axis) => {
    const [begin, end] = [pads[axis]!, pads[shape.length + axis]!];
    if (begin === 0 && end === 0) return value;
    const runs = padRuns(mode, size, begin, end);
    return runs.map((run) => returned(call, { value, axis, size, run })).reduce(g.add);
  }, dy);
}

interface Returned {
  readonly value: string;
  readonly axis: number;
  readonly size: number;
  readonly run: PadRun;
}

/** The gradient of a run of positions, where in the input its values came from. */
function returned({ g }: GradientCall, { value, axis, size, run }: Returned): string {
  const { start, length, from, step } = run;
  const taken = g.slice(value, [{ axis, start, end: start + length }]);
  const own = step === 0 ? g.reduceSum(taken, [axis]) : step === 1 ? taken : g.reverse(taken, axis);
  const first = step === -1 ? from - length + 1 : from;
  const none = g.shape(own).map(() => 0);
  return g.pad(own, none.with(axis, first), none.with(axis, size - first - g.shape(own)[axis]!));
}

/**
 * Every axis was multiplied by a matrix of its own, whatever the mode; back, by the transposed one.
 * Whole blocks of repeated elements are summed by a pool.
 */
function resized(call: GradientCall): string {
  const { g, node, x, dy } = call;
  const known = x.map((name) => g.builder.known(name));
  const axes = resizedAxes(new InferenceCall(node, known));
  const blocks = axes.map((axis) => blockOf(node, axis));
  const pooled = axes.length >= 3 && blocks[0] === 1 && blocks[1] === 1;
  if (pooled && !blocks.includes(undefined)) {
    const kernel = blocks.slice(2).map((size) => size!);
    const attributes = { kernel_shape: ints(kernel), strides: ints(kernel) };
    return g.scale(g.call('AveragePool', [dy], attributes), elementCount(kernel));
  }
  return axes.reduce((value, axis, i) => {
    return blocks[i] === 1 ? value : throughMatrix(call, value, i, transposedMatrix(node, axis));
  }, dy);
}

/** How often each element was repeated, when that is all that was done: 1 for an unchanged axis. */
function blockOf(node: Node, axis: ResizedAxis): number | undefined {
  const size = axis.output / axis.input;
  if (!Number.isInteger(size)) return undefined;
  for (let position = 0; position < axis.output; position++) {
    const [first, ...others] = interpolation(node, axis, position);
    const whole = others.length === 0 && first?.weight === 1;
    if (!whole || first.source !== Math.floor(position / size)) return undefined;
  }
  return size;
}

/** [input, output]: what each input position gives to each output position. */
function transposedMatrix(node: Node, axis: ResizedAxis): Tensor {
  const { input, output } = axis;
  if (input * output > MODEL_LIMITS.elementsMax) {
    const what = `the gradient of ${input} positions resized to ${output} takes too much memory`;
    throw new ProtocolError('model-limit', `node "${node.name}" (Resize): ${what}`);
  }
  const data = new Float32Array(input * output);
  for (let position = 0; position < output; position++) {
    for (const { source, weight } of interpolation(node, axis, position)) {
      data[source * output + position]! += weight;
    }
  }
  return { dtype: 'float32', shape: [input, output], data };
}

/** Multiplies `matrix` [to, from] into one axis. */
function throughMatrix({ g }: GradientCall, value: string, axis: number, matrix: Tensor): string {
  const shape = g.shape(value);
  const lead = elementCount(shape.slice(0, axis));
  const flat = g.reshape(value, [lead, shape[axis]!, elementCount(shape.slice(axis + 1))]);
  const product = g.matmul(g.builder.constant(matrix), flat);
  return g.reshape(product, shape.with(axis, matrix.shape[0]!));
}

/** Operators that put elements around, repeat or mix them. */
export const resizeRules: readonly RuleEntry[] = [
  rule('Pad', (call) => [() => padded(call)], [0]),
  rule('Resize', (call) => [() => resized(call)], [0]),
];
