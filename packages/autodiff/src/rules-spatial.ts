import {
  elementCount,
  int,
  ints,
  intsAttribute,
  numberAttribute,
  tensorOf,
  type Window,
  windowOf,
} from '@starling/onnx';
import type { Ops } from './ops.ts';
import { type GradientCall, type RuleEntry, rule } from './rule.ts';

/** Padding that never wins a maximum against a finite input. */
const LOWEST = -3.4028234663852886e38;

/** Cells from the first to past the last that windows touch, per spatial axis, pads included. */
const extent = ({ output, strides, kernel, dilations }: Window) =>
  output.map((count, i) => (count - 1) * strides[i]! + (kernel[i]! - 1) * dilations[i]! + 1);

/** [N, C, …] with pads, so that windows lie within it; cells that no window touches are cut off. */
function padded(g: Ops, x: string, window: Window, value: number): string {
  const size = g.shape(x).slice(2);
  const need = extent(window);
  const end = size.map((dim, i) => Math.max(0, need[i]! - dim - window.padsBegin[i]!));
  return g.pad(x, [0, 0, ...window.padsBegin], [0, 0, ...end], value);
}

/** The reverse of `padded` for gradients: [N, C, …extent] to [N, C, …size]. */
function cropped(g: Ops, x: string, window: Window, size: readonly number[]): string {
  const have = g.shape(x).slice(2);
  const ranges = size.map((dim, i) => {
    const start = window.padsBegin[i]!;
    return { axis: i + 2, start, end: Math.min(start + dim, have[i]!) };
  });
  const missing = ranges.map(({ start, end }, i) => size[i]! - (end - start));
  return g.pad(g.slice(x, ranges), [0, 0, ...size.map(() => 0)], [0, 0, ...missing]);
}

/** All positions inside a kernel, in row-major order. */
function offsets(kernel: readonly number[]): number[][] {
  return kernel.reduce<number[][]>(
    (done, size) => done.flatMap((at) => Array.from({ length: size }, (_, i) => [...at, i])),
    [[]],
  );
}

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

function poolWindow({ g, node, x }: GradientCall): Window {
  const size = g.shape(x[0]!).slice(2);
  return windowOf(node, size, intsAttribute(node, 'kernel_shape')!);
}

/**
 * The gradient goes to the maximum of each window, to the first in row-major order when several are
 * equal, as PyTorch does. Window by window position: who equals the maximum takes what is left of
 * dY.
 */
function maxPool(call: GradientCall) {
  const { g, x, y, dy } = call;
  return [
    () => {
      const window = poolWindow(call);
      const wide = padded(g, x[0]!, window, LOWEST);
      let left = dy;
      const taken = offsets(window.kernel).map((offset) => {
        const cells = g.slice(
          wide,
          offset.map((position, i) => {
            const start = position * window.dilations[i]!;
            const step = window.strides[i]!;
            return { axis: i + 2, start, end: start + (window.output[i]! - 1) * step + 1, step };
          }),
        );
        const share = g.where(g.equal(cells, y[0]!), left, g.number(0));
        left = g.sub(left, share);
        return share;
      });
      return cropped(g, scattered(g, taken, window), window, g.shape(x[0]!).slice(2));
    },
  ];
}

/** Sums per-position gradients [N, C, …output] back into [N, C, …extent]. */
function scattered(g: Ops, parts: readonly string[], window: Window): string {
  const tiles = window.kernel.every(
    (size, i) => size === window.strides[i] && (size === 1 || window.dilations[i] === 1),
  );
  return tiles ? interleaved(g, parts, window) : spreadOut(g, parts, window);
}

/** Windows that tile the input: positions only have to be put side by side. */
function interleaved(g: Ops, parts: readonly string[], { kernel, output }: Window): string {
  const lead = g.shape(parts[0]!).slice(0, 2);
  const rank = kernel.length;
  let level = [...parts];
  // From the innermost axis outwards: [N, C, o0, …, oi, inner] gains the kernel's positions on
  // axis i.
  for (let axis = rank - 1; axis >= 0; axis--) {
    const tail = output.slice(axis + 1).map((count, i) => count * kernel[axis + 1 + i]!);
    const shape = [...lead, ...output.slice(0, axis + 1), 1, ...tail];
    const size = kernel[axis]!;
    level = Array.from({ length: level.length / size }, (_, i) => {
      const group = level.slice(i * size, (i + 1) * size).map((part) => g.reshape(part, shape));
      const joined = g.concat(group, axis + 3);
      return g.reshape(joined, [...lead, ...output.slice(0, axis), output[axis]! * size, ...tail]);
    });
  }
  return level[0]!;
}

/** Windows that overlap or leave gaps: a transposed convolution with one-hot kernels. */
function spreadOut(g: Ops, parts: readonly string[], window: Window): string {
  const [batch, channels, ...output] = g.shape(parts[0]!);
  const count = parts.length;
  const images = parts.map((part) => g.reshape(part, [batch! * channels!, 1, ...output]));
  const hot = Array.from({ length: count * count }, (_, i) => Number(i % (count + 1) === 0));
  const weight = g.builder.constant(tensorOf('float32', [count, 1, ...window.kernel], hot));
  return transposedWindow(g, g.concat(images, 1), weight, window, [batch!, channels!]);
}

function transposedWindow(
  g: Ops,
  images: string,
  weight: string,
  window: Window,
  lead: readonly number[],
): string {
  const back = g.call('ConvTranspose', [images, weight], {
    strides: ints(window.strides),
    dilations: ints(window.dilations),
  });
  return g.reshape(back, [...lead, ...g.shape(back).slice(2)]);
}

function averagePool(call: GradientCall) {
  const { g, node, x, dy } = call;
  return [
    () => {
      const window = poolWindow(call);
      const [batch, channels, ...size] = g.shape(x[0]!);
      const wholeKernel = numberAttribute(node, 'count_include_pad', 0) === 1;
      const counts = cellCounts(window, size, wholeKernel);
      const inverse = counts.map((count) => 1 / count);
      const factors = tensorOf('float32', [1, 1, ...window.output], inverse);
      const shares = g.mul(dy, g.builder.constant(factors));
      const images = g.reshape(shares, [batch! * channels!, 1, ...window.output]);
      const ones = new Array<number>(elementCount(window.kernel)).fill(1);
      const weight = g.builder.constant(tensorOf('float32', [1, 1, ...window.kernel], ones));
      const back = transposedWindow(g, images, weight, window, [batch!, channels!]);
      return cropped(g, back, window, size);
    },
  ];
}

/** By how many cells each window's sum was divided, in row-major order of the output. */
function cellCounts(window: Window, size: readonly number[], withPads: boolean): number[] {
  const axes = size.map((dim, i) => {
    const begin = window.padsBegin[i]!;
    const [low, high] = withPads ? [0, dim + begin + window.padsEnd[i]!] : [begin, begin + dim];
    return Array.from({ length: window.output[i]! }, (_, position) => {
      const cells = Array.from(
        { length: window.kernel[i]! },
        (_, k) => position * window.strides[i]! + k * window.dilations[i]!,
      );
      return cells.filter((cell) => cell >= low && cell < high).length;
    });
  });
  return axes.reduce<number[]>(
    (done, counts) => done.flatMap((a) => counts.map((b) => a * b)),
    [1],
  );
}

export const spatialRules: readonly RuleEntry[] = [
  rule('Conv', conv),
  rule('MaxPool', maxPool),
  rule('AveragePool', averagePool),
  rule('GlobalAveragePool', ({ g, x, dy }) => [
    () => {
      const shape = g.shape(x[0]!);
      const mean = g.scale(dy, 1 / elementCount(shape.slice(2)));
      return g.broadcastTo(mean, shape);
    },
  ]),
];
