import { int, text } from '@starling/onnx';
import { type Case, checkGradients } from '../../../test/helpers/gradient-check.ts';

/** Points in and around a 4×3 image, away from its cells' centres and its borders. */
const grid = {
  shape: [1, 3, 2, 2],
  values: [0.13, 0.21, -0.61, 0.3, 0.62, -0.55, -1.4, 0.2, 0.45, 1.6, 1.3, -1.27],
};

checkGradients([
  ...['zeros', 'border', 'reflection'].flatMap((padding) =>
    [0, 1].map(
      (align): Case => ({
        op: 'GridSample',
        inputs: [[1, 2, 3, 4], grid],
        attributes: { padding_mode: text(padding), align_corners: int(align) },
      }),
    ),
  ),
  { op: 'GridSample', inputs: [[1, 1, 1, 3], { shape: [1, 1, 1, 2], values: [0.3, 0.2] }] },
]);
