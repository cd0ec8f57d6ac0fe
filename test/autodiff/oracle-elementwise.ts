import { float, int, int64s, scalar, tensorOf, text } from '@starling/onnx';
import type { Operand } from '../helpers/gradient-check.ts';
import { type Attributes, ms, type OracleCase } from './oracle-case.ts';

/** y = f(x) whose kernel takes dy and x, or dy and y. */
const unary = (
  op: string,
  kernel: string,
  takes: 'x' | 'y',
  attributes: Attributes = {},
  shapes: readonly (readonly number[])[] = [[7], [2, 3, 4], [1, 2, 1, 5]],
): readonly OracleCase[] =>
  shapes.map((shape) => ({
    ...{ op, kernel, inputs: [shape], attributes, compared: [0] },
    nodes: (node) => [
      node(op, ['x0'], ['y'], attributes),
      node(ms(kernel), ['dy', takes === 'x' ? 'x0' : 'y'], ['d0'], attributes),
    ],
  }));

const softmaxes = [0, 1, -1].flatMap((axis) => [
  ...unary('Softmax', 'SoftmaxGrad_13', 'y', { axis: int(axis) }, [
    [3, 4],
    [2, 3, 5],
  ]),
  ...unary('LogSoftmax', 'LogSoftmaxGrad_13', 'y', { axis: int(axis) }, [
    [3, 4],
    [2, 3, 5],
  ]),
]);

/** Before opset 13 all axes from `axis` on were one; the last one alone is the same in both. */
const softmaxesOfOld = [
  ...unary('Softmax', 'SoftmaxGrad', 'y', { axis: int(-1) }, [[3, 4]]),
  ...unary('LogSoftmax', 'LogSoftmaxGrad', 'y', { axis: int(-1) }, [[3, 4]]),
];

const indices = (shape: readonly number[], values: readonly number[]): Operand => ({
  fed: tensorOf('int64', shape, values),
});

const crossEntropy = (
  scores: readonly number[],
  labels: readonly number[],
  reduction: string,
  weights?: readonly number[],
): OracleCase => {
  const attributes: Attributes = {
    reduction: text(reduction),
    ignore_index: int(1),
  };
  const weighted = weights === undefined ? [] : [tensorOf('float32', [weights.length], weights)];
  const names = ['x0', 'x1', ...weighted.map(() => 'x2')];
  const at = indices(scores.toSpliced(1, 1), labels);
  return {
    ...{ op: 'SoftmaxCrossEntropyLoss', kernel: 'SoftmaxCrossEntropyLossGrad' },
    ...{ inputs: [scores, at, ...weighted], attributes, compared: [0] },
    nodes: (node) => [
      node('SoftmaxCrossEntropyLoss', names, ['y', 'log'], attributes),
      node(ms('SoftmaxCrossEntropyLossGrad'), ['dy', 'log', ...names.slice(1)], ['d0'], attributes),
    ],
  };
};
/** Labels in a list, whose gradient the older kernel has. */
const sparse = ['mean', 'sum'].map((reduction): OracleCase => {
  const attributes: Attributes = { reduction: text(reduction) };
  return {
    ...{ op: 'SoftmaxCrossEntropyLoss', kernel: 'SparseSoftmaxCrossEntropyGrad', attributes },
    ...{ inputs: [[5, 3], indices([5], [2, 0, 1, 2, 2])], compared: [0] },
    nodes: (node) => [
      node('LogSoftmax', ['x0'], ['log']),
      node('SparseSoftmaxCrossEntropyGrad', ['dy', 'log', 'x1'], ['d0'], attributes),
    ],
  };
});

const crossEntropies = ['mean', 'sum'].flatMap((reduction) => [
  crossEntropy([4, 3], [2, 0, 1, 2], reduction),
  crossEntropy([4, 3], [2, 0, 1, 2], reduction, [0.5, 3, 2]),
  crossEntropy([1, 3, 2, 2], [0, 2, 2, 1], reduction),
]);

const dropouts = [0.5, 0.2].map(
  (ratio): OracleCase => ({
    ...{ op: 'Dropout', kernel: 'DropoutGrad', outputs: 2, compared: [0] },
    inputs: [[4, 25], scalar(ratio), scalar(1, 'bool')],
    nodes: (node) => [node(ms('DropoutGrad'), ['dy', 'mask', 'x1', 'x2'], ['d0'])],
  }),
);

const positive = (shape: readonly number[]): Operand => ({ shape, low: 0.5, high: 2 });
const divisions = [
  [
    [2, 3],
    [2, 3],
  ],
  [[2, 3, 4], [4]],
  [
    [1, 3],
    [2, 1],
  ],
  [[3], []],
].map(
  ([a, b]): OracleCase => ({
    ...{ op: 'Div', kernel: 'DivGrad', inputs: [a!, positive(b!)], compared: [0, 1] },
    nodes: (node) => [node(ms('DivGrad'), ['dy', 'x0', 'x1'], ['d0', 'd1'])],
  }),
);

/** ONNX Runtime's way to undo broadcasting: which axes, then the sum over them. */
const broadcasts = [
  [
    [2, 3, 4],
    [3, 1],
  ],
  [[5], [2, 5]],
  [
    [2, 1],
    [1, 3],
  ],
].map(
  ([a, b]): OracleCase => ({
    ...{ op: 'Add', kernel: 'BroadcastGradientArgs', inputs: [a!, b!], compared: [0, 1] },
    constants: { a: int64s(a!), b: int64s(b!) },
    nodes: (node) => [
      node(ms('BroadcastGradientArgs'), ['a', 'b'], ['axes0', 'axes1']),
      ...[0, 1].flatMap((i) => [
        node(ms('ReduceSumTraining'), ['dy', `axes${i}`], [`sum${i}`], {
          keepdims: int(1),
          noop_with_empty_axes: int(1),
        }),
        node('Reshape', [`sum${i}`, i === 0 ? 'a' : 'b'], [`d${i}`]),
      ]),
    ],
  }),
);

const expansions = [
  { from: [3, 1], to: [2, 3, 4], axes: [0, 2] },
  { from: [1], to: [6], axes: [0] },
].map(
  ({ from, to, axes }): OracleCase => ({
    ...{ op: 'Expand', kernel: 'ReduceSumTraining', inputs: [from, int64s(to)], compared: [0] },
    constants: { axes: int64s(axes), from: int64s(from) },
    nodes: (node) => [
      node(ms('ReduceSumTraining'), ['dy', 'axes'], ['sum'], { keepdims: int(1) }),
      node('Reshape', ['sum', 'from'], ['d0']),
    ],
  }),
);

const biased = ['BiasGelu', 'BiasFastGelu'].flatMap((name) =>
  [
    [2, 3, 4],
    [5, 4],
  ].map((x): OracleCase => {
    const op = name === 'BiasGelu' ? ms(name) : ms('FastGelu');
    return {
      ...{ op, kernel: `${name}Grad_dX`, inputs: [x, [4]], compared: [0] },
      nodes: (node) => [node(ms(`${name}Grad_dX`), ['dy', 'x0', 'x1'], ['d0'])],
    };
  }),
);

/** Activations, losses, and what undoes broadcasting. */
export const elementwiseOracles: readonly OracleCase[] = [
  ...unary('Relu', 'ReluGrad', 'y'),
  ...unary('Sigmoid', 'SigmoidGrad', 'y'),
  ...unary('Tanh', 'TanhGrad', 'y'),
  ...unary('LeakyRelu', 'LeakyReluGrad', 'y', { alpha: float(0.1) }),
  ...unary(ms('Gelu'), 'GeluGrad', 'x'),
  ...unary(ms('FastGelu'), 'FastGeluGrad', 'x'),
  ...unary(ms('QuickGelu'), 'QuickGeluGrad', 'x'),
  ...biased,
  ...softmaxes,
  ...softmaxesOfOld,
  ...crossEntropies,
  ...sparse,
  ...dropouts,
  ...divisions,
  ...broadcasts,
  ...expansions,
];
