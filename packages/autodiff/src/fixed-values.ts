import type { Tensor } from '@starling/onnx';

/** From this value on an element of a matrix blots out what it is added to. */
const BLOTTING = -1e4;

/**
 * What a float32 initialiser is when its values show that it is no weight, for the end of a
 * sentence. Exporters store what a program has computed once beside the weights, and its gradient
 * is as good as any other's.
 */
export function fixedValues(tensor: Tensor): string | undefined {
  if (isMask(tensor)) return "its values are a mask's";
  return isSinusoid(tensor) ? 'its values are sines and cosines of positions' : undefined;
}

/** An attention mask, which is added to scores. No weight is infinite. */
function isMask({ shape, data }: Tensor): boolean {
  const least = shape.length < 2 ? -Infinity : BLOTTING;
  return data instanceof Float32Array && data.some((value) => value <= least);
}

/**
 * A table of positional encodings or rotations, a row for each position: angle 0 in the first row,
 * and angle 1 at the first sine and the first cosine of the second.
 */
function isSinusoid({ shape, data }: Tensor): boolean {
  const width = shape.at(-1) ?? 0;
  if (!(data instanceof Float32Array) || width < 4 || data.length < 2 * width) return false;
  const first = data.subarray(0, width);
  if (!first.every((value) => value === 0 || value === 1)) return false;
  const near = (column: number, value: number) =>
    column < 0 || Math.abs(data[width + column]! - value) < 1e-5;
  return near(first.indexOf(0), Math.sin(1)) && near(first.indexOf(1), Math.cos(1));
}
