import { int, ints, numberAttribute, type Window, windowOf } from '@starling/onnx';
import type { Ops } from './ops.ts';
import { type GradientCall, type RuleEntry, rule } from './rule.ts';
import { cropped } from './window.ts';

/**
 * Y = conv(X, W) + B. To the input it is a transposed convolution with the same weights; to the
 * weights it is a convolution of X with dY where batch and channels change places, and stride and
 * dilation too.
 */
function conv({ g, node, x, dy }: GradientCall) {
  const [input, weight] = [x[0]!, x[1]!];
  const shape = g.shape(input);
  const kernel = g.shape(weight).slice(2);
  const size = shape.slice(2);
  const group = numberAttribute(node, 'group', 1);
  const window = windowOf(node, size, kernel);
  const toInput = () => {
    const back = g.call('ConvTranspose', [dy, weight], {
      group: int(group),
      strides: ints(window.strides),
      dilations: ints(window.dilations),
    });
    return cropped(g, back, window, size);
  };
  const toWeight = () => convWeight(g, { input, dy, group, window, kernel });
  const toBias = () => g.reduceSum(dy, [0, ...size.map((_, i) => i + 2)], false);
  return (x[2] ?? '') === '' ? [toInput, toWeight] : [toInput, toWeight, toBias];
}

interface ConvWeight {
  readonly input: string;
  readonly dy: string;
  readonly group: number;
  readonly window: Window;
  readonly kernel: readonly number[];
}

/**
 * Y = conv transposed(X, W) + B. It is the gradient of a convolution, so its own to the input is
 * that convolution, of dY; to the weights, X and dY change places.
 */
function convTranspose({ g, node, x, dy }: GradientCall) {
  const [input, weight] = [x[0]!, x[1]!];
  const kernel = g.shape(weight).slice(2);
  const size = g.shape(dy).slice(2);
  const group = numberAttribute(node, 'group', 1);
  const window = windowOf(node, size, kernel);
  const toInput = () =>
    g.call('Conv', [dy, weight], {
      group: int(group),
      strides: ints(window.strides),
      dilations: ints(window.dilations),
      pads: ints([...window.padsBegin, ...window.padsEnd]),
    });
  const toWeight = () => convWeight(g, { input: dy, dy: input, group, window, kernel });
  const toBias = () => g.reduceSum(dy, [0, ...size.map((_, i) => i + 2)], false);
  return (x[2] ?? '') === '' ? [toInput, toWeight] : [toInput, toWeight, toBias];
}

/** @returns gradient [M, C/group, …kernel] */
function convWeight(g: Ops, { input, dy, group, window, kernel }: ConvWeight): string {
  const [batch, channels, ...size] = g.shape(input);
  const spatial = size.map((_, i) => i);
  const inner = channels! / group;
  // [N, group·C', …] to [C', group·N, …]: the batch becomes the channels that are summed over.
  const grouped = g.reshape(input, [batch!, group, inner, ...size]);
  const turned = g.transpose(grouped, [2, 1, 0, ...spatial.map((i) => i + 3)]);
  const images = g.reshape(turned, [inner, group * batch!, ...size]);
  const filters = g.transpose(dy, [1, 0, ...spatial.map((i) => i + 2)]);
  const raw = g.call('Conv', [images, filters], {
    group: int(group),
    strides: ints(window.dilations),
    dilations: ints(window.strides),
    pads: ints([...window.padsBegin, ...window.padsEnd]),
  });
  // A stride that does not divide the input leaves rows over, which no kernel cell ever met.
  const exact = g.slice(
    raw,
    kernel.map((end, i) => ({ axis: i + 2, start: 0, end })),
  );
  return g.transpose(exact, [1, 0, ...spatial.map((i) => i + 2)]);
}

/** Convolutions in any number of dimensions. */
export const convRules: readonly RuleEntry[] = [
  rule('Conv', conv),
  rule('ConvTranspose', convTranspose),
];
