import { InferenceSession } from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import {
  type Attribute,
  type DataType,
  elementCount,
  GraphBuilder,
  int,
  int64s,
  ints,
  numbersOf,
  replayGraph,
  type Tensor,
  tensorOf,
  text,
  writeModel,
} from './index.ts';
import { graphOf, node } from './testing/files.ts';

interface Fold {
  readonly op: string;
  readonly inputs: readonly Tensor[];
  readonly attributes?: Readonly<Record<string, Attribute>>;
  readonly outputs?: number;
}

/** Whole numbers from −count/2 on, in an order without a pattern. */
function table(dtype: DataType, ...shape: number[]): Tensor {
  const count = elementCount(shape);
  const value = (i: number) => ((i * 7) % count) - Math.floor(count / 2);
  return tensorOf(
    dtype,
    shape,
    Array.from({ length: count }, (_, i) => value(i)),
  );
}
const whole = (...shape: number[]) => table('int64', ...shape);
const real = (...shape: number[]) => table('float32', ...shape);
const bools = (shape: number[], values: number[]) => tensorOf('bool', shape, values);
const fold = (
  op: string,
  inputs: readonly Tensor[],
  attributes: Readonly<Record<string, Attribute>> = {},
  outputs = 1,
): Fold => ({ op, inputs, attributes, outputs });

const elementwise: readonly Fold[] = [
  ...[
    'Add',
    'Sub',
    'Mul',
    'Max',
    'Min',
    'Less',
    'LessOrEqual',
    'Greater',
    'GreaterOrEqual',
    'Equal',
  ].flatMap((op) => [fold(op, [whole(2, 3), whole(3)]), fold(op, [real(2, 1), real(1, 3)])]),
  fold('Div', [whole(7), int64s([2])]),
  fold('Div', [whole(7), int64s([-3])]),
  fold('Div', [real(4), tensorOf('float32', [], [4])]),
  fold('Mod', [whole(7), int64s([3])]),
  fold('Mod', [whole(7), int64s([-3])]),
  fold('Mod', [real(7), tensorOf('float32', [], [2.5])], { fmod: int(1) }),
  fold('Pow', [real(5), tensorOf('float32', [], [2])]),
  fold('Pow', [whole(5), int64s([3])]),
  ...['Neg', 'Abs', 'Sign', 'Floor', 'Ceil'].map((op) => fold(op, [real(2, 3)])),
  ...['Sqrt', 'Reciprocal'].map((op) => fold(op, [tensorOf('float32', [3], [1, 4, 0.5])])),
  ...['And', 'Or', 'Xor'].map((op) => fold(op, [bools([2, 2], [0, 1, 0, 1]), bools([2], [0, 1])])),
  fold('Not', [bools([2], [0, 1])]),
  fold('Where', [bools([3], [0, 1, 0]), whole(2, 3), int64s([9])]),
  fold('Cast', [tensorOf('float32', [4], [1.7, -1.7, 0, 3])], { to: int(7) }),
  fold('Cast', [whole(4)], { to: int(9) }),
];

const moving: readonly Fold[] = [
  fold('Expand', [whole(2, 1), int64s([2, 1, 3])]),
  fold('Tile', [whole(2, 3), int64s([2, 3])]),
  fold('Transpose', [whole(2, 3, 2)], { perm: ints([2, 0, 1]) }),
  fold('Slice', [whole(4, 5), int64s([3, 1]), int64s([-9, 4]), int64s([0, 1]), int64s([-2, 2])]),
  fold('Split', [whole(2, 5), int64s([2, 3])], { axis: int(1) }, 2),
  fold('Concat', [whole(2, 2), whole(2, 3)], { axis: int(1) }),
  fold('Gather', [whole(3, 4), whole(2, 1)], { axis: int(1) }),
  fold('Gather', [whole(3, 4), tensorOf('int64', [], [-1])]),
  fold('GatherElements', [whole(3, 2), tensorOf('int64', [2, 2], [0, 2, -1, 1])]),
  fold('GatherND', [whole(3, 2, 2), tensorOf('int64', [2, 2], [2, 0, -1, 1])]),
  fold('GatherND', [whole(2, 3), tensorOf('int64', [2, 1], [2, 0])], { batch_dims: int(1) }),
  fold('ScatterND', [whole(4), tensorOf('int64', [2, 1], [3, 0]), int64s([7, 8])]),
  fold('ScatterElements', [whole(3, 3), tensorOf('int64', [1, 2], [2, -3]), whole(1, 2)]),
  fold('ScatterElements', [whole(2, 3), tensorOf('int64', [2, 2], [1, 1, 0, 2]), whole(2, 2)], {
    axis: int(1),
    reduction: text('add'),
  }),
  fold('Trilu', [whole(3, 4), tensorOf('int64', [], [1])]),
  fold('Trilu', [whole(2, 3, 3)], { upper: int(0) }),
  ...[0, 1, 2, 3].map((bits) =>
    fold('CumSum', [whole(3, 4), tensorOf('int64', [], [bits % 2])], {
      exclusive: int(bits % 2),
      reverse: int(bits >> 1),
    }),
  ),
  fold('NonZero', [tensorOf('int64', [2, 3], [0, 1, 2, 0, 0, 3])]),
  fold(
    'Range',
    [2, 9, 3].map((value) => tensorOf('int64', [], [value])),
  ),
  fold(
    'Range',
    [1, 0, -0.25].map((value) => tensorOf('float32', [], [value])),
  ),
  fold('ConstantOfShape', [int64s([2, 2])], {
    value: { kind: 'tensor', value: int64s([7]) },
  }),
  fold('EyeLike', [real(2, 3)], { k: int(1), dtype: int(7) }),
  fold('Shape', [real(2, 3, 4)], { start: int(-2) }),
  fold('Size', [real(2, 3, 4)]),
  fold('OneHot', [int64s([0, -1, 5]), int64s([3]), real(2)]),
  fold('Compress', [whole(3, 2), bools([3], [1, 0, 1])], { axis: int(0) }),
  fold('Compress', [whole(3, 2), bools([3], [0, 1, 1])]),
];

const reductions: readonly Fold[] = ['ReduceProd', 'ReduceMax', 'ReduceMin'].flatMap((op) => [
  fold(op, [whole(2, 3)]),
  fold(op, [real(2, 3, 2)], { axes: ints([0, -1]), keepdims: int(0) }),
]);

describe('what is folded is what the runtime computes', () => {
  const cases = [
    ...elementwise,
    ...moving,
    ...reductions,
    fold('ReduceSum', [whole(2, 3), int64s([1])]),
  ];
  for (const [index, kase] of cases.entries()) {
    const shapes = kase.inputs.map(({ shape }) => `[${shape}]`).join(' ');
    test(`${index} ${kase.op} ${shapes}`, async () => {
      const [ours, theirs] = [folded(kase), await computed(kase)];
      for (const [i, tensor] of ours.entries()) {
        expect(tensor.shape).toEqual(theirs[i]!.dims);
        expect(numbersOf(tensor)).toEqual(Array.from(theirs[i]!.data, Number));
      }
    });
  }
});

function callOf({ op, inputs, attributes, outputs = 1 }: Fold) {
  const names = inputs.map((_, i) => `c${i}`);
  const made = Array.from({ length: outputs }, (_, i) => `y${i}`);
  const initializers = Object.fromEntries(inputs.map((tensor, i) => [`c${i}`, tensor]));
  return graphOf([node(op, names, made, attributes)], { initializers, outputs: made });
}

function folded(kase: Fold): readonly Tensor[] {
  const builder = new GraphBuilder();
  const made = replayGraph(callOf(kase), { builder, bindings: new Map() });
  expect(builder.nodes).toEqual([]);
  return made.map((name) => builder.valueOf(name)!);
}

/** By the operator itself, which the runtime folds or computes, as it likes. */
async function computed(kase: Fold) {
  const builder = new GraphBuilder();
  const names = kase.inputs.map((tensor, i) => builder.constant(tensor, `c${i}`));
  const [call] = callOf(kase).nodes;
  const types = folded(kase).map(({ dtype, shape }) => ({ dtype, shape }));
  const outputs = builder.addTyped({ ...call!, inputs: names }, types);
  const bytes = writeModel({ graph: builder.finish('call', outputs) });
  const session = await InferenceSession.create(bytes, { logSeverityLevel: 4 });
  const results = await session.run({});
  await session.release();
  return outputs.map((name) => results[name]!);
}

describe('exporters’ masks and positions leave no trace', () => {
  const scalar64 = (value: number) => tensorOf('int64', [], [value]);
  const one = { value: { kind: 'tensor' as const, value: int64s([1]) } };

  test('positions counted by NonZero of ones, as before opset 11', () => {
    const nodes = [
      node('Shape', ['x'], ['s']),
      node('Slice', ['s', 'first', 'second', 'axis'], ['length']),
      node('ConstantOfShape', ['length'], ['ones'], one),
      node('NonZero', ['ones'], ['found']),
      node('Transpose', ['found'], ['turned'], { perm: ints([1, 0]) }),
      node('Squeeze', ['turned', 'columns'], ['positions']),
      node('Gather', ['table', 'positions'], ['y']),
    ];
    const initializers = {
      first: int64s([1]),
      second: int64s([2]),
      axis: int64s([0]),
      columns: int64s([1]),
      table: real(5, 2),
    };
    const graph = graphOf(nodes, { inputs: { x: [2, 3] }, initializers, outputs: ['y'] });
    expect(remaining(graph)).toEqual([[], [3, 2]]);
  });

  test('a causal mask by Range, Less, Where and Expand', () => {
    const nodes = [
      node('Shape', ['x'], ['s']),
      node('Gather', ['s', 'one'], ['length']),
      node('Range', ['zero', 'length', 'one'], ['columns']),
      node('Unsqueeze', ['columns', 'axis'], ['rows']),
      node('LessOrEqual', ['columns', 'rows'], ['seen']),
      node('Where', ['seen', 'nothing', 'hidden'], ['mask']),
      node('Unsqueeze', ['mask', 'outer'], ['wide']),
      node('Shape', ['x'], ['again'], { start: int(0), end: int(1) }),
      node('Concat', ['again', 'ones'], ['target'], { axis: int(0) }),
      node('Expand', ['wide', 'target'], ['expanded']),
      node('Add', ['scores', 'expanded'], ['y']),
    ];
    const initializers = {
      zero: scalar64(0),
      one: scalar64(1),
      axis: int64s([-1]),
      outer: int64s([0, 1]),
      ones: int64s([1, 1, 1]),
      nothing: tensorOf('float32', [], [0]),
      hidden: tensorOf('float32', [], [-10_000]),
      scores: real(2, 2, 3, 3),
    };
    const graph = graphOf(nodes, { inputs: { x: [2, 3] }, initializers, outputs: ['y'] });
    expect(remaining(graph)).toEqual([[], [2, 2, 3, 3]]);
  });
});

/** Operators that are left when all follows from the shape of x, and the shape of the result. */
function remaining(graph: ReturnType<typeof graphOf>): [string[], readonly number[]] {
  const builder = new GraphBuilder();
  const x = builder.input('x', { dtype: 'float32', shape: [2, 3] });
  const [y] = replayGraph(graph, { builder, bindings: new Map([['x', x]]) });
  return [builder.nodes.map(({ op }) => op), builder.shape(y!)];
}
