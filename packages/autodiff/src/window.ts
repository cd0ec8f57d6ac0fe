import type { Window } from '@starling/onnx';
import type { Ops } from './ops.ts';

/** Cells from the first to past the last that windows touch, per spatial axis, pads included. */
const extent = ({ output, strides, kernel, dilations }: Window) =>
  output.map((count, i) => (count - 1) * strides[i]! + (kernel[i]! - 1) * dilations[i]! + 1);

/** [N, C, …size] with pads to [N, C, …extent]; cells that no window touches are cut off. */
export function padded(g: Ops, x: string, window: Window, value: number): string {
  const size = g.shape(x).slice(2);
  const need = extent(window);
  const end = size.map((dim, i) => Math.max(0, need[i]! - dim - window.padsBegin[i]!));
  const wide = g.pad(x, [0, 0, ...window.padsBegin], [0, 0, ...end], value);
  return g.slice(
    wide,
    need.map((cells, i) => ({ axis: i + 2, start: 0, end: cells })),
  );
}

/** The reverse of `padded` for gradients: [N, C, …extent] to [N, C, …size]. */
export function cropped(g: Ops, x: string, window: Window, size: readonly number[]): string {
  const have = g.shape(x).slice(2);
  const ranges = size.map((dim, i) => {
    const start = window.padsBegin[i]!;
    return { axis: i + 2, start, end: Math.min(start + dim, have[i]!) };
  });
  const missing = ranges.map(({ start, end }, i) => size[i]! - (end - start));
  return g.pad(g.slice(x, ranges), [0, 0, ...size.map(() => 0)], [0, 0, ...missing]);
}
