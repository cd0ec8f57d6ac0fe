import { afterAll, describe, expect, test } from 'vitest';
import { titleOf } from '../helpers/gradient-check.ts';
import { node } from '../helpers/small-graphs.ts';
import { differences } from './oracle.ts';
import { ORACLE_CASES } from './oracle-cases.ts';

/** Of the largest element of a gradient: rounding of sums in another order. */
const TOLERANCE = 1e-5;

/** Gradient kernels of the training build; its GatherNDGrad throws whatever it is given. */
const KERNELS = [
  ...['AveragePoolGrad', 'BatchNormInternal', 'BatchNormalizationGrad', 'BiasFastGeluGrad_dX'],
  ...['BiasGeluGrad_dX', 'BroadcastGradientArgs', 'ConcatTraining', 'ConvGrad', 'DivGrad'],
  ...['DropoutGrad', 'FastGeluGrad', 'GRUGrad', 'GRUTraining', 'GatherElementsGrad', 'GatherGrad'],
  ...['GeluGrad', 'LSTMGrad', 'LSTMTraining', 'LayerNormalizationGrad', 'LeakyReluGrad'],
  ...['LogSoftmaxGrad', 'LogSoftmaxGrad_13', 'MaxPoolGrad', 'QuickGeluGrad', 'ReduceSumTraining'],
  ...['ReluGrad', 'SigmoidGrad', 'SimplifiedLayerNormalizationGrad', 'SliceGrad', 'SoftmaxGrad'],
  ...['SoftmaxCrossEntropyLossGrad', 'SoftmaxGrad_13', 'SparseSoftmaxCrossEntropyGrad'],
  ...['SplitTraining', 'TanhGrad'],
];

describe("ONNX Runtime's own gradient kernels", () => {
  const worst = new Map<string, number>();
  afterAll(() => {
    const rows = Array.from(worst, ([kernel, value]) => `${kernel} ${value.toExponential(1)}`);
    const cases = `${ORACLE_CASES.length} cases of ${worst.size} gradients, two draws each`;
    console.log(`${cases}; largest relative differences: ${rows.join(', ')}`);
  });

  test('every kernel that runs is used', () => {
    const used = ORACLE_CASES.flatMap((kase) => kase.nodes(node).map(({ op }) => op));
    const kernels = used.map((op) => op.replace('com.microsoft.', ''));
    expect(KERNELS.filter((kernel) => !kernels.includes(kernel))).toEqual([]);
  });

  test.each(
    ORACLE_CASES.map((kase, i) => [`${i} ${kase.kernel}: ${titleOf(kase)}`, kase] as const),
  )('agrees: %s', async (_, kase) => {
    for (const seed of [1, 2]) {
      for (const difference of await differences(kase, seed)) {
        expect(difference).toBeLessThan(TOLERANCE);
        worst.set(kase.kernel, Math.max(worst.get(kase.kernel) ?? 0, difference));
      }
    }
  });
});
