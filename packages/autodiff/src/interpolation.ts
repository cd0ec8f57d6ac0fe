import { type Node, numberAttribute, type ResizedAxis, textAttribute } from '@starling/onnx';

/** Input positions that one output position of a Resize mixes, and how much of each. */
export type Mix = readonly { readonly source: number; readonly weight: number }[];

const f = Math.fround;

/**
 * What a Resize of opset 17 shows at one position of one axis. The other axes do the same
 * independently. Positions are computed in float32, as ONNX Runtime does: which neighbour is the
 * nearest may hang on the last bit.
 */
export function interpolation(node: Node, axis: ResizedAxis, position: number): Mix {
  if (axis.scale === 1) return [{ source: position, weight: 1 }];
  const at = originalPosition(node, axis, position);
  switch (textAttribute(node, 'mode', 'nearest')) {
    case 'linear':
      return linear(at, axis.input);
    case 'cubic':
      return cubic(node, at, axis.input);
    default:
      return [{ source: nearest(node, at, axis.input), weight: 1 }];
  }
}

/** Where an output position lies between the input's positions. */
function originalPosition(
  node: Node,
  { input, output, scale }: ResizedAxis,
  position: number,
): number {
  const centre = f(f(position + 0.5) / f(scale));
  const kind = textAttribute(node, 'coordinate_transformation_mode', 'half_pixel');
  switch (kind) {
    case 'asymmetric':
      return f(position / f(scale));
    case 'align_corners':
      return output === 1 ? 0 : f(f(position * (input - 1)) / f(output - 1));
    case 'pytorch_half_pixel':
      return output > 1 ? f(centre - 0.5) : 0;
    case 'tf_half_pixel_for_nn':
      return centre;
    default:
      return f(centre - 0.5);
  }
}

const clamp = (position: number, size: number) => Math.min(Math.max(position, 0), size - 1);

function nearest(node: Node, at: number, size: number): number {
  const halfway = at - Math.trunc(at) === 0.5;
  switch (textAttribute(node, 'nearest_mode', 'round_prefer_floor')) {
    case 'floor':
      return clamp(Math.floor(at), size);
    case 'ceil':
      return clamp(Math.ceil(at), size);
    case 'round_prefer_ceil':
      return clamp(Math.round(at), size);
    default:
      return clamp(halfway ? Math.floor(at) : Math.round(at), size);
  }
}

function linear(at: number, size: number): Mix {
  const inside = clamp(at, size);
  const low = Math.floor(inside);
  const share = inside - low;
  if (share === 0) return [{ source: low, weight: 1 }];
  return [
    { source: low, weight: 1 - share },
    { source: low + 1, weight: share },
  ];
}

/** Keys' convolution kernel (1981) with the coefficient `a`. */
function cubicWeight(distance: number, a: number): number {
  const d = Math.abs(distance);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

/** Four neighbours; those outside are the border's, or left out with `exclude_outside`. */
function cubic(node: Node, at: number, size: number): Mix {
  const a = numberAttribute(node, 'cubic_coeff_a', -0.75);
  const without = numberAttribute(node, 'exclude_outside', 0) === 1;
  const low = Math.floor(at);
  const taps = [low - 1, low, low + 1, low + 2]
    .filter((source) => !without || (source >= 0 && source < size))
    .map((source) => ({ source, weight: cubicWeight(at - source, a) }));
  const total = without ? taps.reduce((sum, { weight }) => sum + weight, 0) : 1;
  return taps.map(({ source, weight }) => ({
    source: clamp(source, size),
    weight: weight / total,
  }));
}
