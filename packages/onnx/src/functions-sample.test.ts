import { checkForward, type ForwardCase } from '../../../test/helpers/forward-check.ts';
import { int, text } from './index.ts';

const image = [2, 3, 4, 5];
const grid = { shape: [2, 3, 2, 2], low: -1.9, high: 1.9, kinks: [] };

checkForward(
  ['bilinear', 'nearest'].flatMap((mode) =>
    ['zeros', 'border', 'reflection'].flatMap((padding) =>
      [0, 1].map(
        (align): ForwardCase => ({
          op: 'GridSample',
          inputs: [image, grid],
          attributes: {
            mode: text(mode),
            padding_mode: text(padding),
            align_corners: int(align),
          },
        }),
      ),
    ),
  ),
);
