import { TensorProto_DataLocation } from 'onnx-buf';
import { describe, expect, test } from 'vitest';
import {
  type Attributes,
  GraphBuilder,
  int64s,
  ints,
  type Node,
  numbersOf,
  readModel,
  replayGraph,
  type Tensor,
  tensorOf,
  writeModel,
} from './index.ts';
import { scanModel } from './scan.ts';
import { fileOf, type GraphParts, graphOf, node } from './testing/files.ts';
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
    const outputs = [{ ...graph.outputs[0]!, name: graph.nodes[0]!.outputs[0]! }];
    const written = writeModel({ graph: { ...model.graph, outputs } });
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

/** Reads the file of a graph and repeats it for x [2, 3]. */
function opened(nodes: readonly Node[], parts: Partial<GraphParts> = {}): void {
  const { graph } = readModel(
    fileOf(graphOf(nodes, { inputs: { x: [2, 3] }, outputs: ['y'], ...parts })),
  );
  const builder = new GraphBuilder();
  const x = builder.input('x', { dtype: 'float32', shape: [2, 3] });
  replayGraph(graph, { builder, bindings: new Map([['x', x]]) });
}

describe('a thousand million elements', () => {
  const big = (...shape: number[]) => int64s(shape);
  const limits = expect.objectContaining({ code: 'model-limit' });
  const count = (value: number) => tensorOf('int64', [], [value]);
  const bombs: readonly (readonly [Node, Record<string, Tensor>])[] = [
    [node('Expand', ['x', 's'], ['y']), { s: big(1_000_000_000, 1, 1) }],
    [node('Tile', ['x', 's'], ['y']), { s: big(30_000, 30_000) }],
    [node('ConstantOfShape', ['s'], ['y']), { s: big(32_000, 32_000) }],
    [node('Range', ['a', 'b', 'c'], ['y']), { a: count(0), b: count(1e9), c: count(1) }],
    [node('Pad', ['x', 's'], ['y']), { s: big(0, 0, 1e9, 0) }],
    [node('Resize', ['x', '', 's'], ['y']), { s: tensorOf('float32', [2], [20_000, 20_000]) }],
    [
      node('OneHot', ['i', 'd', 'v'], ['y']),
      { i: int64s(Array(1000).fill(0)), d: count(1e6), v: tensorOf('float32', [2], [0, 1]) },
    ],
    [
      node('Gather', ['w', 'i'], ['y']),
      {
        w: tensorOf('float32', [1, 50_000], new Float32Array(50_000)),
        i: int64s(Array(2_000).fill(0)),
      },
    ],
  ];
  test.each(bombs.map(([call, tensors]) => [call.op, call, tensors] as const))('%s', (...it) => {
    const [, call, initializers] = it;
    expect(() => opened([call], { initializers })).toThrow(limits);
  });

  test('are named with the node that asks for them', () => {
    const initializers = { s: big(1_000_000_000, 1, 1) };
    expect(() => opened([node('Expand', ['x', 's'], ['y'])], { initializers })).toThrow(
      'node "y" (Expand): [1000000000,2,3] needs too much memory',
    );
  });

  test('that the file declares are refused before memory is taken', () => {
    const file = fileOf(
      graphOf([node('Add', ['x', 'w'], ['y'])], {
        inputs: { x: [2, 3] },
        initializers: { w: tensorOf('float32', [3], [1, 2, 3]) },
        outputs: ['y'],
      }),
      {
        edit: ({ graph }) => {
          graph!.initializer[0]!.dims = [1_000_000_000n];
        },
      },
    );
    expect(() => readModel(file)).toThrow(
      'initializer "w": shape [1000000000] has too many elements',
    );
  });
});

describe('what is wrong with a file is said with its place', () => {
  test('an operator that nobody knows, or that is quantised, or gives a shape by data', () => {
    const call = (op: string) => () => opened([node(op, ['x'], ['y'])]);
    expect(call('Frobnicate')).toThrow('node "y": operator Frobnicate is not supported');
    expect(call('evil.Relu')).toThrow('node "y": operator evil.Relu is not a standard one');
    const quantised =
      'it computes with quantised numbers, which have no gradient; export the float';
    for (const op of ['QuantizeLinear', 'DequantizeLinear', 'MatMulInteger', 'QLinearConv']) {
      expect(call(op)).toThrow(`node "y": operator ${op} is refused: ${quantised}`);
    }
    expect(call('com.microsoft.MatMulNBits')).toThrow(quantised);
    expect(call('Unique')).toThrow('the shape of its output depends on data');
    expect(call('NonZero')).toThrow('node "y" (NonZero): the shape of its output depends on data');
    expect(call('OptionalGetElement')).toThrow('optional values and loops over sequences');
    expect(call('StringNormalizer')).toThrow('text is not supported');
    expect(call('RandomNormalLike')).toThrow('it draws random numbers');
    const scatter = node('ScatterND', ['x', 'i', 'x'], ['y'], {
      reduction: { kind: 'string', value: 'max' },
    });
    expect(() => opened([scatter], { initializers: { i: int64s([0]) } })).toThrow(
      'node "y" (ScatterND): reduction "max" is not supported; "none" and "add" are',
    );
    const compress = node('Compress', ['x', 'c'], ['y']);
    const greater = node('Greater', ['x', 'x'], ['c']);
    expect(() => opened([greater, compress])).toThrow('the shape of its output depends on data');
  });

  test('an output that a known operator leaves out here', () => {
    const dropout = node('Dropout', ['x'], ['d', 'mask']);
    expect(() => opened([dropout, node('Not', ['mask'], ['y'])])).toThrow(
      'node "y" (Not) uses "mask", output 1 of node "d" (Dropout), which is not supported',
    );
  });

  test('values that are no tensors, tensors without data or with data elsewhere', () => {
    const relu = graphOf([node('Add', ['x', 'w'], ['y'])], {
      inputs: { x: [2, 3] },
      initializers: { w: tensorOf('float32', [3], [1, 2, 3]) },
      outputs: ['y'],
    });
    const broken = (edit: Parameters<typeof fileOf>[1]) => () => readModel(fileOf(relu, edit));
    expect(
      broken({
        edit: ({ graph }) => {
          graph!.initializer[0]!.rawData = new Uint8Array();
        },
      }),
    ).toThrow('initializer "w": no data for shape [3]');
    expect(
      broken({
        edit: ({ graph }) => {
          graph!.initializer[0]!.dataLocation = TensorProto_DataLocation.EXTERNAL;
        },
      }),
    ).toThrow('initializer "w": external data is refused');
    expect(
      broken({
        edit: ({ graph }) => {
          delete graph!.input[0]!.type;
        },
      }),
    ).toThrow('value "x" is of no type, not a tensor');
    expect(
      broken({
        edit: ({ graph }) => {
          const type = graph!.input[0]!.type!.value;
          if (type.case === 'tensorType') delete type.value.shape;
        },
      }),
    ).toThrow('value "x" has no shape; export it with one');
  });
});

describe('files that are small and ask for much', () => {
  /** A message of field `number`, that holds `parts`. */
  const field = (number: number, ...parts: readonly Uint8Array[]): Uint8Array => {
    const body = parts.flatMap((part) => [...part]);
    return Uint8Array.from([...varint(number * 8 + 2), ...varint(body.length), ...body]);
  };
  const varint = (value: number): number[] =>
    value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];

  test('empty messages by the million are counted, not made', () => {
    const node = field(1);
    const nodes = new Uint8Array(9_000_000 * node.length);
    for (let i = 0; i < nodes.length; i += node.length) nodes.set(node, i);
    const length = varint(nodes.length);
    const file = new Uint8Array(1 + length.length + nodes.length);
    file.set([7 * 8 + 2, ...length]);
    file.set(nodes, 1 + length.length);
    expect(() => readModel(file)).toThrow(expect.objectContaining({ code: 'model-limit' }));
  });

  test('graphs in graphs, and fields that run past their end', () => {
    let deep = field(1);
    for (let i = 0; i < 200; i++) deep = field(1, field(5, field(6, deep)));
    expect(() => readModel(field(7, deep))).toThrow('messages nest too deeply');
    const whole = writeModel({ graph: graphOf([], { outputs: [] }) });
    scanModel(whole);
    for (let end = 1; end < whole.length; end++) {
      expect(() => readModel(whole.subarray(0, end))).toThrow(
        expect.objectContaining({ code: 'model-corrupt' }),
      );
    }
  });
});
