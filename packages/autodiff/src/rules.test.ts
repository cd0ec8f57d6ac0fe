import {
  type Attribute,
  float,
  GraphBuilder,
  int,
  int64s,
  ints,
  KNOWN_OPERATORS,
  writeModel,
} from '@starling/onnx';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { backward } from './backward.ts';
import { Ops } from './ops.ts';
import { GRADIENT_RULES } from './rules.ts';
import { createGenerator, permutation } from './seeded.ts';

/** One operator call: shapes of its float inputs, then constant int64 inputs. */
interface Case {
  readonly op: string;
  readonly shapes: readonly (readonly number[])[];
  readonly attributes?: Readonly<Record<string, Attribute>>;
  readonly constants?: readonly (readonly number[])[];
  /** A constant float32 scalar as last input. */
  readonly scalar?: number;
  readonly outputs?: number;
  readonly positive?: boolean;
}

const unary = 'Neg Relu LeakyRelu Sigmoid Tanh Exp Erf Sin Cos Softplus Abs Identity'.split(' ');
const binary = ['Add', 'Sub', 'Mul', 'Div', 'Max', 'Min'];
const broadcasts = [
  [
    [2, 3],
    [2, 3],
  ],
  [[2, 3], [3]],
  [
    [2, 1],
    [1, 4],
  ],
  [[1], [3, 2]],
  [[], [2, 2]],
  [
    [1, 3, 1],
    [2, 1, 2],
  ],
];
const gemms = [0, 1].flatMap((transA) =>
  [0, 1].map(
    (transB): Case => ({
      op: 'Gemm',
      shapes: [transA ? [3, 2] : [2, 3], transB ? [4, 3] : [3, 4], transA ? [4] : [2, 1]],
      attributes: { transA: int(transA), transB: int(transB), alpha: float(0.5), beta: float(1.5) },
    }),
  ),
);
const matmuls = [
  [
    [2, 3],
    [3, 4],
  ],
  [[3], [3, 2]],
  [[2, 3], [3]],
  [[3], [3]],
  [
    [2, 2, 3],
    [3, 2],
  ],
  [
    [2, 2, 3],
    [2, 3, 1],
  ],
  [
    [2, 1, 2, 3],
    [3, 3, 2],
  ],
];
const conv = (x: number[], w: number[], attributes: Record<string, Attribute> = {}): Case => ({
  op: 'Conv',
  shapes: [x, w, [w[0]!]],
  attributes,
});
const pool = (op: string, x: number[], attributes: Record<string, Attribute>): Case => ({
  op,
  shapes: [x],
  attributes,
});
const pools = ['MaxPool', 'AveragePool'].flatMap((op) => [
  pool(op, [2, 2, 4, 4], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) }),
  pool(op, [1, 2, 5, 5], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) }),
  pool(op, [1, 1, 5, 5], { kernel_shape: ints([2, 2]), strides: ints([2, 2]), ceil_mode: int(1) }),
  pool(op, [1, 2, 5, 4], { kernel_shape: ints([3, 2]), pads: ints([1, 1, 1, 0]) }),
  pool(op, [1, 2, 5], { kernel_shape: ints([3]), strides: ints([2]), pads: ints([1, 1]) }),
  pool(op, [1, 1, 5, 4], {
    kernel_shape: ints([3, 3]),
    strides: ints([2, 2]),
    auto_pad: { kind: 'string', value: 'SAME_UPPER' },
  }),
]);

const CASES: readonly Case[] = [
  ...unary.flatMap((op) => [[3, 2], [1], []].map((shape): Case => ({ op, shapes: [shape] }))),
  ...['Log', 'Sqrt', 'Reciprocal'].map((op): Case => ({ op, shapes: [[2, 3]], positive: true })),
  ...binary.flatMap((op) =>
    broadcasts.map((shapes): Case => ({ op, shapes, positive: op === 'Div' })),
  ),
  { op: 'Sum', shapes: [[2, 3], [3], [1, 1]] },
  { op: 'PRelu', shapes: [[2, 3], [3]] },
  { op: 'Pow', shapes: [[2, 3]], scalar: 2 },
  { op: 'Clip', shapes: [[2, 3]], scalar: -0.5 },
  { op: 'Pow', shapes: [[2, 3]], scalar: 1.5, positive: true },
  ...gemms,
  {
    op: 'Gemm',
    shapes: [
      [2, 3],
      [3, 2],
    ],
  },
  ...matmuls.map((shapes): Case => ({ op: 'MatMul', shapes })),
  conv([2, 2, 5, 5], [3, 2, 3, 3]),
  conv([1, 2, 6, 5], [2, 2, 3, 2], { strides: ints([2, 2]), pads: ints([1, 0, 1, 1]) }),
  conv([2, 1, 7], [2, 1, 3], { dilations: ints([2]), strides: ints([2]), pads: ints([2, 1]) }),
  conv([2, 4, 5, 5], [4, 2, 3, 3], { group: int(2), strides: ints([2, 1]) }),
  conv([1, 3, 4, 4], [3, 1, 3, 3], { group: int(3), pads: ints([1, 1, 1, 1]) }),
  conv([1, 1, 5, 6], [1, 1, 3, 4], {
    strides: ints([2, 2]),
    auto_pad: { kind: 'string', value: 'SAME_LOWER' },
  }),
  conv([1, 2, 1, 1], [2, 2, 1, 1]),
  ...pools,
  pool('AveragePool', [1, 2, 4, 4], {
    kernel_shape: ints([3, 3]),
    pads: ints([1, 1, 1, 1]),
    count_include_pad: int(1),
  }),
  pool('MaxPool', [1, 1, 7, 6], { kernel_shape: ints([2, 2]), dilations: ints([2, 3]) }),
  { op: 'GlobalAveragePool', shapes: [[2, 2, 3, 2]] },
  { op: 'Flatten', shapes: [[2, 3, 2]], attributes: { axis: int(2) } },
  { op: 'Reshape', shapes: [[2, 6]], constants: [[3, -1]] },
  { op: 'Transpose', shapes: [[2, 3, 4]], attributes: { perm: ints([2, 0, 1]) } },
  { op: 'Squeeze', shapes: [[1, 3, 1]], constants: [[0, 2]] },
  { op: 'Unsqueeze', shapes: [[3]], constants: [[0, 2]] },
  { op: 'Expand', shapes: [[2, 1]], constants: [[3, 2, 2]] },
  {
    op: 'Concat',
    shapes: [
      [2, 1],
      [2, 3],
    ],
    attributes: { axis: int(1) },
  },
  {
    op: 'Slice',
    shapes: [[4, 5]],
    constants: [
      [1, -3],
      [3, 5],
      [0, 1],
    ],
  },
  { op: 'Split', shapes: [[2, 5]], constants: [[2, 3]], attributes: { axis: int(1) }, outputs: 2 },
  { op: 'Gather', shapes: [[4, 3]], constants: [[2, 0, 2]] },
  { op: 'Gather', shapes: [[2, 4, 2]], constants: [[3, 3]], attributes: { axis: int(1) } },
  ...['ReduceSum', 'ReduceMean'].map((op): Case => ({ op, shapes: [[2, 3, 2]] })),
  { op: 'ReduceSum', shapes: [[2, 3]], constants: [[-1]], attributes: { keepdims: int(0) } },
  { op: 'ReduceMean', shapes: [[2, 3, 2]], attributes: { axes: ints([0, 2]), keepdims: int(0) } },
  ...['Softmax', 'LogSoftmax'].flatMap((op) =>
    [-1, 1].map((axis): Case => ({ op, shapes: [[2, 3, 2]], attributes: { axis: int(axis) } })),
  ),
];

/**
 * Distinct values, evenly spaced, away from 0 and from those of input `index` − 1, so that no kink
 * lies within a finite difference.
 */
function values(count: number, positive: boolean, seed: number, index: number): Float32Array {
  const order = permutation(count, createGenerator(seed));
  const shift = positive ? 1 : -count / 2 + 0.5 + (count % 2) / 2;
  return Float32Array.from(order, (i) => (i + shift) * (3 / Math.max(count, 4)) + index / 16);
}

const size = (shape: readonly number[]) => shape.reduce((product, dim) => product * dim, 1);

/** Graph with inputs x0…, r0…; outputs y0… and, with gradients, d0… of sum(y·r). */
function graphOf(kase: Case): { bytes: Uint8Array; yShapes: (readonly number[])[] } {
  const builder = new GraphBuilder();
  const g = new Ops(builder);
  const xs = kase.shapes.map((shape, i) => builder.input(`x${i}`, { dtype: 'float32', shape }));
  const constants = (kase.constants ?? []).map((list) => builder.constant(int64s(list)));
  const scalar = kase.scalar === undefined ? [] : [g.number(kase.scalar)];
  const attributes = new Map(Object.entries(kase.attributes ?? {}));
  const names = Array.from({ length: kase.outputs ?? 1 }, (_, i) => `out${i}`);
  const ys = builder.addMany(kase.op, [...xs, ...constants, ...scalar], attributes, {
    outputs: names,
  });
  const nodes = [...builder.nodes];
  const rs = ys.map((y, i) => builder.input(`r${i}`, builder.type(y)));
  // One scalar joins several outputs, so that each of them gets a gradient.
  const parts = ys.map((y, i) => g.reshape(g.mul(y, rs[i]!), [size(g.shape(y))]));
  const total = g.concat(parts, 0);
  const seed = g.broadcastTo(g.number(1), g.shape(total));
  const all = [...nodes, ...builder.nodes.slice(nodes.length)];
  const found = backward({ g, nodes: all, output: total, seed, wanted: xs });
  const outputs = [
    ...ys.map((y, i) => builder.named(y, `y${i}`)),
    ...xs.map((x, i) => builder.named(found.get(x)!, `d${i}`)),
  ];
  return {
    bytes: writeModel({ graph: builder.finish('case', outputs) }),
    yShapes: ys.map((y) => g.shape(y)),
  };
}

async function worstError(kase: Case, seed: number): Promise<number> {
  const { bytes, yShapes } = graphOf(kase);
  const session = await InferenceSession.create(bytes, {
    logSeverityLevel: 3,
    intraOpNumThreads: 1,
  });
  const xs = kase.shapes.map((s, i) => values(size(s), kase.positive ?? false, seed + i, i));
  const generator = createGenerator(seed);
  const rs = yShapes.map((s) =>
    Float32Array.from({ length: size(s) }, () => generator.uniform() + 0.5),
  );
  const feeds = () =>
    Object.fromEntries([
      ...xs.map((x, i) => [`x${i}`, new Tensor('float32', x, kase.shapes[i]!)]),
      ...rs.map((r, i) => [`r${i}`, new Tensor('float32', r, yShapes[i]!)]),
    ]);
  const objective = async () => {
    const out = await session.run(
      feeds(),
      yShapes.map((_, i) => `y${i}`),
    );
    return rs.reduce((sum, r, i) => {
      const y = out[`y${i}`]!.data as Float32Array;
      return sum + r.reduce((inner, factor, j) => inner + factor * y[j]!, 0);
    }, 0);
  };
  const gradients = await session.run(feeds());
  let worst = 0;
  const step = 2 ** -7;
  for (const [i, x] of xs.entries()) {
    for (let j = 0; j < x.length; j++) {
      const held = x[j]!;
      x[j] = held + step;
      const above = await objective();
      x[j] = held - step;
      const numeric = (above - (await objective())) / (2 * step);
      x[j] = held;
      const exact = (gradients[`d${i}`]!.data as Float32Array)[j]!;
      worst = Math.max(worst, Math.abs(exact - numeric) / Math.max(1, Math.abs(numeric)));
    }
  }
  await session.release();
  return worst;
}

test('every rule belongs to an operator that graphs may hold, and most are in the table', () => {
  for (const op of GRADIENT_RULES.keys()) expect(KNOWN_OPERATORS).toContain(op);
  const tested = new Set(CASES.map(({ op }) => op));
  const untested = [...GRADIENT_RULES.keys()].filter((op) => !tested.has(op));
  // Where and Cast take inputs that are no numbers.
  expect(untested.sort()).toEqual(['Cast', 'Where']);
});

describe('every rule agrees with the numeric Jacobian', () => {
  for (const [index, kase] of CASES.entries()) {
    const shapes = kase.shapes.map((shape) => `[${shape}]`).join(' ');
    test(`${index} ${kase.op} ${shapes}`, async () => {
      for (const seed of [1, 2]) expect(await worstError(kase, seed)).toBeLessThan(4e-3);
    });
  }
});
