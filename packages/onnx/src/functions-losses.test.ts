import { checkForward, type ForwardCase } from '../../../test/helpers/forward-check.ts';
import { int, int64s, tensorOf, text } from './index.ts';

const weights = tensorOf('float32', [3], [0.5, 2, 1]);
const flat = int64s([2, 0, 1, 1]);
const pixels = { fed: tensorOf('int64', [2, 2, 2], [0, 1, 2, 0, 1, 1, 2, 0]) };

const CALLS: readonly Omit<ForwardCase, 'op'>[] = [
  { inputs: [[4, 3], { fed: flat }] },
  { inputs: [[4, 3], { fed: tensorOf('int32', [4], [2, 0, 1, 1]) }] },
  { inputs: [[4, 3], { fed: flat }, weights] },
  { inputs: [[4, 3], { fed: flat }], attributes: { ignore_index: int(1) } },
  {
    inputs: [[4, 3], { fed: int64s([2, -100, 1, -100]) }],
    attributes: { ignore_index: int(-100) },
  },
  { inputs: [[4, 3], { fed: flat }, weights], attributes: { ignore_index: int(1) } },
  { inputs: [[2, 3, 2, 2], pixels, weights] },
  { inputs: [[2, 3, 2, 2], pixels], attributes: { reduction: text('none') } },
  { inputs: [[4, 3], { fed: flat }, weights], attributes: { reduction: text('sum') } },
];

checkForward([
  ...CALLS.flatMap((call): ForwardCase[] => [
    { ...call, op: 'SoftmaxCrossEntropyLoss' },
    { ...call, op: 'SoftmaxCrossEntropyLoss', outputs: 2, opset: 12 },
    { ...call, op: 'NegativeLogLikelihoodLoss' },
  ]),
  {
    op: 'SoftmaxCrossEntropyLoss',
    inputs: [{ shape: [4, 3], low: 200, high: 300 }, { fed: flat }],
  },
]);
