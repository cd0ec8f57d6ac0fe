import { float, int, ints, tensorOf } from '@starling/onnx';
import { type Attributes, ms, type OracleCase } from './oracle-case.ts';

const conv = (x: readonly number[], w: readonly number[], attributes: Attributes): OracleCase => ({
  ...{ op: 'Conv', kernel: 'ConvGrad', inputs: [x, w, [w[0]!]], attributes, compared: [0, 1, 2] },
  nodes: (node) => [node(ms('ConvGrad'), ['dy', 'x0', 'x1'], ['d0', 'd1', 'd2'], attributes)],
});
const window = (
  kernel: readonly number[],
  strides: readonly number[],
  pads: readonly number[],
  more: Attributes = {},
): Attributes => ({
  ...{ kernel_shape: ints(kernel), strides: ints(strides), pads: ints(pads) },
  ...more,
});
const convolutions = [
  conv([2, 3, 6, 5], [4, 3, 3, 3], window([3, 3], [1, 1], [0, 0, 0, 0])),
  conv([1, 2, 7, 7], [3, 2, 3, 3], window([3, 3], [2, 2], [1, 1, 1, 1])),
  conv([2, 4, 5, 6], [4, 1, 3, 2], window([3, 2], [1, 2], [1, 0, 1, 1], { group: int(4) })),
  conv(
    [1, 4, 7, 7],
    [6, 2, 2, 2],
    window([2, 2], [1, 1], [0, 0, 0, 0], {
      group: int(2),
      dilations: ints([2, 3]),
    }),
  ),
  conv([2, 3, 9], [5, 3, 4], window([4], [3], [2, 1])),
  conv([1, 2, 4, 4, 4], [2, 2, 2, 2, 2], window([2, 2, 2], [2, 1, 1], [0, 1, 0, 0, 1, 0])),
];

const layerNorms = [
  { x: [3, 4], axis: -1 },
  { x: [2, 3, 5], axis: 1 },
  { x: [1, 6], axis: 0 },
].map(({ x, axis }): OracleCase => {
  const tail = x.slice(axis < 0 ? axis + x.length : axis);
  const attributes = { axis: int(axis), epsilon: float(1e-4) };
  return {
    ...{ op: 'LayerNormalization', kernel: 'LayerNormalizationGrad', inputs: [x, tail, tail] },
    ...{ attributes, compared: [0, 1, 2] },
    nodes: (node) => [
      node('LayerNormalization', ['x0', 'x1', 'x2'], ['y', 'mean', 'inverse'], attributes),
      node(
        ms('LayerNormalizationGrad'),
        ['dy', 'x0', 'x1', 'mean', 'inverse'],
        ['d0', 'd1', 'd2'],
        {
          axis: int(axis),
        },
      ),
    ],
  };
});

const rmsNorms = [
  [3, 4],
  [2, 3, 5],
].map((x): OracleCase => {
  const op = 'SimplifiedLayerNormalization';
  const attributes = { axis: int(-1), epsilon: float(1e-4) };
  return {
    ...{ op, kernel: `${op}Grad`, inputs: [x, [x.at(-1)!]], attributes, compared: [0, 1] },
    nodes: (node) => [
      node(op, ['x0', 'x1'], ['y', 'inverse'], attributes),
      node(ms(`${op}Grad`), ['dy', 'x0', 'x1', 'inverse'], ['d0', 'd1'], { axis: int(-1) }),
    ],
  };
});

/** Two kernels: statistics of the batch from the one, gradients from the other. */
const batchNorms = [
  [4, 3],
  [3, 2, 5],
  [2, 3, 2, 3],
].map((x): OracleCase => {
  const channels = x[1]!;
  const running = { fed: tensorOf('float32', [channels], new Array<number>(channels).fill(1)) };
  const attributes = { epsilon: float(1e-3), training_mode: int(1) };
  return {
    ...{ op: 'BatchNormalization', kernel: 'BatchNormalizationGrad', outputs: 3 },
    ...{ inputs: [x, [channels], [channels], running, running], attributes, compared: [0, 1, 2] },
    nodes: (node) => [
      node(
        ms('BatchNormInternal'),
        ['x0', 'x1', 'x2', 'x3', 'x4'],
        ['y', 'mean', 'variance', 'saved_mean', 'saved_inverse'],
        attributes,
      ),
      node(
        ms('BatchNormalizationGrad'),
        ['dy', 'x0', 'x1', 'saved_mean', 'saved_inverse'],
        ['d0', 'd1', 'd2'],
        { epsilon: float(1e-3) },
      ),
    ],
  };
});

const POOLS: readonly (readonly [x: readonly number[], attributes: Attributes])[] = [
  [[2, 3, 6, 6], window([2, 2], [2, 2], [0, 0, 0, 0])],
  [[1, 2, 7, 6], window([3, 2], [2, 2], [1, 0, 1, 0])],
  [[1, 2, 5, 5], window([3, 3], [1, 1], [1, 1, 1, 1])],
  [[2, 2, 9], window([4], [3], [0, 2])],
  // With overlapping windows or unequal strides in 3-D the kernel for averages is wrong.
  [[1, 2, 4, 4, 4], window([2, 2, 2], [2, 2, 2], [0, 0, 0, 0, 0, 0])],
];
const pools = POOLS.flatMap(([x, attributes]): OracleCase[] => [
  {
    ...{ op: 'MaxPool', kernel: 'MaxPoolGrad', inputs: [x], attributes, compared: [0] },
    nodes: (node) => [
      node('MaxPool', ['x0'], ['y', 'indices'], attributes),
      node('MaxPoolGrad', ['dy', 'indices'], ['d0'], attributes),
    ],
  },
  ...[0, 1].map((include): OracleCase => {
    const counted = { ...attributes, count_include_pad: int(include) };
    return {
      ...{ op: 'AveragePool', kernel: 'AveragePoolGrad', inputs: [x], attributes: counted },
      compared: [0],
      nodes: (node) => [node('AveragePoolGrad', ['dy'], ['d0'], counted)],
    };
  }),
]);

/** One direction and the standard activations, no peepholes: what the kernels can do. */
const lstm = ((): OracleCase => {
  const [length, batch, size, hidden] = [4, 2, 3, 2];
  const attributes = { hidden_size: int(hidden) };
  const states = [
    [1, batch, hidden],
    [1, batch, hidden],
  ];
  const weights = [
    [1, 4 * hidden, size],
    [1, 4 * hidden, hidden],
    [1, 8 * hidden],
  ];
  return {
    ...{ op: 'LSTM', kernel: 'LSTMGrad', attributes, compared: [0, 1, 2, 3, 5, 6] },
    inputs: [[length, batch, size], ...weights, undefined, ...states],
    nodes: (node) => [
      node(
        ms('LSTMTraining'),
        ['x0', 'x1', 'x2', 'x3', '', 'x5', 'x6'],
        ['y', 'last', 'cell', 'cells', 'gates'],
        attributes,
      ),
      node(
        ms('LSTMGrad'),
        ['x0', 'x1', 'x2', '', 'x5', 'x6', 'y', 'cells', 'gates', 'dy'],
        ['d0', 'd1', 'd2', 'd3', 'd5', 'd6'],
        attributes,
      ),
    ],
  };
})();

const grus = [0, 1].map((before): OracleCase => {
  const [length, batch, size, hidden] = [4, 2, 3, 2];
  const attributes = { hidden_size: int(hidden), linear_before_reset: int(before) };
  const given = ['x0', 'x1', 'x2', 'x3', '', 'x5'];
  const weights = [
    [1, 3 * hidden, size],
    [1, 3 * hidden, hidden],
    [1, 6 * hidden],
  ];
  return {
    ...{ op: 'GRU', kernel: 'GRUGrad', attributes, compared: [0, 1, 2, 3, 5] },
    inputs: [[length, batch, size], ...weights, undefined, [1, batch, hidden]],
    nodes: (node) => [
      node(ms('GRUTraining'), given, ['y', 'last', 'gates'], attributes),
      node(
        ms('GRUGrad'),
        [...given, 'y', 'gates', 'dy'],
        ['d0', 'd1', 'd2', 'd3', 'd5'],
        attributes,
      ),
    ],
  };
});

/** Convolutions, normalisations, pools, recurrent networks. */
export const layerOracles: readonly OracleCase[] = [
  ...convolutions,
  ...layerNorms,
  ...rmsNorms,
  ...batchNorms,
  ...pools,
  lstm,
  ...grus,
];
