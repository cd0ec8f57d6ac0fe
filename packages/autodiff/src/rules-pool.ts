import { ProtocolError } from '@starling/core';
import {
  elementCount,
  ints,
  intsAttribute,
  MODEL_LIMITS,
  numberAttribute,
  tensorOf,
  text,
  type Window,
  windowCounts,
  windowOf,
} from '@starling/onnx';
import { equalMask } from './masks.ts';
import type { Ops } from './ops.ts';
import { type GradientCall, type RuleEntry, rule } from './rule.ts';
import { cropped, padded } from './window.ts';

/** Padding that never wins a maximum against a finite input. */
const LOWEST = -3.4028234663852886e38;

/** All positions inside a kernel, in row-major order. */
function offsets(kernel: readonly number[]): number[][] {
  return kernel.reduce<number[][]>(
    (done, size) => done.flatMap((at) => Array.from({ length: size }, (_, i) => [...at, i])),
    [[]],
  );
}

function poolWindow({ g, node, x }: GradientCall): Window {
  const size = g.shape(x[0]!).slice(2);
  return windowOf(node, size, intsAttribute(node, 'kernel_shape')!);
}

/** Whether windows lie side by side: then each cell is in one window. */
const tiles = ({ kernel, strides, dilations, output }: Window) =>
  kernel.every((size, i) => {
    const apart = size === strides[i] || output[i] === 1;
    return apart && (size === 1 || dilations[i] === 1);
  });

/**
 * [N, C, …output] to [N, C, …output·kernel]: every value in all cells of its window. A nearest
 * Resize, which is far faster than a broadcast over split axes. Rank 4 whatever the input's.
 */
function spreadOverTiles(g: Ops, value: string, { kernel, output }: Window): string {
  const [batch, channels] = g.shape(value);
  const flat = output.length === 3 ? [batch! * channels!] : [batch!, channels!];
  const filler = output.length === 1 ? [1] : [];
  const scales = [...flat.map(() => 1), ...kernel, ...filler];
  const factors = g.builder.constant(tensorOf('float32', [scales.length], scales));
  const images = g.reshape(value, [...flat, ...output, ...filler]);
  const spread = g.call('Resize', [images, '', factors], {
    mode: text('nearest'),
    coordinate_transformation_mode: text('asymmetric'),
    nearest_mode: text('floor'),
  });
  const whole = output.map((count, i) => count * kernel[i]!);
  return g.reshape(spread, [batch!, channels!, ...whole]);
}

/** The gradient goes to the maximum of each window; equal maxima share it. */
function maxPool(call: GradientCall): string {
  const { g, x } = call;
  const window = poolWindow(call);
  const wide = padded(g, x[0]!, window, LOWEST);
  const back = tiles(window) ? maxOfTiles(call, wide, window) : maxOfWindows(call, wide, window);
  return cropped(g, back, window, g.shape(x[0]!).slice(2));
}

/** @param wide the input [N, C, …output·kernel] */
function maxOfTiles({ g, y, dy }: GradientCall, wide: string, window: Window): string {
  const wins = equalMask(g, wide, spreadOverTiles(g, y[0]!, window));
  const attributes = { kernel_shape: ints(window.kernel), strides: ints(window.kernel) };
  const share = g.call('AveragePool', [wins], attributes);
  const each = g.div(g.scale(dy, 1 / elementCount(window.kernel)), share);
  return g.mul(wins, spreadOverTiles(g, each, window));
}

/** Window position by window position, since a cell may win in several windows. */
function maxOfWindows(call: GradientCall, wide: string, window: Window): string {
  const { g, node, y, dy } = call;
  if (elementCount(window.kernel) > MODEL_LIMITS.poolCellsMax) {
    const what = `overlapping windows [${window.kernel}] of more than ${MODEL_LIMITS.poolCellsMax}`;
    throw new ProtocolError('model-limit', `node "${node.name}" (MaxPool): ${what} cells`);
  }
  const wins = offsets(window.kernel).map((offset) => {
    const cells = g.slice(
      wide,
      offset.map((position, i) => {
        const start = position * window.dilations[i]!;
        const step = window.strides[i]!;
        return { axis: i + 2, start, end: start + (window.output[i]! - 1) * step + 1, step };
      }),
    );
    return equalMask(g, cells, y[0]!);
  });
  const each = g.div(dy, wins.reduce(g.add));
  const shares = wins.map((win) => g.mul(win, each));
  return gatheredBack(g, shares, window);
}

/**
 * Sums per-position gradients [N, C, …output] back into the cells that windows touch: a transposed
 * convolution with one-hot kernels.
 */
function gatheredBack(g: Ops, parts: readonly string[], window: Window): string {
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

/** Over the number of cells that each window's average counted. */
function dividedByCounts(g: Ops, dy: string, counts: readonly (readonly number[])[]): string {
  let even = 1;
  let share = dy;
  for (const [axis, list] of counts.entries()) {
    if (list.every((count) => count === list[0])) {
      even *= list[0]!;
    } else {
      const shape = [list.length, ...counts.slice(axis + 1).map(() => 1)];
      share = g.div(share, g.builder.constant(tensorOf('float32', shape, list)));
    }
  }
  return g.scale(share, 1 / even);
}

function averagePool(call: GradientCall): string {
  const { g, node, x, dy } = call;
  const window = poolWindow(call);
  const [batch, channels, ...size] = g.shape(x[0]!);
  const withPads = numberAttribute(node, 'count_include_pad', 0) === 1;
  const shares = dividedByCounts(g, dy, windowCounts(window, size, withPads));
  if (tiles(window)) return cropped(g, spreadOverTiles(g, shares, window), window, size);
  const images = g.reshape(shares, [batch! * channels!, 1, ...window.output]);
  const ones = new Array<number>(elementCount(window.kernel)).fill(1);
  const weight = g.builder.constant(tensorOf('float32', [1, 1, ...window.kernel], ones));
  const back = transposedWindow(g, images, weight, window, [batch!, channels!]);
  return cropped(g, back, window, size);
}

/** Operators that slide a window without weights. */
export const poolRules: readonly RuleEntry[] = [
  rule('MaxPool', (call) => [() => maxPool(call)]),
  rule('AveragePool', (call) => [() => averagePool(call)]),
  rule('GlobalAveragePool', ({ g, x, dy }) => [
    () => {
      const shape = g.shape(x[0]!);
      const mean = g.scale(dy, 1 / elementCount(shape.slice(2)));
      return g.broadcastTo(mean, shape);
    },
  ]),
];
