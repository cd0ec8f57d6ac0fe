import { float, int, ints } from '@starling/onnx';
import { type Case, checkGradients } from '../../../test/helpers/gradient-check.ts';
import { normRules } from './rules-norm.ts';

const layer = (x: number[], axis: number, scale: number[], bias?: number[]): Case => ({
  op: 'LayerNormalization',
  inputs: [x, scale, bias].slice(0, bias === undefined ? 2 : 3),
  attributes: { axis: int(axis) },
});
const positive = (shape: readonly number[]) => ({ shape, low: 0.5, high: 2 });
const batch = (x: readonly number[]): Case => {
  const channels = [x[1]!];
  return {
    op: 'BatchNormalization',
    inputs: [
      x,
      channels,
      channels,
      { fed: statistics(channels[0]!, 0) },
      { fed: statistics(channels[0]!, 1) },
    ],
    attributes: { epsilon: float(0.01) },
  };
};
const statistics = (count: number, from: number) => ({
  dtype: 'float32' as const,
  shape: [count],
  data: Float32Array.from({ length: count }, (_, i) => from + i / 4),
});

checkGradients(
  [
    layer([2, 3, 4], -1, [4], [4]),
    layer([2, 3, 4], -1, [4]),
    layer([2, 3, 4], 1, [3, 4], [3, 4]),
    layer([3, 4], 0, [3, 4], [3, 4]),
    layer([1, 5], 1, [5], [5]),
    layer([0, 4], -1, [4], [4]),
    { op: 'LayerNormalization', inputs: [[2, 4], [4]], attributes: { epsilon: float(0.1) } },
    { op: 'LayerNormalization', inputs: [[2, 4], [4]], outputs: 2 },
    { ...layer([2, 3, 2], 1, [3, 2], [3, 2]), outputs: 3 },
    ...[
      [2, 3],
      [2, 3, 4],
      [1, 2, 2, 3],
      [2, 1, 3],
      [2, 2, 1, 2, 2],
      [0, 2, 3],
    ].map(batch),
    ...[
      [2, 3, 4],
      [1, 2, 2, 3],
      [2, 1, 2, 2, 2],
      [0, 2, 3],
    ].map((x): Case => ({ op: 'InstanceNormalization', inputs: [x, [x[1]!], [x[1]!]] })),
    ...[
      [4, 4],
      [2, 4],
      [2, 2],
      [1, 1],
    ].map(
      ([groups, settings]): Case => ({
        op: 'GroupNormalization',
        inputs: [[2, 4, 3], [settings!], [settings!]],
        attributes: { num_groups: int(groups!) },
      }),
    ),
    {
      op: 'GroupNormalization',
      inputs: [[1, 6, 2, 2], [6], [6]],
      attributes: { num_groups: int(3), epsilon: float(0.01) },
    },
    ...[-1, 1].map(
      (axis): Case => ({
        op: 'RMSNormalization',
        inputs: [[2, 3, 2], axis === 1 ? [3, 2] : [2]],
        attributes: { axis: int(axis) },
      }),
    ),
    { op: 'SimplifiedLayerNormalization', inputs: [[3, 4], [4]] },
    { op: 'com.microsoft.SimplifiedLayerNormalization', inputs: [[3, 4], [4]], outputs: 2 },
    {
      op: 'com.microsoft.SkipLayerNormalization',
      inputs: [[1, 3, 4], [1, 3, 4], [4], [4], [4]],
    },
    { op: 'com.microsoft.SkipLayerNormalization', inputs: [[1, 3, 4], [1, 3, 4], [4]] },
    {
      op: 'com.microsoft.SkipSimplifiedLayerNormalization',
      inputs: [[2, 1, 4], [2, 1, 4], [4], [4]],
    },
    ...[1, 2, 3, 5].map(
      (size): Case => ({
        op: 'LRN',
        inputs: [[2, 4, 2, 2]],
        attributes: { size: int(size), alpha: float(0.3), beta: float(0.6), bias: float(1.5) },
      }),
    ),
    { op: 'LRN', inputs: [[1, 3, 2]], attributes: { size: int(3) } },
    { op: 'MeanVarianceNormalization', inputs: [[2, 3, 2, 2]] },
    {
      op: 'MeanVarianceNormalization',
      inputs: [[2, 3, 4]],
      attributes: { axes: ints([-1]) },
    },
    ...[1, 2].flatMap((p) =>
      [-1, 0, 1].map(
        (axis): Case => ({
          op: 'LpNormalization',
          inputs: [positive([2, 3, 2])],
          attributes: { p: int(p), axis: int(axis) },
        }),
      ),
    ),
    { op: 'LpNormalization', inputs: [[3, 4]] },
  ],
  normRules,
);
