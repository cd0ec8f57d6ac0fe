import type { FunctionBody, FunctionCall, FunctionEntry } from './function-call.ts';
import { int, numberAttribute, textAttribute } from './types.ts';

/** Largest whole number up to which float32 holds every one: positions are computed in it. */
const EXACT_MAX = 2 ** 24;

/** One axis of the image, and where the grid points lie on it: [N, points] in cells. */
interface Line {
  readonly size: number;
  readonly at: string;
}

/** A neighbour of every point along one axis. */
interface Neighbour {
  /** The cell, within the image. */
  readonly cell: string;
  readonly share: string;
}

const bounded = (call: FunctionCall, a: string, size: number) =>
  call.op('Clip', [a, call.number(0), call.number(size - 1)]);

const floor = (call: FunctionCall, a: string) => call.op('Floor', [a]);

/** Points outside thrown back at the border, as often as it takes. */
function reflected(call: FunctionCall, { size, at }: Line, corners: boolean): string {
  const [low, span] = corners ? [0, size - 1] : [-0.5, size];
  if (span === 0) return call.mul(at, call.number(0));
  const distance = call.op('Abs', [call.sub(at, call.number(low))]);
  const flips = floor(call, call.scale(distance, 1 / span));
  const rest = call.sub(distance, call.scale(flips, span));
  const odd = call.sub(flips, call.scale(floor(call, call.scale(flips, 0.5)), 2));
  const back = call.mul(odd, call.sub(call.number(span), call.scale(rest, 2)));
  return bounded(call, call.add(call.add(rest, back), call.number(low)), size);
}

/** Where the grid, in [−1, 1], points along axis `index` of its last dimension. */
function lineOf(call: FunctionCall, index: number, size: number): Line {
  const [batch, height, width] = call.input(1).shape;
  const corners = numberAttribute(call.node, 'align_corners', 0) === 1;
  const column = call.reshape(call.cut(call.x[1]!, 3, index, index + 1), [
    batch!,
    height! * width!,
  ]);
  const stretched = call.scale(column, (corners ? size - 1 : size) / 2);
  const at = call.add(stretched, call.number((size - 1) / 2));
  switch (textAttribute(call.node, 'padding_mode', 'zeros')) {
    case 'border':
      return { size, at: bounded(call, at, size) };
    case 'reflection':
      return { size, at: reflected(call, { size, at }, corners) };
    default:
      return { size, at };
  }
}

/** The cell at a whole position; where that is outside the image its share is 0. */
function neighbour(call: FunctionCall, position: string, size: number, share?: string): Neighbour {
  const cell = bounded(call, position, size);
  const inside = call.op('Cast', [call.op('Equal', [cell, position])], { to: int(1) });
  return { cell, share: share === undefined ? inside : call.mul(share, inside) };
}

/** To the nearest whole number, halves to the even one: what Round does, which GPUs lack. */
function rounded(call: FunctionCall, a: string): string {
  const above = call.add(a, call.number(0.5));
  const whole = floor(call, above);
  const odd = call.sub(whole, call.scale(floor(call, call.scale(whole, 0.5)), 2));
  const tie = call.op('Cast', [call.op('Equal', [above, whole])], { to: int(1) });
  return call.sub(whole, call.mul(tie, odd));
}

function neighbours(call: FunctionCall, { size, at }: Line): readonly Neighbour[] {
  const mode = textAttribute(call.node, 'mode', 'bilinear');
  if (mode === 'nearest') return [neighbour(call, rounded(call, at), size)];
  if (mode !== 'bilinear' && mode !== 'linear') call.refuse(`mode ${mode} is not supported`);
  const low = floor(call, at);
  const share = call.sub(at, low);
  return [
    neighbour(call, low, size, call.sub(call.number(1), share)),
    neighbour(call, call.add(low, call.number(1)), size, share),
  ];
}

/** An image [N, C, H, W] at the points of a grid [N, H', W', 2] (Jaderberg et al. 2015). */
const gridSample: FunctionBody = (call) => {
  const [image, grid] = [call.input(0).shape, call.input(1).shape];
  const [batch, channels, height, width] = image;
  const fits = image.length === 4 && grid.length === 4 && grid[0] === batch && grid[3] === 2;
  if (!fits) call.fail(`[${image}] at [${grid}]`);
  if (height! * width! > EXACT_MAX) call.refuse(`images of ${height! * width!} cells`);
  const points = grid[1]! * grid[2]!;
  const cells = call.reshape(call.x[0]!, [batch!, channels!, height! * width!]);
  const columns = neighbours(call, lineOf(call, 0, width!));
  const taken = neighbours(call, lineOf(call, 1, height!)).flatMap((row) =>
    columns.map((column) => {
      const position = call.add(call.scale(row.cell, width!), column.cell);
      const index = call.op('Cast', [call.reshape(position, [batch!, 1, points])], { to: int(6) });
      const spread = call.op('Expand', [index, call.integers([batch!, channels!, points])]);
      const values = call.op('GatherElements', [cells, spread], { axis: int(2) });
      const share = call.mul(row.share, column.share);
      return call.mul(values, call.reshape(share, [batch!, 1, points]));
    }),
  );
  const sum = taken.reduce((total, part) => call.add(total, part));
  return [call.reshape(sum, [batch!, channels!, grid[1]!, grid[2]!])];
};

export const sampleFunctions: readonly FunctionEntry[] = [['GridSample', gridSample, [2, 2]]];
