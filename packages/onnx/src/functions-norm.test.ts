import { checkForward, type ForwardCase } from '../../../test/helpers/forward-check.ts';
import { float, int, ints, tensorOf } from './index.ts';

const deviations = { fed: tensorOf('float32', [3], [0.5, 1, 2]) };

checkForward([
  { op: 'LayerNormalization', inputs: [[2, 3, 4], [4], [4]], outputs: 3 },
  { op: 'LayerNormalization', inputs: [[2, 3, 4], [4], [4]] },
  {
    op: 'LayerNormalization',
    inputs: [
      [2, 3, 4],
      [3, 4],
    ],
    attributes: { axis: int(1) },
  },
  { op: 'BatchNormalization', inputs: [[2, 3, 4], [3], [3], [3], deviations] },
  ...[
    [2, 3, 4],
    [2, 3, 2, 2],
    [1, 2, 2, 2, 2],
  ].map(
    (shape): ForwardCase => ({
      op: 'InstanceNormalization',
      inputs: [shape, [shape[1]!], [shape[1]!]],
      attributes: { epsilon: float(0.01) },
    }),
  ),
  {
    op: 'GroupNormalization',
    inputs: [[2, 4, 3], [2], [2]],
    attributes: { num_groups: int(2) },
    opset: 18,
  },
  {
    op: 'GroupNormalization',
    inputs: [[2, 4, 3, 2], [4], [4]],
    attributes: { num_groups: int(2), epsilon: float(0.1) },
    opset: 21,
  },
  { op: 'RMSNormalization', inputs: [[2, 3, 4], [4]], opset: 23 },
  {
    op: 'RMSNormalization',
    inputs: [
      [2, 3, 4],
      [3, 4],
    ],
    attributes: { axis: int(1) },
    opset: 23,
  },
  { op: 'SimplifiedLayerNormalization', inputs: [[2, 3, 4], [4]], outputs: 2 },
  {
    op: 'com.microsoft.SkipLayerNormalization',
    inputs: [[2, 3, 4], [2, 3, 4], [4], [4], [4]],
    attributes: { epsilon: float(0.001) },
  },
  { op: 'com.microsoft.SkipLayerNormalization', inputs: [[2, 3, 4], [2, 3, 4], [4]] },
  {
    op: 'com.microsoft.SkipSimplifiedLayerNormalization',
    inputs: [[2, 3, 4], [2, 3, 4], [4]],
    attributes: { epsilon: float(0.001) },
  },
  // ONNX Runtime takes odd sizes only.
  ...[1, 3, 5].map(
    (size): ForwardCase => ({
      op: 'LRN',
      inputs: [[2, 4, 2, 3]],
      attributes: { size: int(size), alpha: float(0.3), beta: float(0.6), bias: float(1.5) },
    }),
  ),
  { op: 'LRN', inputs: [[2, 4, 2, 3]], attributes: { size: int(3) } },
  { op: 'MeanVarianceNormalization', inputs: [[2, 3, 2, 2]] },
  { op: 'MeanVarianceNormalization', inputs: [[2, 3, 2, 2]], attributes: { axes: ints([1, 3]) } },
  ...[1, 2].flatMap((p) =>
    [-1, 0].map(
      (axis): ForwardCase => ({
        op: 'LpNormalization',
        inputs: [[2, 3]],
        attributes: { p: int(p), axis: int(axis) },
      }),
    ),
  ),
  { op: 'LpNormalization', inputs: [{ fed: tensorOf('float32', [2, 2], [0, 0, 3, 4]) }] },
]);
