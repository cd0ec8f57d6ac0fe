import { int, int64s, ints } from '@starling/onnx';
import { type Case, checkGradients } from '../../../test/helpers/gradient-check.ts';
import { reduceRules } from './rules-reduce.ts';

const REDUCTIONS = 'Sum Mean Max Min Prod L1 L2 SumSquare LogSum LogSumExp'.split(' ');
const drawn = (name: string, shape: readonly number[]) =>
  name === 'LogSum' ? { shape, low: 0.3, high: 2 } : { shape };

/** Axes as an attribute or an input, kept or not, negative, none, of size 1. */
const forms = (name: string): readonly Case[] => {
  const op = `Reduce${name}`;
  return [
    { op, inputs: [drawn(name, [2, 3, 2])] },
    { op, inputs: [drawn(name, [2, 3, 2])], attributes: { keepdims: int(0) } },
    { op, inputs: [drawn(name, [2, 3, 2])], attributes: { axes: ints([0, 2]), keepdims: int(0) } },
    { op, inputs: [drawn(name, [2, 3])], attributes: { axes: ints([-1]) } },
    { op, inputs: [drawn(name, [2, 3]), int64s([-2])], attributes: { keepdims: int(0) } },
    { op, inputs: [drawn(name, [2, 1, 3]), int64s([1])] },
    { op, inputs: [drawn(name, [2, 2, 3]), int64s([2, 0])] },
    { op, inputs: [drawn(name, [2, 3]), int64s([])] },
    { op, inputs: [drawn(name, [2, 3])], attributes: { noop_with_empty_axes: int(1) } },
    { op, inputs: [drawn(name, [3]), int64s([])], attributes: { noop_with_empty_axes: int(1) } },
    { op, inputs: [drawn(name, [])] },
    { op, inputs: [drawn(name, [0, 3]), int64s([1])] },
  ];
};

/** Over an axis of size 0, where something is defined. */
const empty = ['Sum', 'Prod', 'L1', 'L2', 'SumSquare'].map(
  (name): Case => ({ op: `Reduce${name}`, inputs: [[2, 0]], attributes: { axes: ints([1]) } }),
);

const softmaxes = ['Softmax', 'LogSoftmax'].flatMap((op): Case[] => [
  ...[-1, 1, 0].map((axis): Case => ({ op, inputs: [[2, 3, 2]], attributes: { axis: int(axis) } })),
  { op, inputs: [[2, 3]] },
  { op, inputs: [[3]] },
  { op, inputs: [[2, 1]] },
  { op, inputs: [[0, 3]] },
]);

checkGradients([...REDUCTIONS.flatMap(forms), ...empty, ...softmaxes], reduceRules);
