import { ProtocolError } from '@starling/core';
import {
  type Attribute,
  type Graph,
  GraphBuilder,
  int,
  int64s,
  ints,
  readModel,
  replayGraph,
  scalar,
  tensorOf,
  text,
} from '@starling/onnx';
import { fileOf, graphOf, node } from '../../packages/onnx/src/testing/files.ts';
import { writeGradients } from '../../test/autodiff/sweep-model.ts';
import { type Case, calledAlone } from '../../test/helpers/gradient-check.ts';

const ms = (op: string) => `com.microsoft.${op}`;
const fed = (dtype: 'bool' | 'int32' | 'int64', shape: readonly number[]) => ({
  fed: tensorOf(dtype, shape, new Array<number>(shape.reduce((a, b) => a * b, 1)).fill(0)),
});
const factors = tensorOf('float32', [4], [1, 1, 2, 2]);
const image = [1, 1, 2, 2];
const heads = { num_heads: int(1) };

/** Calls of operators that are supported, in forms that are not. */
const CALLS: readonly Case[] = [
  { op: 'Compress', inputs: [[3], fed('bool', [3])] },
  { op: 'NonZero', inputs: [[3]] },
  {
    op: 'MaxPool',
    inputs: [[1, 1, 4]],
    attributes: { kernel_shape: ints([2]) },
    outputs: 2,
  },
  {
    op: 'MaxPool',
    inputs: [[1, 1, 40, 40]],
    attributes: { kernel_shape: ints([33, 33]) },
  },
  { op: 'GlobalLpPool', inputs: [[1, 1, 2]], attributes: { p: int(3) } },
  {
    op: 'ConvTranspose',
    inputs: [
      [1, 1, 3],
      [1, 1, 2],
    ],
    attributes: { output_padding: ints([1]) },
  },
  ...['ScatterElements', 'ScatterND'].map(
    (op): Case => ({
      op,
      inputs: [[3, 1], int64s([1]), [1, 1]].with(1, tensorOf('int64', [1, 1], [1])),
      attributes: { reduction: text('mul') },
    }),
  ),
  {
    op: 'Resize',
    inputs: [image, undefined, factors],
    attributes: { coordinate_transformation_mode: text('tf_crop_and_resize') },
  },
  {
    op: 'Resize',
    inputs: [image, undefined, factors],
    attributes: { antialias: int(1), mode: text('linear') },
  },
  {
    op: 'Resize',
    inputs: [image, undefined, undefined, int64s([1, 1, 3, 3])],
    attributes: { keep_aspect_ratio_policy: text('not_larger') },
  },
  { op: 'GridSample', inputs: [image, [1, 1, 1, 2]], attributes: { mode: text('bicubic') } },
  {
    op: 'GridSample',
    inputs: [
      [1, 1, 4097, 4096],
      [1, 1, 1, 2],
    ],
  },
  { op: 'Einsum', inputs: [[2, 2]], attributes: { equation: text('ii->i') } },
  {
    op: 'RNN',
    inputs: [
      [2, 1, 1],
      [1, 1, 1],
      [1, 1, 1],
    ],
    attributes: { hidden_size: int(1), activations: { kind: 'strings', value: ['Sine'] } },
  },
  {
    op: 'LSTM',
    inputs: [
      [513, 1, 1],
      [1, 4, 1],
      [1, 4, 1],
    ],
    attributes: { hidden_size: int(1) },
  },
  { op: 'Attention', inputs: [image, image, image, undefined, image] },
  { op: 'Attention', inputs: [image, image, image], outputs: 2 },
  {
    op: ms('Attention'),
    inputs: [
      [1, 2, 2],
      [2, 6],
    ],
    attributes: { ...heads, do_rotary: int(1) },
  },
  {
    op: ms('Attention'),
    inputs: [[1, 2, 2], [2, 6], [6], fed('int32', [3, 2])],
    attributes: heads,
  },
  { op: ms('MultiHeadAttention'), inputs: [[1, 2, 1, 3, 2]], attributes: heads },
  { op: ms('MultiHeadAttention'), inputs: [[1, 2, 2]], attributes: heads },
  {
    op: ms('RotaryEmbedding'),
    inputs: [[1, 2, 4], fed('int64', [1]), [2, 2], [2, 2]],
    attributes: { scale: { kind: 'float', value: 0.5 } },
  },
  {
    op: ms('FusedMatMul'),
    inputs: [
      [2, 2, 2],
      [2, 2, 2],
    ],
    attributes: { transBatchA: int(1) },
  },
];

const graph = (value: Graph): Attribute => ({ kind: 'graph', value });
const constant = (name: string, value: number) => ({ [name]: scalar(value) });
const branch = graph(graphOf([], { initializers: constant('a', 1), outputs: ['a'] }));
/** Goes on while a value of its own says so, and collects one. */
const body = (ends: string) =>
  graphOf([node('Identity', ['x'], ['c'])], {
    inputs: { i: [], go: [], v: [] },
    initializers: { yes: scalar(1, 'bool') },
    outputs: [ends, 'v', 'c'],
  });
const line = (op: string, inputs: string[], attributes: Readonly<Record<string, Attribute>>) =>
  node(op, inputs, ['y', 'z'].slice(0, op === 'If' ? 1 : 2), attributes);

interface FileCall {
  readonly op: string;
  readonly file: Uint8Array;
}

const file = (
  last: ReturnType<typeof node>,
  before: readonly ReturnType<typeof node>[] = [],
  opset = 17,
): FileCall => ({
  op: last.op,
  file: fileOf(
    graphOf([...before, last], {
      inputs: { x: [2, 3] },
      initializers: {
        ...{ none: tensorOf('int64', [], [0]), two: tensorOf('int64', [], [2]) },
        ...{ many: tensorOf('int64', [], [513]), yes: scalar(1, 'bool') },
        ...{ zero: scalar(0), ones: tensorOf('float32', [3], [1, 1, 1]) },
      },
      outputs: ['y'],
    }),
    { opset },
  ),
});

const question = [
  node('ReduceMax', ['x'], ['most'], { keepdims: int(0) }),
  node('Greater', ['most', 'zero'], ['open']),
];
const scanned = graph(graphOf([], { inputs: { s: [], e: [] }, outputs: ['s', 'e'] }));

/** Nodes that are refused when a file is read, or when its control flow is written out. */
const FILES: readonly FileCall[] = [
  file(line('If', ['open'], { then_branch: branch, else_branch: branch }), question),
  file(line('If', ['yes'], { else_branch: branch })),
  file(line('Loop', ['two', 'open', 'x'], { body: graph(body('go')) }), question),
  file(line('Loop', ['many', 'yes', 'x'], { body: graph(body('yes')) })),
  file(line('Loop', ['none', 'yes', 'x'], { body: graph(body('yes')) })),
  file(line('Loop', ['two', 'yes'], { body: branch })),
  file(line('Scan', ['x'], { body: scanned, num_scan_inputs: int(3) })),
  file(line('Scan', ['zero', 'x', 'ones'], { body: scanned, num_scan_inputs: int(2) })),
  file(line('Scan', ['', 'zero', 'x'], { body: scanned, num_scan_inputs: int(1) }), [], 8),
  file(
    node('BatchNormalization', ['x', 'ones', 'ones', 'ones', 'ones'], ['y'], { spatial: int(0) }),
    [],
    8,
  ),
];

/** Refusals by operator, in our own words without the name of the node. */
export function refusals(): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, Set<string>>();
  const add = (op: string, attempt: () => void) => {
    const messages = found.get(op) ?? new Set();
    messages.add(wordsOf(op, attempt));
    found.set(op, messages);
  };
  for (const kase of CALLS) {
    const alone = calledAlone(kase, 'float32');
    const inputs = alone.inputs.map(({ name, dtype, shape }) => {
      const dims = shape.map(Number);
      const count = dims.reduce((product, dim) => product * dim, 1);
      // Only the type is looked at, and the largest is not to be held.
      const tensor = count > 2 ** 20 ? { dtype, shape: dims, data: new Float32Array() } : undefined;
      const values = new Array<number>(tensor === undefined ? count : 0).fill(0);
      return [name, tensor ?? tensorOf(dtype, dims, values)] as const;
    });
    const feeding = { fed: new Map(inputs), constant: new Map(), weights: false };
    add(kase.op, () => writeGradients(alone, feeding));
  }
  for (const call of FILES) {
    add(call.op, () => {
      const builder = new GraphBuilder();
      const x = builder.input('x', { dtype: 'float32', shape: [2, 3] });
      replayGraph(readModel(call.file).graph, { builder, bindings: new Map([['x', x]]) });
    });
  }
  return new Map(Array.from(found, ([op, messages]) => [op, [...messages]] as const));
}

function wordsOf(op: string, attempt: () => void): string {
  try {
    attempt();
  } catch (error) {
    if (error instanceof ProtocolError && /^(unsupported-operator|model-limit)$/.test(error.code)) {
      return error.message
        .replace(/^node "\S+" \(\S+\): /, '')
        .replace(/^.* uses "\w+", (output \d+) of .*$/, '$1 is not supported where it is used');
    }
    throw error;
  }
  throw new Error(`${op} is not refused`);
}
