import { expect, test } from 'vitest';
import { type Case, calledAlone, replayedGraph } from '../../../test/helpers/gradient-check.ts';
import { int, int64s, ints, tensorOf, text } from './index.ts';

const floats = (values: readonly number[]) => tensorOf('float32', [values.length], values);

/** Calls that do not fit or are not supported; the message names node, operator and cause. */
const refused: readonly (readonly [kase: Case, message: RegExp])[] = [
  [{ op: 'LayerNormalization', inputs: [[2, 4], [3]] }, /scale or bias \[3\] over \[4\]/],
  [{ op: 'BatchNormalization', inputs: [[2, 3], [3], [3], [3], [2]] }, /input 4 of \[2\] for the/],
  [
    { op: 'GroupNormalization', inputs: [[2, 4, 3], [4], [4]], attributes: { num_groups: int(3) } },
    /\[2,4,3\] in 3 groups/,
  ],
  [{ op: 'InstanceNormalization', inputs: [[2, 4], [4], [4]] }, /no spatial axis/],
  [{ op: 'LpNormalization', inputs: [[2]], attributes: { p: int(3) } }, /p is 3/],
  [{ op: 'GlobalLpPool', inputs: [[1, 1, 2]], attributes: { p: int(3) } }, /p is 3/],
  [{ op: 'MaxPool', inputs: [[1, 1, 4]], attributes: { kernel_shape: ints([5]) } }, /window \[5\]/],
  [{ op: 'MaxPool', inputs: [[1, 1, 4]] }, /window \[undefined\] over/],
  [
    { op: 'MaxPool', inputs: [[1, 1, 4]], attributes: { kernel_shape: ints([2]) }, outputs: 2 },
    /uses "out1", output 1 of node "node" \(MaxPool\), which is not supported/,
  ],
  [
    {
      op: 'ConvTranspose',
      inputs: [
        [1, 1, 3],
        [1, 1, 2],
      ],
      attributes: { output_padding: ints([1]) },
    },
    /output padding \[1\] is not below the strides \[1\]/,
  ],
  [
    {
      op: 'Conv',
      inputs: [
        [1, 3, 4],
        [2, 2, 2],
      ],
    },
    /\[1,3,4\] with weight \[2,2,2\] in 1 groups/,
  ],
  [{ op: 'Conv', inputs: [[1, 2, 4], [3, 2, 2], [2]] }, /bias \[2\] for 3 channels/],
  [
    { op: 'DepthToSpace', inputs: [[1, 6, 2, 2]], attributes: { blocksize: int(2) } },
    /blocks of 2/,
  ],
  [
    { op: 'SpaceToDepth', inputs: [[1, 1, 3, 2]], attributes: { blocksize: int(2) } },
    /blocks of 2/,
  ],
  [
    { op: 'Pad', inputs: [[2], int64s([2, 0])], attributes: { mode: text('reflect') } },
    /need more than there is/,
  ],
  [{ op: 'Pad', inputs: [[2, 2], int64s([1, 0])] }, /\[1\] for 2 axes/],
  [
    {
      op: 'Resize',
      inputs: [[1, 1, 2], undefined, floats([1, 1, 2])],
      attributes: { coordinate_transformation_mode: text('tf_crop_and_resize') },
    },
    /tf_crop_and_resize is not supported/,
  ],
  [
    {
      op: 'Resize',
      inputs: [[1, 1, 2], undefined, floats([1, 1, 2])],
      attributes: { antialias: int(1), mode: text('linear') },
    },
    /antialias/,
  ],
  [{ op: 'Resize', inputs: [[1, 1, 2]] }, /neither scales nor sizes/],
  [
    { op: 'Add', inputs: [[2], tensorOf('int64', [2], [1, 2])] },
    /input 1 is int64, input 0 is float32/,
  ],
  [{ op: 'PRelu', inputs: [[2], [3, 2]] }, /slope \[3,2\] of \[2\]/],
  [{ op: 'ReduceMax', inputs: [[2, 3]], attributes: { axes: ints([2]) } }, /axis 2 of rank 2/],
  [{ op: 'Softmax', inputs: [[2, 3]], attributes: { axis: int(-3) } }, /axis -3 of rank 2/],
  [{ op: 'Mean', inputs: [] }, /input 0 is missing/],
];

test.each(refused.map(([kase, message]) => [kase.op, kase, message] as const))(
  '%s that does not fit is refused by name',
  (op, kase, message) => {
    const replay = () => replayedGraph(calledAlone(kase, 'float32'));
    expect(replay).toThrow(message);
    expect(replay).toThrow(`node "node`);
    expect(replay).toThrow(`(${op})`);
  },
);

test('indices of a MaxPool that nobody uses are left out', () => {
  const graph = calledAlone(
    { op: 'MaxPool', inputs: [[1, 1, 4]], attributes: { kernel_shape: ints([2]) }, outputs: 2 },
    'float32',
  );
  const made = replayedGraph({ ...graph, outputs: graph.outputs.slice(0, 1) });
  expect(made.nodes.map(({ op, outputs }) => [op, outputs.length])).toContainEqual(['MaxPool', 1]);
});
