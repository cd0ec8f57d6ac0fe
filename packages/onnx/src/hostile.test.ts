import { describe, expect, test } from 'vitest';
import {
  type Attributes,
  GraphBuilder,
  int64s,
  ints,
  type Node,
  numbersOf,
  readModel,
  tensorOf,
  writeModel,
} from './index.ts';
import { upgradeNodes } from './upgrade.ts';

const INT64_MAX = Number(2n ** 63n - 1n);

describe('INT64_MAX, the exporters’ "to the end"', () => {
  test('stays large as a tensor, and in constants that follow from it', () => {
    expect(numbersOf(int64s([INT64_MAX, -INT64_MAX]))).toEqual([2 ** 63 - 1024, -(2 ** 63)]);
    const builder = new GraphBuilder();
    const x = builder.input('x', { dtype: 'float32', shape: [5] });
    const end = builder.constant(int64s([INT64_MAX]));
    const ends = builder.add('Concat', [end], { axis: { kind: 'int', value: 0 } });
    const rest = builder.add('Slice', [x, builder.constant(int64s([2])), ends]);
    expect(builder.shape(rest)).toEqual([3]);
  });

  test('stays large in an old Slice, whose bounds were attributes', () => {
    const attributes: Attributes = new Map([
      ['starts', ints([0])],
      ['ends', ints([INT64_MAX])],
    ]);
    const node: Node = { name: 'n', op: 'Slice', inputs: ['x'], outputs: ['y'], attributes };
    const ends = upgradeNodes([node], new Map(), 9).find(({ name }) => name === 'n/ends')!;
    const value = ends.attributes.get('value')!;
    expect(value.kind === 'tensor' && numbersOf(value.value)[0]).toBeGreaterThan(0);
  });

  test('is read, written and read again the same', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', { dtype: 'float32', shape: [5] });
    const y = builder.add('Softmax', [x], { axis: { kind: 'int', value: -1 } });
    const graph = builder.finish('g', [builder.named(y, 'y')]);
    const far: Attributes = new Map([['axes', ints([2 ** 63 - 1024])]]);
    const model = { graph: { ...graph, nodes: [{ ...graph.nodes[0]!, attributes: far }] } };
    const written = writeModel({ graph: { ...model.graph, outputs: [] } });
    expect(readModel(written).graph.nodes[0]!.attributes.get('axes')).toEqual(far.get('axes'));
  });
});

test('constants that follow from small ones do not add up to gigabytes', () => {
  const builder = new GraphBuilder();
  const shape = builder.constant(int64s([65_536]));
  const grow = () => {
    for (let i = 0; i < 1_000; i++) builder.add('ConstantOfShape', [shape]);
  };
  expect(grow).toThrow(expect.objectContaining({ code: 'model-limit' }));
  expect(builder.valueOf(builder.constant(tensorOf('float32', [], [1])))!.data).toHaveLength(1);
});
