import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { ProtocolError } from '@starling/core';
import fc from 'fast-check';
import { ModelProtoSchema, StringStringEntryProtoSchema, TensorProto_DataLocation } from 'onnx-buf';
import { describe, expect, test } from 'vitest';
import {
  type Attributes,
  float,
  GraphBuilder,
  int,
  int64s,
  ints,
  type Model,
  type Node,
  numbersOf,
  printGraph,
  readModel,
  replaceInitializers,
  replayGraph,
  tensorOf,
  writeModel,
} from './index.ts';
import { upgradeNodes } from './upgrade.ts';

/** input [batch, 4] times weight [4, 3], then Relu. */
function smallModel(): Model {
  const builder = new GraphBuilder();
  const x = builder.input('input', { dtype: 'float32', shape: [2, 4] });
  const weight = builder.constant(tensorOf('float32', [4, 3], new Float32Array(12).fill(0.5)), 'w');
  const product = builder.add('MatMul', [x, weight]);
  const y = builder.add('Relu', [product], {}, { outputs: ['y'] });
  return { graph: builder.finish('small', [y]) };
}

/** The file with the protobuf message changed by `edit`. */
function edited(edit: (proto: ReturnType<typeof fromBinary<typeof ModelProtoSchema>>) => void) {
  const proto = fromBinary(ModelProtoSchema, writeModel(smallModel()));
  edit(proto);
  return toBinary(ModelProtoSchema, proto);
}

describe('files', () => {
  test('what is written reads back the same', () => {
    const model = smallModel();
    const bytes = writeModel(model);
    expect(readModel(bytes)).toEqual(model);
    expect(writeModel(readModel(bytes))).toEqual(bytes);
  });

  test('corrupt bytes give a ProtocolError and nothing else', () => {
    const bytes = writeModel(smallModel());
    const position = fc.integer({ min: 0, max: bytes.length - 1 });
    const change = fc.tuple(position, fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(fc.array(change, { maxLength: 8 }), position, (changes, length) => {
        const bad = bytes.slice(0, bytes.length - (length % 50));
        for (const [at, value] of changes) if (at < bad.length) bad[at] = value;
        try {
          readModel(bad);
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('an empty file and a text file are named corrupt', () => {
    for (const bytes of [new Uint8Array(), new TextEncoder().encode('hello, I am no model')]) {
      expect(() => readModel(bytes)).toThrow(expect.objectContaining({ code: 'model-corrupt' }));
    }
  });

  test('external data, foreign domains and odd opsets are refused by name', () => {
    const external = edited(({ graph }) => {
      graph!.initializer[0]!.dataLocation = TensorProto_DataLocation.EXTERNAL;
      const entry = { key: 'location', value: '/etc/passwd' };
      graph!.initializer[0]!.externalData = [create(StringStringEntryProtoSchema, entry)];
    });
    expect(() => readModel(external)).toThrow('initializer "w": external data is refused');
    const custom = edited(({ graph }) => {
      graph!.node[0]!.domain = 'evil.ops';
    });
    expect(() => readModel(custom)).toThrow('evil.ops.MatMul is not a standard one');
    const old = edited((proto) => {
      proto.opsetImport[0]!.version = 5n;
    });
    expect(() => readModel(old)).toThrow('operator set 5');
  });

  test('a tensor that claims to be huge is refused before memory is taken', () => {
    const huge = edited(({ graph }) => {
      graph!.initializer[0]!.dims = [1n << 20n, 1n << 20n];
    });
    expect(() => readModel(huge)).toThrow(expect.objectContaining({ code: 'model-limit' }));
  });

  test('weights are replaced and the rest of the file stays', () => {
    const bytes = edited((proto) => {
      proto.docString = 'kept';
    });
    const values = Float32Array.from({ length: 12 }, (_, i) => i);
    const replaced = replaceInitializers(bytes, new Map([['w', values]]));
    expect(readModel(replaced).graph.initializers.get('w')!.data).toEqual(values);
    expect(fromBinary(ModelProtoSchema, replaced).docString).toBe('kept');
    const wrong = new Map([['w', new Float32Array(3)]]);
    expect(() => replaceInitializers(bytes, wrong)).toThrow('"w": 3 values for shape [4,3]');
  });

  test('print shows one node a line', () => {
    expect(printGraph(smallModel().graph)).toBe(
      [
        'graph small(input: float32[2,4]) -> (y: float32[2,3])',
        '  w = float32[4,3]',
        '  MatMul_0/output = MatMul(input, w)',
        '  y = Relu(MatMul_0/output)',
      ].join('\n'),
    );
  });
});

const node = (op: string, inputs: string[], attributes: Attributes = new Map()): Node => ({
  name: 'n',
  op,
  inputs,
  outputs: ['y'],
  attributes,
});

describe('older and newer operator sets', () => {
  const upgraded = (old: Node, opset: number) => upgradeNodes([old], new Map(), opset);

  test('attributes that became inputs become constants', () => {
    const clip = new Map([['max', float(6)]]);
    const [constant, call] = upgraded(node('Clip', ['x'], clip), 10);
    expect(constant!.op).toBe('Constant');
    expect(call).toMatchObject({ op: 'Clip', inputs: ['x', '', constant!.outputs[0]] });
    expect(upgraded(node('Squeeze', ['x'], new Map([['axes', ints([1])]])), 11)).toHaveLength(2);
  });

  test('an old softmax runs over all axes from its own on', () => {
    const calls = upgraded(node('Softmax', ['x'], new Map([['axis', int(1)]])), 11);
    expect(calls.map(({ op }) => op)).toEqual(['Flatten', 'Softmax', 'Shape', 'Reshape']);
    expect(upgraded(node('Softmax', ['x']), 13)).toHaveLength(1);
  });
});

describe('building', () => {
  const typed = (shape: number[]) => ({ dtype: 'float32' as const, shape });

  test('shape plumbing of an export folds to constants', () => {
    // x.view(x.shape[0], -1) as PyTorch writes it.
    const builder = new GraphBuilder();
    const x = builder.input('x', typed([8, 3, 2]));
    const shape = builder.add('Shape', [x]);
    const first = builder.add('Gather', [shape, builder.constant(int64s([0]))]);
    const rest = builder.constant(int64s([-1]));
    const target = builder.add('Concat', [first, rest], { axis: int(0) });
    expect(numbersOf(builder.valueOf(target)!)).toEqual([8, -1]);
    expect(builder.shape(builder.add('Reshape', [x, target]))).toEqual([8, 6]);
    expect(builder.nodes.map(({ op }) => op)).toEqual(['Reshape']);
  });

  test('constants fold as they would compute', () => {
    const builder = new GraphBuilder();
    const table = builder.constant(tensorOf('int64', [2, 3], [1, 2, 3, 4, 5, 6]));
    const fold = (op: string, inputs: string[], attributes = {}) =>
      numbersOf(builder.valueOf(builder.add(op, inputs, attributes))!);
    const one = (values: number[]) => builder.constant(int64s(values));
    expect(fold('Transpose', [table])).toEqual([1, 4, 2, 5, 3, 6]);
    expect(fold('Slice', [table, one([2]), one([-9]), one([1]), one([-2])])).toEqual([3, 1, 6, 4]);
    expect(fold('Div', [table, one([-2])])).toEqual([0, -1, -1, -2, -2, -3]);
    expect(fold('Concat', [table, table], { axis: int(1) })).toEqual([
      1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6,
    ]);
    expect(fold('Gather', [table, one([-1])], { axis: int(1) })).toEqual([3, 6]);
  });

  test('what does not fit is refused with node and operator', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', typed([2, 3]));
    const call = { name: '/layer/MatMul' };
    expect(() => builder.add('MatMul', [x, x], {}, call)).toThrow(
      'node "/layer/MatMul" (MatMul): [2,3] times [2,3]',
    );
    expect(() => builder.add('Add', [x])).toThrow('node "Add_0" (Add): input 1 is missing');
    expect(() => builder.add('Exp', [x, x])).toThrow('(Exp): 2 inputs, at most 1');
    const two = { outputs: ['a', 'b'] };
    expect(() => builder.add('Exp', [x], {}, two)).toThrow('(Exp): 2 outputs, expected 1');
    expect(() => builder.add('Frobnicate', [x])).toThrow(
      expect.objectContaining({ code: 'unsupported-operator' }),
    );
    const bomb = builder.constant(int64s([1 << 20, 1 << 20, 1, 1]));
    const one = builder.input('one', typed([]));
    expect(() => builder.add('Expand', [one, bomb])).toThrow(
      expect.objectContaining({ code: 'model-limit' }),
    );
  });

  test('what outputs do not need is left out', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', typed([2]));
    builder.add('Exp', [x]);
    const y = builder.add('Neg', [x]);
    expect(builder.finish('g', [y]).nodes.map(({ op }) => op)).toEqual(['Neg']);
  });

  test('replay names a value that nothing makes, and a value made twice', () => {
    const replay = (nodes: readonly Node[]) => {
      const builder = new GraphBuilder();
      const x = builder.input('x', typed([2]));
      const graph = { ...smallModel().graph, nodes, outputs: [] };
      return replayGraph(graph, { builder, bindings: new Map([['x', x]]) });
    };
    expect(() => replay([node('Relu', ['ghost'])])).toThrow('uses "ghost", which nothing makes');
    expect(() => replay([node('Exp', ['x']), node('Neg', ['x'])])).toThrow('two nodes make');
  });
});
