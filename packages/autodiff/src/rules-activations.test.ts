import { type Attribute, float, text } from '@starling/onnx';
import { type Case, checkGradients } from '../../../test/helpers/gradient-check.ts';
import { activationRules } from './rules-activations.ts';

const SHAPES = [[4, 3], [1], [], [2, 1, 3], [3, 0]];

/** One case for each shape, with values on both sides of all kinks. */
const activation = (
  op: string,
  attributes: Record<string, Attribute> = {},
  kinks: readonly number[] = [0],
) =>
  SHAPES.map((shape): Case => ({ op, inputs: [{ shape, low: -4, high: 4, kinks }], attributes }));

const slopes: readonly (readonly (readonly number[])[])[] = [
  [[2, 3], [3]],
  [
    [2, 3],
    [2, 3],
  ],
  [
    [2, 3, 2, 2],
    [3, 1, 1],
  ],
  [[2, 3, 4], [1]],
  [[3, 2], []],
  [[0, 3], [3]],
];

checkGradients(
  [
    ...'Relu LeakyRelu Elu Selu Celu Softsign HardSigmoid'.split(' ').flatMap((op) => {
      return activation(op, {}, [-2.5, 0, 2.5]);
    }),
    ...'Sigmoid Tanh Softplus Mish Gelu Swish'.split(' ').flatMap((op) => activation(op)),
    ...activation('HardSwish', {}, [-3, 0, 3]),
    ...[0.2, 1.5, -0.3].flatMap((alpha) => activation('LeakyRelu', { alpha: float(alpha) })),
    ...activation('Elu', { alpha: float(0.5) }),
    ...activation('Selu', { alpha: float(1.5), gamma: float(1.2) }),
    ...activation('Celu', { alpha: float(0.7) }),
    ...activation('HardSigmoid', { alpha: float(0.25), beta: float(0.4) }, [-1.6, 2.4]),
    ...activation('ThresholdedRelu', {}, [1]),
    ...activation('ThresholdedRelu', { alpha: float(-0.5) }, [-0.5]),
    ...activation('Shrink', { lambd: float(1), bias: float(0.5) }, [-1, 1]),
    ...activation('Gelu', { approximate: text('tanh') }),
    ...activation('Swish', { alpha: float(1.5) }),
    ...['Gelu', 'FastGelu', 'QuickGelu'].flatMap((op) => activation(`com.microsoft.${op}`)),
    { op: 'com.microsoft.FastGelu', inputs: [[2, 3], [3]] },
    { op: 'com.microsoft.BiasGelu', inputs: [[2, 3], [3]] },
    { op: 'com.microsoft.BiasGelu', inputs: [[2, 1, 3], [3]] },
    ...slopes.map(([x, slope]): Case => ({ op: 'PRelu', inputs: [x, slope] })),
  ],
  activationRules,
);
