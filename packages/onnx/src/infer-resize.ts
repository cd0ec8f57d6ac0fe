import type { InferenceCall, InferenceEntry, InferenceRule } from './inference.ts';
import { numberAttribute, textAttribute } from './types.ts';

const pad: InferenceRule = (call) => {
  const { dtype, shape } = call.input(0);
  const pads = call.list(1);
  if (pads.length !== 2 * shape.length) call.fail(`pads [${pads}] of rank ${shape.length}`);
  const mode = textAttribute(call.node, 'mode', 'constant');
  if (!['constant', 'reflect', 'edge'].includes(mode)) call.fail(`mode ${mode}`);
  const out = shape.map((dim, i) => dim + pads[i]! + pads[shape.length + i]!);
  if (out.some((dim) => dim < 0)) call.fail(`pads [${pads}] of [${shape}]`);
  for (const [i, dim] of shape.entries()) {
    const [begin, end] = [pads[i]!, pads[shape.length + i]!];
    const left = dim + Math.min(0, begin) + Math.min(0, end);
    const most = mode === 'reflect' ? left - 1 : left < 1 ? 0 : Number.POSITIVE_INFINITY;
    if (mode === 'constant' || Math.max(0, begin, end) <= Math.max(0, most)) continue;
    call.fail(`pads [${pads}] in mode ${mode} need more than there is in [${shape}]`);
  }
  return [{ dtype, shape: out }];
};

/** How far one axis is stretched. */
export interface ResizedAxis {
  readonly input: number;
  readonly output: number;
  /** As given, or output over input where sizes are given. */
  readonly scale: number;
}

/** Scales (input 2) or sizes (input 3), whichever is given, for each axis. */
export function resizedAxes(call: InferenceCall): readonly ResizedAxis[] {
  const { shape } = call.input(0);
  const given = (index: number) => {
    const list = call.optional(index) === undefined ? [] : call.list(index);
    return list.length === 0 ? undefined : list;
  };
  const [scales, sizes] = [given(2), given(3)];
  const list = scales ?? sizes ?? call.fail('neither scales nor sizes are given');
  if (list.length !== shape.length) call.fail(`scales or sizes [${list}] for [${shape}]`);
  return shape.map((input, i) => {
    const output = scales ? Math.floor(Math.fround(input * scales[i]!)) : list[i]!;
    if (!Number.isInteger(output) || output < 0) call.fail(`size ${output} for [${shape}]`);
    if (input === 0 && output > 0) call.fail(`[${shape}] has nothing to stretch`);
    return { input, output, scale: scales ? scales[i]! : Math.fround(output / input) };
  });
}

const MODES = ['nearest', 'linear', 'cubic'];
const COORDINATES = ['half_pixel', 'pytorch_half_pixel', 'align_corners', 'asymmetric'];

const resize: InferenceRule = (call) => {
  const mode = textAttribute(call.node, 'mode', 'nearest');
  const coordinates = textAttribute(call.node, 'coordinate_transformation_mode', 'half_pixel');
  if (!MODES.includes(mode)) call.fail(`mode ${mode}`);
  if (![...COORDINATES, 'tf_half_pixel_for_nn'].includes(coordinates)) {
    call.refuse(`coordinate_transformation_mode ${coordinates} is not supported`);
  }
  if (numberAttribute(call.node, 'antialias', 0) !== 0) call.refuse('antialias is not supported');
  const axes = resizedAxes(call);
  return [{ dtype: call.input(0).dtype, shape: axes.map(({ output }) => output) }];
};

/** Operators that change sizes by repeating, dropping or mixing neighbours. */
export const resizeEntries: readonly InferenceEntry[] = [
  ['Pad', pad, [2, 3]],
  ['Resize', resize, [1, 4]],
];
