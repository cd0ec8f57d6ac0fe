import { int, ints, scalar } from '@starling/onnx';
import { describe, expect, test } from 'vitest';
import { type Case, checkGradients, gradientsOf } from '../../../test/helpers/gradient-check.ts';

const at = (shape: readonly number[], values: readonly number[]) => ({ shape, values });
const row = (values: readonly number[]) => at([values.length], values);

/**
 * Where differences say nothing: on kinks and ties. Expected is what PyTorch has, but for MaxPool,
 * where PyTorch gives all to the first maximum, and for HardSwish at ±3.
 */
const kinks: readonly (readonly [kase: Case, expected: readonly (readonly number[])[]])[] = [
  [{ op: 'Relu', inputs: [row([-1, 0, 2e-30, 2])] }, [[0, 0, 1, 1]]],
  [{ op: 'Abs', inputs: [row([-2e-30, 0, 3])] }, [[-1, 0, 1]]],
  [{ op: 'HardSigmoid', inputs: [row([-2.5, 2.5, 0])] }, [[0, 0, 0.2]]],
  [{ op: 'HardSwish', inputs: [row([-4, -3, 3, 4])] }, [[0, 0, 1, 1]]],
  [{ op: 'Elu', inputs: [row([0, 1])] }, [[1, 1]]],
  [{ op: 'LeakyRelu', inputs: [row([0, 1])] }, [[Math.fround(0.01), 1]]],
  [{ op: 'PRelu', inputs: [row([0, -2]), at([1], [0.5])] }, [[0.5, 0.5], [-2]]],
  [{ op: 'Clip', inputs: [row([-1, 0, 2, 3]), scalar(0), scalar(2)] }, [[0, 1, 1, 0]]],
  [
    { op: 'Max', inputs: [row([1, 2, 3]), row([2, 2, 2])] },
    [
      [0, 0.5, 1],
      [1, 0.5, 0],
    ],
  ],
  [
    { op: 'Min', inputs: [row([1, 2]), row([1, 1]), row([1, 3])] },
    [
      [1 / 3, 0],
      [1 / 3, 1],
      [1 / 3, 0],
    ],
  ],
  [{ op: 'ReduceMax', inputs: [row([1, 4, 4, 2])] }, [[0, 0.5, 0.5, 0]]],
  [{ op: 'ReduceL1', inputs: [row([0, -3])] }, [[0, -1]]],
  [{ op: 'ReduceL2', inputs: [row([0, 0])] }, [[0, 0]]],
  [{ op: 'LpNormalization', inputs: [row([0, 0])] }, [[1, 1]]],
  [{ op: 'Pow', inputs: [row([0, 2]), scalar(0)] }, [[0, 0]]],
  [
    { op: 'Pow', inputs: [row([0, 2]), row([0, 0])] },
    [
      [0, 0],
      [0, Math.fround(Math.log(2))],
    ],
  ],
  [
    {
      op: 'MaxPool',
      inputs: [at([1, 1, 4], [1, 1, 3, 2])],
      attributes: { kernel_shape: ints([2]), strides: ints([2]) },
    },
    [[0.5, 0.5, 1, 0]],
  ],
  [
    { op: 'MaxPool', inputs: [at([1, 1, 3], [5, 5, 1])], attributes: { kernel_shape: ints([2]) } },
    [[0.5, 1.5, 0]],
  ],
  [
    {
      op: 'LpPool',
      inputs: [at([1, 1, 4], [0, 0, 3, 4])],
      attributes: { kernel_shape: ints([2]), strides: ints([2]) },
    },
    [[0, 0, 0.6, 0.8]],
  ],
  [
    { op: 'MeanVarianceNormalization', inputs: [row([2, 2])], attributes: { axes: ints([0]) } },
    [[0, 0]],
  ],
];

describe('on a kink', () => {
  for (const [kase, expected] of kinks) {
    test(kase.op, async () => {
      const found = await gradientsOf(kase);
      for (const [i, values] of expected.entries()) {
        for (const [j, value] of values.entries()) expect(found[i]![j]).toBeCloseTo(value, 6);
      }
    });
  }
});

describe('a product with zeros', () => {
  const zeros = (values: readonly number[]): Case => ({ op: 'ReduceProd', inputs: [row(values)] });
  checkGradients([
    zeros([2, 0, 3]),
    zeros([0, 0, 3]),
    zeros([0]),
    {
      op: 'ReduceProd',
      inputs: [at([2, 3], [0, 1, 2, 3, 0, 0])],
      attributes: { axes: ints([1]), keepdims: int(0) },
    },
  ]);
});
