import { create, fromBinary } from '@bufbuild/protobuf';
import {
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  FunctionProtoSchema,
  ModelProtoSchema,
  TensorProto_DataType,
  TensorProtoSchema,
} from 'onnx-buf';
import { describe, expect, test } from 'vitest';
import { fromBfloat, fromHalf, toBfloat, toHalf } from './half.ts';
import {
  type Attribute,
  float,
  GraphBuilder,
  int,
  int64s,
  ints,
  type Model,
  type Node,
  numbersOf,
  readModel,
  replaceInitializers,
  replayGraph,
  scalar,
  selectOutput,
  tensorOf,
} from './index.ts';
import { fileOf, graphOf, node } from './testing/files.ts';

const weight = (...shape: number[]) => {
  const count = shape.reduce((product, dim) => product * dim, 1);
  return tensorOf(
    'float32',
    shape,
    Array.from({ length: count }, (_, i) => i / 4),
  );
};
const tensor = (value: ReturnType<typeof weight>): Attribute => ({ kind: 'tensor', value });

/** x [batch, 4] times w [4, 3]. */
const product = (options: Parameters<typeof fileOf>[1] = {}) =>
  fileOf(
    graphOf([node('MatMul', ['x', 'w'], ['y'])], {
      inputs: { x: ['batch', 4] },
      initializers: { w: weight(4, 3) },
      outputs: ['y'],
    }),
    options,
  );

/** The builder after the model was repeated with open dimensions 2. */
function replayed({ graph }: Model): { builder: GraphBuilder; outputs: readonly string[] } {
  const builder = new GraphBuilder();
  const bindings = graph.inputs.map(({ name, dtype, shape }) => {
    const known = shape.map((dim) => (typeof dim === 'number' ? dim : 2));
    return [name, builder.input(name, { dtype, shape: known })] as const;
  });
  return { builder, outputs: replayGraph(graph, { builder, bindings: new Map(bindings) }) };
}

const ops = (model: Model) => replayed(model).builder.nodes.map(({ op }) => op);

describe('versions', () => {
  test('operator sets 6 to 23 and formats up to 13 are read, others named', () => {
    for (const opset of [6, 7, 11, 21, 23]) expect(readModel(product({ opset }))).toBeDefined();
    for (const opset of [5, 24]) {
      expect(() => readModel(product({ opset }))).toThrow(`operator set ${opset}; export with`);
    }
    const newer = product({
      edit: (proto) => {
        proto.irVersion = 14n;
      },
    });
    expect(() => readModel(newer)).toThrow('file format version 14, at most 13 is read');
  });

  test('initializers that old files list as inputs are none', () => {
    const old = product({
      edit: ({ graph }) => {
        graph!.input.push({ ...graph!.input[0]!, name: 'w' });
      },
    });
    expect(readModel(old).graph.inputs.map(({ name }) => name)).toEqual(['x']);
  });

  test('open dimensions have names, whatever the exporter wrote for them', () => {
    const file = fileOf(
      graphOf([node('Relu', ['x'], ['y'])], { inputs: { x: ['n', 3, 4, 5] }, outputs: ['y'] }),
      {
        edit: ({ graph }) => {
          const type = graph!.input[0]!.type!.value;
          if (type.case !== 'tensorType') return;
          const dims = type.value.shape!.dim;
          dims[1]!.value = { case: 'dimValue', value: -1n };
          dims[2]!.value = { case: 'dimValue', value: 0n };
          dims[3]!.value = { case: undefined };
        },
      },
    );
    expect(readModel(file).graph.inputs[0]!.shape).toEqual(['n', 'dim1', 'dim2', 'dim3']);
  });

  test('an operand of opset 6 is stretched from its axis on', () => {
    const old = (attributes: Record<string, Attribute>) =>
      readModel(
        fileOf(
          graphOf([node('Add', ['x', 'b'], ['y'], attributes)], {
            inputs: { x: [2, 3, 4] },
            initializers: { b: weight(3) },
            outputs: ['y'],
          }),
          { opset: 6 },
        ),
      );
    const { builder, outputs } = replayed(old({ broadcast: int(1), axis: int(1) }));
    expect(builder.shape(outputs[0]!)).toEqual([2, 3, 4]);
    expect(() => replayed(old({ broadcast: int(1) }))).toThrow('do not broadcast');
  });
});

describe('operators of older and newer sets', () => {
  const only = (calls: readonly Node[], opset: number, shape = [4, 6]) =>
    replayed(
      readModel(fileOf(graphOf(calls, { inputs: { x: shape }, outputs: ['y'] }), { opset })),
    );
  const shapeOf = (calls: readonly Node[], opset: number, shape?: number[]) => {
    const { builder, outputs } = only(calls, opset, shape);
    return builder.shape(outputs[0]!);
  };

  test('bounds, sizes and counts that were attributes', () => {
    const slice = { starts: ints([1, -2]), ends: ints([2 ** 62, 6]) };
    expect(shapeOf([node('Slice', ['x'], ['y'], slice)], 9)).toEqual([3, 2]);
    const split = { axis: int(1), split: ints([2, 4]) };
    expect(shapeOf([node('Split', ['x'], ['a', 'y'], split)], 11)).toEqual([4, 4]);
    expect(shapeOf([node('TopK', ['x'], ['y', 'i'], { k: int(3) })], 9)).toEqual([4, 3]);
    expect(shapeOf([node('Squeeze', ['x'], ['y'], { axes: ints([1]) })], 11, [4, 1])).toEqual([4]);
    expect(shapeOf([node('Unsqueeze', ['x'], ['y'], { axes: ints([0]) })], 11)).toEqual([1, 4, 6]);
  });

  test('parts of a Split may be uneven from opset 18 on', () => {
    const uneven = { axis: int(1), num_outputs: int(4) };
    const { builder } = only([node('Split', ['x'], ['y', 'b', 'c', 'd'], uneven)], 18);
    const [call] = builder.nodes;
    expect(call!.attributes.has('num_outputs')).toBe(false);
    expect(call!.outputs.map((name) => builder.shape(name)[1])).toEqual([2, 2, 2, 0]);
  });

  test('settings that opset 17 does not know are left out', () => {
    const cast = node('Cast', ['x'], ['y'], { to: int(7), saturate: int(1) });
    expect(only([cast], 19).builder.nodes[0]!.attributes).toEqual(new Map([['to', int(7)]]));
  });

  test('a BatchNormalization in training was one with more outputs than one', () => {
    const call = (outputs: string[]) =>
      fileOf(
        graphOf([node('BatchNormalization', ['x', 's', 's', 's', 's'], outputs)], {
          inputs: { x: [2, 3, 4] },
          initializers: { s: weight(3) },
          outputs: ['y'],
        }),
        { opset: 9 },
      );
    const [eager] = readModel(call(['y'])).graph.nodes;
    expect(eager!.attributes.has('training_mode')).toBe(false);
    const [training] = readModel(call(['y', 'm', 'v', 'a', 'b'])).graph.nodes;
    expect(training).toMatchObject({ outputs: ['y', 'm', 'v'] });
    expect(training!.attributes.get('training_mode')).toEqual(int(1));
  });
});

describe('floats of other widths', () => {
  test('halves and their neighbours are rounded to even', () => {
    for (let bits = 0; bits < 0x10000; bits++) {
      const value = fromHalf(bits);
      if (Number.isNaN(value)) expect(toHalf(value) & 0x7c00).toBe(0x7c00);
      else expect(toHalf(value)).toBe(bits);
      const wide = fromBfloat(bits);
      if (!Number.isNaN(wide)) expect(toBfloat(wide)).toBe(bits);
    }
    expect([1 + 2 ** -11, 1 + 3 * 2 ** -11, 65_520, 1e-8].map(toHalf)).toEqual([
      0x3c00, 0x3c02, 0x7c00, 0,
    ]);
    expect(fromHalf(toHalf(Number.NaN))).toBeNaN();
    expect(fromBfloat(toBfloat(Number.NaN))).toBeNaN();
    expect(toBfloat(1 + 2 ** -8)).toBe(0x3f80);
  });

  const values = [0.5, -1.25, 3, 0, 1, 2, -2, 4, 8, 0.125, 7, 9];
  const stored: readonly (readonly [name: string, type: number, fields: object])[] = [
    ['double', TensorProto_DataType.DOUBLE, { doubleData: values }],
    ['half', TensorProto_DataType.FLOAT16, { int32Data: values.map(toHalf) }],
    ['bfloat16', TensorProto_DataType.BFLOAT16, { int32Data: values.map(toBfloat) }],
  ];
  test.each(stored)(
    '%s weights become float32, and go back into the file as they were',
    (...it) => {
      const [, type, fields] = it;
      const file = product({
        edit: ({ graph }) => {
          const dims = [4n, 3n];
          graph!.initializer[0] = create(TensorProtoSchema, {
            name: 'w',
            dataType: type,
            dims,
            ...fields,
          });
          for (const value of [graph!.input[0]!, graph!.output[0]!]) {
            const given = value.type!.value;
            if (given.case === 'tensorType') given.value.elemType = type;
          }
        },
      });
      const { graph } = readModel(file);
      expect(graph.inputs[0]!.dtype).toBe('float32');
      expect(numbersOf(graph.initializers.get('w')!)).toEqual(values);
      const other = Float32Array.from(values, (value) => 2 * value);
      const replaced = replaceInitializers(file, new Map([['w', other]]));
      const raw = fromBinary(ModelProtoSchema, replaced).graph!.initializer[0]!;
      expect(raw.dataType).toBe(type);
      expect(numbersOf(readModel(replaced).graph.initializers.get('w')!)).toEqual([...other]);
    },
  );

  test('casts between them fall away, casts to integers stay', () => {
    const chain = [
      node('Cast', ['x'], ['a'], { to: int(10) }),
      node('Cast', ['a'], ['b'], { to: int(11) }),
      node('Cast', ['b'], ['c'], { to: int(16) }),
      node('Cast', ['c'], ['d'], { to: int(6) }),
      node('Cast', ['d'], ['y'], { to: int(1) }),
    ];
    const model = readModel(fileOf(graphOf(chain, { inputs: { x: [2] }, outputs: ['y'] })));
    expect(ops(model)).toEqual(['Cast', 'Cast']);
  });
});

describe('weights', () => {
  const call = (nodes: readonly Node[], extra: Record<string, ReturnType<typeof weight>> = {}) =>
    fileOf(
      graphOf(nodes, {
        inputs: { x: ['n', 4] },
        initializers: { w: weight(4, 3), ...extra },
        outputs: ['y'],
      }),
    );

  test('in Constant nodes become initializers, behind those of the file', () => {
    const file = call([
      node('Constant', [], ['v'], { value: tensor(weight(5, 3)) }),
      node('Constant', [], ['bias'], { value: tensor(weight(5)) }),
      node('Constant', [], ['half'], { value: tensor(scalar(0.5)) }),
      node('Constant', [], ['mask'], { value: tensor(weight(1, 5)) }),
      node('MatMul', ['x', 'w'], ['h']),
      node('Identity', ['v'], ['same']),
      node('Transpose', ['same'], ['turned'], { perm: ints([1, 0]) }),
      node('MatMul', ['h', 'turned'], ['p']),
      node('Add', ['p', 'bias'], ['q']),
      node('Mul', ['q', 'half'], ['r']),
      node('Add', ['r', 'mask'], ['y']),
    ]);
    const model = readModel(file);
    expect([...model.graph.initializers.keys()]).toEqual(['w', 'v', 'bias']);
    expect(replayed(model).builder.shape(replayed(model).outputs[0]!)).toEqual([2, 5]);
    // New values go into the file under the same name, and it computes with them.
    const values = new Map([['v', new Float32Array(15).fill(2)]]);
    const again = readModel(replaceInitializers(file, values));
    expect(again.graph.initializers.get('v')!.data).toEqual(values.get('v'));
    expect(again.graph.nodes.filter(({ op }) => op === 'Constant')).toHaveLength(2);
  });

  test('that are only described are made, within bounds', () => {
    const described = (shape: number[]) =>
      call(
        [
          node('ConstantOfShape', ['shape'], ['v'], {
            value: tensor(tensorOf('float32', [1], [2])),
          }),
          node('MatMul', ['x', 'v'], ['y']),
        ],
        { shape: int64s(shape) },
      );
    const { graph } = readModel(described([4, 2]));
    expect(graph.initializers.get('v')).toEqual(tensorOf('float32', [4, 2], Array(8).fill(2)));
    const bomb = replayed.bind(undefined, readModel(described([4, 250_000_000])));
    expect(bomb).toThrow(expect.objectContaining({ code: 'model-limit' }));
  });

  test('that were equal by chance are weights of their own, others stay tied', () => {
    const file = call(
      [
        node('Identity', ['zeros'], ['b']),
        node('Identity', ['w'], ['tied']),
        node('Gemm', ['x', 'w', 'zeros'], ['h']),
        node('Gemm', ['x', 'tied', 'b'], ['g']),
        node('Add', ['h', 'g'], ['y']),
      ],
      { zeros: tensorOf('float32', [3], [0, 0, 0]) },
    );
    expect([...readModel(file).graph.initializers.keys()]).toEqual(['w', 'zeros', 'b']);
    const values = new Map([['b', Float32Array.of(1, 2, 3)]]);
    const { initializers } = readModel(replaceInitializers(file, values)).graph;
    expect(initializers.get('b')!.data).toEqual(values.get('b'));
    expect(initializers.get('zeros')!.data).toEqual(new Float32Array(3));
  });

  test('in a file of version 3 are listed as inputs too', () => {
    const file = fileOf(
      graphOf(
        [
          node('Constant', [], ['v'], { value: tensor(weight(4, 2)) }),
          node('MatMul', ['x', 'v'], ['y']),
        ],
        { inputs: { x: ['n', 4] }, outputs: ['y'] },
      ),
      {
        edit: (proto) => {
          proto.irVersion = 3n;
        },
      },
    );
    const replaced = replaceInitializers(file, new Map([['v', new Float32Array(8)]]));
    const { graph } = fromBinary(ModelProtoSchema, replaced);
    expect(graph!.input.map(({ name }) => name)).toEqual(['x', 'v']);
    expect(readModel(replaced).graph.inputs.map(({ name }) => name)).toEqual(['x']);
  });
});

describe('order', () => {
  const chain = [node('Relu', ['a'], ['y']), node('Exp', ['x'], ['a'])];
  const parts = { inputs: { x: [2] }, outputs: ['y'] };

  test('nodes in any order are put in one that works', () => {
    expect(ops(readModel(fileOf(graphOf(chain, parts))))).toEqual(['Exp', 'Relu']);
  });

  test('a cycle is named, of one node or of many', () => {
    const around = (nodes: readonly Node[]) => () => readModel(fileOf(graphOf(nodes, parts)));
    expect(around([node('Add', ['x', 'y'], ['y'])])).toThrow(
      'the graph has a cycle: "y" (Add) → "y" (Add)',
    );
    expect(
      around([
        node('Add', ['x', 'c'], ['a']),
        node('Exp', ['a'], ['b']),
        node('Neg', ['b'], ['c']),
        node('Relu', ['c'], ['y']),
      ]),
    ).toThrow('the graph has a cycle: "a" (Add) → "b" (Exp) → "c" (Neg) → "a" (Add)');
    const long = Array.from({ length: 20_000 }, (_, i) => node('Exp', [`v${i}`], [`v${i + 1}`]));
    expect(around([...long.slice(1), node('Neg', ['v20000'], ['v1'])])).toThrow('→ … →');
  });

  test('a name without a maker, or with two, is named', () => {
    const read = (nodes: readonly Node[], outputs = ['y']) =>
      readModel(fileOf(graphOf(nodes, { ...parts, outputs })));
    expect(() => read([node('Relu', ['ghost'], ['y'])])).toThrow(
      'node "y" (Relu) uses "ghost", which nothing makes',
    );
    expect(() => read([...chain, node('Neg', ['x'], ['a'])])).toThrow(
      'two nodes make the value "a"',
    );
    expect(() => read([node('Relu', ['x'], ['x'])])).toThrow('"x", or one makes an input');
    expect(() => read(chain, ['z'])).toThrow('the output "z" is made by nothing');
  });
});

describe('outputs', () => {
  const two = graphOf(
    [
      node('MatMul', ['x', 'w'], ['scores']),
      node('Frobnicate', ['scores'], ['boxes']),
      node('Exp', ['scores'], ['idle']),
    ],
    {
      inputs: { x: ['n', 4] },
      initializers: { w: weight(4, 3) },
      outputs: ['scores', 'boxes'],
    },
  );

  test('one is chosen, and what only the others need is not looked at', () => {
    const model = readModel(fileOf(two));
    expect(model.graph.nodes.map(({ op }) => op)).toEqual(['MatMul', 'Frobnicate']);
    expect(() => replayed(model)).toThrow('Frobnicate is not supported');
    const chosen = selectOutput(model, 'scores');
    expect(chosen.graph.outputs.map(({ name }) => name)).toEqual(['scores']);
    expect(ops(chosen)).toEqual(['MatMul']);
    expect(() => selectOutput(model, 'y')).toThrow('no output "y"; the model has scores, boxes');
  });
});

describe('functions of the model', () => {
  const scaled = create(FunctionProtoSchema, {
    name: 'Scaled',
    domain: 'own',
    input: ['a', 'b'],
    output: ['out'],
    attribute: ['factor'],
    attributeProto: [
      create(AttributeProtoSchema, {
        name: 'power',
        type: AttributeProto_AttributeType.INT,
        i: 2n,
      }),
    ],
    opsetImport: [{ domain: '', version: 17n }],
    node: [
      {
        opType: 'Constant',
        output: ['f'],
        attribute: [{ name: 'value_float', refAttrName: 'factor', type: 1 }],
      },
      { opType: 'Mul', input: ['a', 'f'], output: ['m'] },
      { opType: 'Add', input: ['m', 'b'], output: ['out'] },
    ],
  });
  const calls = graphOf(
    [
      node('own.Scaled', ['x', 'x'], ['h'], { factor: float(0.5) }),
      node('own.Scaled', ['h', 'x'], ['y'], { factor: float(3) }),
    ],
    { inputs: { x: [2] }, outputs: ['y'] },
  );
  const withFunctions = (...functions: (typeof scaled)[]) =>
    fileOf(calls, {
      edit: (proto) => {
        proto.functions = functions;
      },
    });

  test('are written out where they are called, with their attributes', () => {
    const model = readModel(withFunctions(scaled));
    expect(ops(model)).toEqual(['Mul', 'Add', 'Mul', 'Add']);
    const constants = model.graph.nodes.flatMap(({ op, attributes }) =>
      op === 'Constant' ? [attributes.get('value_float')] : [],
    );
    expect(constants).toEqual([float(0.5), float(3)]);
  });

  test('that call themselves, or are of another operator set, are refused', () => {
    const endless = { ...scaled, node: [{ ...scaled.node[1]!, opType: 'Scaled', domain: 'own' }] };
    expect(() => readModel(withFunctions(endless))).toThrow('calls others without end');
    const newer = { ...scaled, opsetImport: [{ ...scaled.opsetImport[0]!, version: 21n }] };
    expect(() => readModel(withFunctions(newer))).toThrow(
      'function "Scaled" is of operator set 21, the model of 17',
    );
  });
});
