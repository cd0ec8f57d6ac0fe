import { ProtocolError } from '@starling/core';
import { elementCount, int, ints, numberAttribute, numbersOf } from '@starling/onnx';
import { once } from './once.ts';
import { type GradientCall, type RuleEntry, rule } from './rule.ts';

const range = (from: number, to: number) =>
  Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);

const isOnes = ({ g }: GradientCall, name: string) => {
  const value = g.builder.valueOf(name);
  return value !== undefined && numbersOf(value).every((number) => number === 1);
};

/**
 * Y = X̂·scale + bias with X̂ = (X − mean)·inverse. With D = dY·scale and means over the n values
 * of a row, dX = inverse·(D − mean(D) − X̂·mean(D·X̂)). Mean and inverse are outputs of the forward
 * node; where a model uses them, dX gets dmean/n and −inverse²·X̂·dinverse/n too.
 */
function layerNormalization(call: GradientCall) {
  const { g, node, x, y, dy, dys, flows } = call;
  const shape = g.shape(x[0]!);
  const axis = numberAttribute(node, 'axis', -1);
  const axes = range(axis < 0 ? axis + shape.length : axis, shape.length);
  const normalized = once(() => g.mul(g.sub(x[0]!, y[1]!), y[2]!));
  const product = once(() => g.mul(dy, normalized()));
  const mean = (a: string) => g.call('ReduceMean', [a], { axes: ints(axes), keepdims: int(1) });
  const throughOutput = () => {
    const scaled = (a: string) => (isOnes(call, x[1]!) ? a : g.mul(a, x[1]!));
    const slopes = scaled(dy);
    const along = g.mul(normalized(), mean(scaled(product())));
    return g.mul(y[2]!, g.sub(g.sub(slopes, mean(slopes)), along));
  };
  const count = elementCount(shape.slice(axes[0]));
  const toInput = () => {
    const terms = flows[0] ? [throughOutput()] : [];
    if (flows[1]) terms.push(g.scale(dys[1]!, 1 / count));
    if (flows[2]) {
      const slope = g.mul(g.square(y[2]!), g.scale(dys[2]!, -1 / count));
      terms.push(g.mul(normalized(), slope));
    }
    return g.broadcastTo(terms.reduce(g.add), shape);
  };
  return [toInput, product, () => dy].slice(0, (x[2] ?? '') === '' ? 2 : 3);
}

/** With statistics that stay: a scale and a shift of each channel. */
function batchNormalization({ g, node, x, dy }: GradientCall) {
  if (numberAttribute(node, 'training_mode', 0) === 1) {
    throw new ProtocolError(
      'unsupported-operator',
      `node "${node.name}" (BatchNormalization): no gradient in training mode`,
    );
  }
  const shape = g.shape(dy);
  const column = (name: string) =>
    g.reshape(name, [elementCount(g.shape(name)), ...shape.slice(2).map(() => 1)]);
  const inverse = once(() => {
    const epsilon = g.number(numberAttribute(node, 'epsilon', 1e-5));
    return g.call('Reciprocal', [g.call('Sqrt', [g.add(x[4]!, epsilon)])]);
  });
  const perChannel = (a: string) => g.reduceSum(a, [0, ...range(2, shape.length)], false);
  return [
    () => g.mul(dy, column(g.mul(x[1]!, inverse()))),
    () => g.mul(perChannel(g.mul(dy, g.sub(x[0]!, column(x[3]!)))), inverse()),
    () => perChannel(dy),
  ];
}

export const normRules: readonly RuleEntry[] = [
  rule('LayerNormalization', layerNormalization),
  rule('BatchNormalization', batchNormalization, [0, 1, 2]),
];
