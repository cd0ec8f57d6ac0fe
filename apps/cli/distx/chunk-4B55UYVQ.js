import { assert, errorMessage, ProtocolError, unreachable } from './chunk-74QJAORY.js';
import {
  broadcastShapes,
  elementCount,
  equalShapes,
  float,
  GraphBuilder,
  int,
  int64s,
  ints,
  intsAttribute,
  numberAttribute,
  numbersOf,
  readModel,
  replaceInitializers,
  replayGraph,
  scalar,
  tensorOf,
  windowOf,
  writeModel,
} from './chunk-C6FHXPGE.js';

// packages/autodiff/src/ops.ts
var CAST_TO = { float32: 1, int32: 6, int64: 7, bool: 9 };
var Ops = class {
  builder;
  constructor(builder) {
    this.builder = builder;
  }
  shape(x) {
    return this.builder.shape(x);
  }
  call(op, inputs, attributes = {}) {
    return this.builder.add(op, inputs, attributes);
  }
  /** A float32 scalar. */
  number(value) {
    return this.builder.constant(scalar(value));
  }
  add = (a, b) => this.call('Add', [a, b]);
  sub = (a, b) => this.call('Sub', [a, b]);
  mul = (a, b) => this.call('Mul', [a, b]);
  div = (a, b) => this.call('Div', [a, b]);
  neg = (a) => this.call('Neg', [a]);
  exp = (a) => this.call('Exp', [a]);
  log = (a) => this.call('Log', [a]);
  square = (a) => this.mul(a, a);
  where = (condition, a, b) => this.call('Where', [condition, a, b]);
  greater = (a, b) => this.call('Greater', [a, b]);
  equal = (a, b) => this.call('Equal', [a, b]);
  matmul = (a, b) => this.call('MatMul', [a, b]);
  scale(a, factor) {
    return factor === 1 ? a : this.mul(a, this.number(factor));
  }
  cast(a, to) {
    return this.builder.type(a).dtype === to ? a : this.call('Cast', [a], { to: int(CAST_TO[to]) });
  }
  gemm(a, b, { transA = false, transB = false, alpha = 1 }) {
    return this.call('Gemm', [a, b], {
      transA: int(Number(transA)),
      transB: int(Number(transB)),
      alpha: float(alpha),
    });
  }
  transpose(a, perm) {
    return perm.every((axis, i) => axis === i)
      ? a
      : this.call('Transpose', [a], { perm: ints(perm) });
  }
  /** Swaps the last two axes. */
  transposeMatrix(a) {
    const rank = this.shape(a).length;
    const perm = Array.from({ length: rank }, (_, i) => i);
    return this.transpose(a, [...perm.slice(0, -2), rank - 1, rank - 2]);
  }
  reshape(a, shape) {
    if (equalShapes(this.shape(a), shape)) return a;
    return this.call('Reshape', [a, this.builder.constant(int64s(shape))]);
  }
  reduceSum(a, axes, keepdims = true) {
    if (axes.length === 0) return a;
    const list = this.builder.constant(int64s(axes));
    return this.call('ReduceSum', [a, list], { keepdims: int(Number(keepdims)) });
  }
  concat(parts, axis) {
    return parts.length === 1 ? parts[0] : this.call('Concat', parts, { axis: int(axis) });
  }
  /** Elements `starts[i]`, `starts[i] + steps[i]`, … below `ends[i]` along `axes[i]`. */
  slice(a, ranges) {
    const shape = this.shape(a);
    const cut = ranges.filter(
      ({ axis, start, end, step }) => start > 0 || end < shape[axis] || (step ?? 1) !== 1,
    );
    if (cut.length === 0) return a;
    const list = (pick) => this.builder.constant(int64s(cut.map(pick)));
    return this.call('Slice', [
      a,
      list(({ start }) => start),
      list(({ end }) => end),
      list(({ axis }) => axis),
      list(({ step }) => step ?? 1),
    ]);
  }
  /** Pads with `value`; counts per axis, none negative. */
  pad(a, begin, end, value = 0) {
    if ([...begin, ...end].every((count) => count === 0)) return a;
    const pads = this.builder.constant(int64s([...begin, ...end]));
    return this.call('Pad', [a, pads, this.number(value)]);
  }
  /** `a` repeated to `shape`, which it broadcasts to. */
  broadcastTo(a, shape) {
    if (equalShapes(this.shape(a), shape)) return a;
    return this.call('Expand', [a, this.builder.constant(int64s(shape))]);
  }
  /** The reverse of broadcasting: sums `a` over the axes along which `shape` was repeated. */
  sumTo(a, shape) {
    const from = this.shape(a);
    if (equalShapes(from, shape)) return a;
    const fits = `${broadcastShapes(from, shape)}` === `${from}`;
    assert(fits, `[${from}] is no broadcast of [${shape}]`);
    const shift = from.length - shape.length;
    const axes = from.flatMap((dim, i) => (i < shift || shape[i - shift] !== dim ? [i] : []));
    return this.reshape(this.reduceSum(a, axes, false), shape);
  }
};

// packages/autodiff/src/rule.ts
var rule = (op, gradients, inputs) => [
  op,
  inputs === void 0 ? { gradients } : { gradients, inputs },
];

// packages/autodiff/src/rules-elementwise.ts
var in0 = ({ x }) => x[0];
var in1 = ({ x }) => x[1];
var out = ({ y }) => y[0];
function exponentOf({ g, node, x }) {
  const value = g.builder.valueOf(x[1]);
  if (value?.data.length === 1) return numbersOf(value)[0];
  throw new ProtocolError(
    'unsupported-operator',
    `node "${node.name}" (Pow): only a constant scalar exponent has a gradient`,
  );
}
var winner = (call) =>
  call.x.map((x, i) => () => {
    const { g, dy } = call;
    const earlier = call.x.slice(0, i);
    let share = dy;
    for (const other of earlier) share = g.where(g.equal(other, out(call)), g.number(0), share);
    return g.where(g.equal(x, out(call)), share, g.number(0));
  });
var elementwiseRules = [
  rule('Add', ({ dy }) => [() => dy, () => dy]),
  rule('Sub', ({ g, dy }) => [() => dy, () => g.neg(dy)]),
  rule('Mul', (c) => [() => c.g.mul(c.dy, in1(c)), () => c.g.mul(c.dy, in0(c))]),
  rule('Div', (c) => [
    () => c.g.div(c.dy, in1(c)),
    () => c.g.neg(c.g.div(c.g.mul(c.dy, out(c)), in1(c))),
  ]),
  rule('Sum', ({ x, dy }) => x.map(() => () => dy)),
  rule('Max', winner),
  rule('Min', winner),
  rule('Neg', ({ g, dy }) => [() => g.neg(dy)]),
  rule('Abs', (c) => [
    () => {
      const { g, dy } = c;
      const below = g.where(g.greater(g.number(0), in0(c)), g.neg(dy), g.number(0));
      return g.where(g.greater(in0(c), g.number(0)), dy, below);
    },
  ]),
  rule('Relu', (c) => [() => c.g.where(c.g.greater(out(c), c.g.number(0)), c.dy, c.g.number(0))]),
  rule('LeakyRelu', (c) => [
    () => {
      const scaled = c.g.scale(c.dy, numberAttribute(c.node, 'alpha', 0.01));
      return c.g.where(c.g.greater(in0(c), c.g.number(0)), c.dy, scaled);
    },
  ]),
  rule('PRelu', (c) => [
    () => c.g.where(c.g.greater(in0(c), c.g.number(0)), c.dy, c.g.mul(c.dy, in1(c))),
    () => c.g.where(c.g.greater(in0(c), c.g.number(0)), c.g.number(0), c.g.mul(c.dy, in0(c))),
  ]),
  rule('Sigmoid', (c) => [() => c.g.mul(c.dy, c.g.mul(out(c), c.g.sub(c.g.number(1), out(c))))]),
  rule('Tanh', (c) => [() => c.g.mul(c.dy, c.g.sub(c.g.number(1), c.g.square(out(c))))]),
  rule('Exp', (c) => [() => c.g.mul(c.dy, out(c))]),
  rule('Log', (c) => [() => c.g.div(c.dy, in0(c))]),
  rule('Sqrt', (c) => [() => c.g.div(c.g.scale(c.dy, 0.5), out(c))]),
  rule('Reciprocal', (c) => [() => c.g.neg(c.g.mul(c.dy, c.g.square(out(c))))]),
  rule('Erf', (c) => [
    () => {
      const bell = c.g.exp(c.g.neg(c.g.square(in0(c))));
      return c.g.mul(c.dy, c.g.scale(bell, 2 / Math.sqrt(Math.PI)));
    },
  ]),
  rule('Sin', (c) => [() => c.g.mul(c.dy, c.g.call('Cos', [in0(c)]))]),
  rule('Cos', (c) => [() => c.g.neg(c.g.mul(c.dy, c.g.call('Sin', [in0(c)])))]),
  rule('Softplus', (c) => [() => c.g.mul(c.dy, c.g.call('Sigmoid', [in0(c)]))]),
  rule(
    'Pow',
    (c) => [
      () => {
        const exponent = exponentOf(c);
        if (exponent === 2) return c.g.mul(c.dy, c.g.scale(in0(c), 2));
        const power = c.g.call('Pow', [in0(c), c.g.number(exponent - 1)]);
        return c.g.mul(c.dy, c.g.scale(power, exponent));
      },
    ],
    [0],
  ),
  rule('Clip', (c) => [() => c.g.where(c.g.equal(in0(c), out(c)), c.dy, c.g.number(0))], [0]),
  rule(
    'Where',
    (c) => [
      () => c.g.where(in0(c), c.dy, c.g.number(0)),
      () => c.g.where(in0(c), c.g.number(0), c.dy),
    ],
    [1, 2],
  ),
];

// packages/autodiff/src/rules-linear.ts
function gemm({ g, node, x, dy }) {
  const alpha = numberAttribute(node, 'alpha', 1);
  const transA = numberAttribute(node, 'transA', 0) !== 0;
  const transB = numberAttribute(node, 'transB', 0) !== 0;
  const [a, b] = [x[0], x[1]];
  const left = () =>
    transA
      ? g.gemm(b, dy, { transA: transB, transB: true, alpha })
      : g.gemm(dy, b, { transB: !transB, alpha });
  const right = () =>
    transB
      ? g.gemm(dy, a, { transA: true, transB: transA, alpha })
      : g.gemm(a, dy, { transA: !transA, alpha });
  const bias = () => g.scale(dy, numberAttribute(node, 'beta', 1));
  return (x[2] ?? '') === '' ? [left, right] : [left, right, bias];
}
function matmul({ g, x, dy }) {
  const [shapeA, shapeB] = [g.shape(x[0]), g.shape(x[1])];
  const a = shapeA.length === 1 ? g.reshape(x[0], [1, ...shapeA]) : x[0];
  const b = shapeB.length === 1 ? g.reshape(x[1], [...shapeB, 1]) : x[1];
  const rows = g.shape(a).at(-2);
  const columns = g.shape(b).at(-1);
  const batch = g.shape(dy).slice(0, g.shape(dy).length - vectorless(shapeA, shapeB));
  const grown = g.reshape(dy, [...batch, rows, columns]);
  return [
    () => {
      const full = g.matmul(grown, g.transposeMatrix(b));
      return g.reshape(g.sumTo(full, g.shape(a)), shapeA);
    },
    () => {
      const full = g.shape(b).length === 2 ? flatRight(g, a, grown) : batchedRight(g, a, grown);
      return g.reshape(g.sumTo(full, g.shape(b)), shapeB);
    },
  ];
}
var vectorless = (a, b) => Number(a.length > 1) + Number(b.length > 1);
var batchedRight = (g, a, dy) => g.matmul(g.transposeMatrix(a), dy);
function flatRight(g, a, dy) {
  const flat = (value) => {
    const shape = g.shape(value);
    return g.reshape(value, [elementCount(shape.slice(0, -1)), shape.at(-1)]);
  };
  return g.gemm(flat(a), flat(dy), { transA: true });
}
var linearRules = [rule('Gemm', gemm), rule('MatMul', matmul)];

// packages/autodiff/src/rules-shape.ts
var reshaped = ({ g, x, dy }) => [() => g.reshape(dy, g.shape(x[0]))];
var frontAxis = (axis, rank) => (axis < 0 ? axis + rank : axis);
function constantInts({ g, node, x }, index) {
  const name = x[index] ?? '';
  if (name === '') return void 0;
  const value = g.builder.valueOf(name);
  if (value !== void 0) return numbersOf(value);
  throw new ProtocolError(
    'unsupported-operator',
    `node "${node.name}" (${node.op}): input ${index} is not constant`,
  );
}
function reducedAxes(call) {
  const rank = call.g.shape(call.x[0]).length;
  const given = constantInts(call, 1) ?? intsAttribute(call.node, 'axes') ?? [];
  if (given.length === 0) return Array.from({ length: rank }, (_, i) => i);
  return given.map((axis) => frontAxis(axis, rank));
}
function spread(call) {
  const { g, x, dy } = call;
  const shape = g.shape(x[0]);
  if (elementCount(g.shape(dy)) === elementCount(shape)) return g.reshape(dy, shape);
  const axes = reducedAxes(call);
  const kept = shape.map((dim, i) => (axes.includes(i) ? 1 : dim));
  return g.broadcastTo(g.reshape(dy, kept), shape);
}
function softmaxAxis({ g, node, x }) {
  return frontAxis(numberAttribute(node, 'axis', -1), g.shape(x[0]).length);
}
function transposed({ g, node, dy }) {
  const rank = g.shape(dy).length;
  const identity = Array.from({ length: rank }, (_, i) => i);
  const perm = intsAttribute(node, 'perm') ?? identity.toReversed();
  return [
    () =>
      g.transpose(
        dy,
        identity.map((axis) => perm.indexOf(axis)),
      ),
  ];
}
function concatenated({ g, node, x, dy }) {
  const axis = frontAxis(numberAttribute(node, 'axis', 0), g.shape(dy).length);
  let at = 0;
  return x.map((part) => {
    const start = at;
    at += g.shape(part)[axis];
    const end = at;
    return () => g.slice(dy, [{ axis, start, end }]);
  });
}
function sliced(call) {
  const { g, node, x, dy } = call;
  const shape = g.shape(x[0]);
  const starts = constantInts(call, 1);
  const axes = constantInts(call, 3) ?? starts.map((_, i) => i);
  if (constantInts(call, 4)?.some((step) => step !== 1)) {
    throw new ProtocolError(
      'unsupported-operator',
      `node "${node.name}" (Slice): a gradient exists only for step 1`,
    );
  }
  const begin = shape.map(() => 0);
  for (const [i, axis] of axes.entries()) {
    const at = frontAxis(axis, shape.length);
    begin[at] = Math.min(Math.max(frontAxis(starts[i], shape[at]), 0), shape[at]);
  }
  const end = shape.map((dim, i) => dim - begin[i] - g.shape(dy)[i]);
  return [() => g.pad(dy, begin, end)];
}
function splitted({ g, node, x, dys }) {
  const axis = frontAxis(numberAttribute(node, 'axis', 0), g.shape(x[0]).length);
  return [() => g.concat(dys, axis)];
}
function gathered({ g, node, x, dy }) {
  const shape = g.shape(x[0]);
  const axis = frontAxis(numberAttribute(node, 'axis', 0), shape.length);
  const size = shape[axis];
  const indices = x[1];
  const count = elementCount(g.shape(indices));
  return [
    () => {
      const outer = elementCount(shape.slice(0, axis));
      const inner = elementCount(shape.slice(axis + 1));
      const chosen = g.reshape(g.cast(indices, 'int32'), [1, count]);
      const hot = g.cast(g.equal(classNumbers(g, [size, 1]), chosen), 'float32');
      return g.reshape(g.matmul(hot, g.reshape(dy, [outer, count, inner])), shape);
    },
  ];
}
function classNumbers(g, shape) {
  const data = Int32Array.from({ length: elementCount(shape) }, (_, i) => i);
  return g.builder.constant({ dtype: 'int32', shape, data });
}
var shapeRules = [
  ...['Reshape', 'Squeeze', 'Unsqueeze'].map((op) => rule(op, reshaped, [0])),
  rule('Flatten', reshaped),
  rule('Identity', ({ dy }) => [() => dy]),
  rule('Expand', ({ dy }) => [() => dy], [0]),
  rule('Transpose', transposed),
  rule('Concat', concatenated),
  rule('Slice', sliced, [0]),
  rule('Split', splitted, [0]),
  rule('Gather', gathered, [0]),
  rule('ReduceSum', (call) => [() => spread(call)], [0]),
  rule(
    'ReduceMean',
    (call) => [
      () => {
        const { g, x, dy } = call;
        const ratio = elementCount(g.shape(dy)) / elementCount(g.shape(x[0]));
        return g.scale(spread(call), ratio);
      },
    ],
    [0],
  ),
  rule('Softmax', (call) => [
    () => {
      const { g, y, dy } = call;
      const inner = g.reduceSum(g.mul(dy, y[0]), [softmaxAxis(call)]);
      return g.mul(y[0], g.sub(dy, inner));
    },
  ]),
  rule('LogSoftmax', (call) => [
    () => {
      const { g, y, dy } = call;
      return g.sub(dy, g.mul(g.exp(y[0]), g.reduceSum(dy, [softmaxAxis(call)])));
    },
  ]),
  rule(
    'Cast',
    ({ g, x, dy }) => [
      () => {
        const from = g.builder.type(x[0]).dtype;
        return g.call('Cast', [dy], { to: int(from === 'float64' ? 11 : 1) });
      },
    ],
    [0],
  ),
];

// packages/autodiff/src/rules-spatial.ts
var LOWEST = -34028234663852886e22;
var extent = ({ output, strides, kernel, dilations }) =>
  output.map((count, i) => (count - 1) * strides[i] + (kernel[i] - 1) * dilations[i] + 1);
function padded(g, x, window, value) {
  const size = g.shape(x).slice(2);
  const need = extent(window);
  const end = size.map((dim, i) => Math.max(0, need[i] - dim - window.padsBegin[i]));
  return g.pad(x, [0, 0, ...window.padsBegin], [0, 0, ...end], value);
}
function cropped(g, x, window, size) {
  const have = g.shape(x).slice(2);
  const ranges = size.map((dim, i) => {
    const start = window.padsBegin[i];
    return { axis: i + 2, start, end: Math.min(start + dim, have[i]) };
  });
  const missing = ranges.map(({ start, end }, i) => size[i] - (end - start));
  return g.pad(g.slice(x, ranges), [0, 0, ...size.map(() => 0)], [0, 0, ...missing]);
}
function offsets(kernel) {
  return kernel.reduce(
    (done, size) => done.flatMap((at) => Array.from({ length: size }, (_, i) => [...at, i])),
    [[]],
  );
}
function conv({ g, node, x, dy }) {
  const [input, weight] = [x[0], x[1]];
  const shape = g.shape(input);
  const kernel = g.shape(weight).slice(2);
  const size = shape.slice(2);
  const group = numberAttribute(node, 'group', 1);
  const window = windowOf(node, size, kernel);
  const toInput = () => {
    const back = g.call('ConvTranspose', [dy, weight], {
      group: int(group),
      strides: ints(window.strides),
      dilations: ints(window.dilations),
    });
    return cropped(g, back, window, size);
  };
  const toWeight = () => convWeight(g, { input, dy, group, window, kernel });
  const toBias = () => g.reduceSum(dy, [0, ...size.map((_, i) => i + 2)], false);
  return (x[2] ?? '') === '' ? [toInput, toWeight] : [toInput, toWeight, toBias];
}
function convWeight(g, { input, dy, group, window, kernel }) {
  const [batch, channels, ...size] = g.shape(input);
  const spatial = size.map((_, i) => i);
  const inner = channels / group;
  const grouped = g.reshape(input, [batch, group, inner, ...size]);
  const turned = g.transpose(grouped, [2, 1, 0, ...spatial.map((i) => i + 3)]);
  const images = g.reshape(turned, [inner, group * batch, ...size]);
  const filters = g.transpose(dy, [1, 0, ...spatial.map((i) => i + 2)]);
  const raw = g.call('Conv', [images, filters], {
    group: int(group),
    strides: ints(window.dilations),
    dilations: ints(window.strides),
    pads: ints([...window.padsBegin, ...window.padsEnd]),
  });
  const exact = g.slice(
    raw,
    kernel.map((end, i) => ({ axis: i + 2, start: 0, end })),
  );
  return g.transpose(exact, [1, 0, ...spatial.map((i) => i + 2)]);
}
function poolWindow({ g, node, x }) {
  const size = g.shape(x[0]).slice(2);
  return windowOf(node, size, intsAttribute(node, 'kernel_shape'));
}
function maxPool(call) {
  const { g, x, y, dy } = call;
  return [
    () => {
      const window = poolWindow(call);
      const wide = padded(g, x[0], window, LOWEST);
      let left = dy;
      const taken = offsets(window.kernel).map((offset) => {
        const cells = g.slice(
          wide,
          offset.map((position, i) => {
            const start = position * window.dilations[i];
            const step = window.strides[i];
            return { axis: i + 2, start, end: start + (window.output[i] - 1) * step + 1, step };
          }),
        );
        const share = g.where(g.equal(cells, y[0]), left, g.number(0));
        left = g.sub(left, share);
        return share;
      });
      return cropped(g, scattered(g, taken, window), window, g.shape(x[0]).slice(2));
    },
  ];
}
function scattered(g, parts, window) {
  const tiles = window.kernel.every(
    (size, i) => size === window.strides[i] && (size === 1 || window.dilations[i] === 1),
  );
  return tiles ? interleaved(g, parts, window) : spreadOut(g, parts, window);
}
function interleaved(g, parts, { kernel, output }) {
  const lead = g.shape(parts[0]).slice(0, 2);
  const rank = kernel.length;
  let level = [...parts];
  for (let axis = rank - 1; axis >= 0; axis--) {
    const tail = output.slice(axis + 1).map((count, i) => count * kernel[axis + 1 + i]);
    const shape = [...lead, ...output.slice(0, axis + 1), 1, ...tail];
    const size = kernel[axis];
    level = Array.from({ length: level.length / size }, (_, i) => {
      const group = level.slice(i * size, (i + 1) * size).map((part) => g.reshape(part, shape));
      const joined = g.concat(group, axis + 3);
      return g.reshape(joined, [...lead, ...output.slice(0, axis), output[axis] * size, ...tail]);
    });
  }
  return level[0];
}
function spreadOut(g, parts, window) {
  const [batch, channels, ...output] = g.shape(parts[0]);
  const count = parts.length;
  const images = parts.map((part) => g.reshape(part, [batch * channels, 1, ...output]));
  const hot = Array.from({ length: count * count }, (_, i) => Number(i % (count + 1) === 0));
  const weight = g.builder.constant(tensorOf('float32', [count, 1, ...window.kernel], hot));
  return transposedWindow(g, g.concat(images, 1), weight, window, [batch, channels]);
}
function transposedWindow(g, images, weight, window, lead) {
  const back = g.call('ConvTranspose', [images, weight], {
    strides: ints(window.strides),
    dilations: ints(window.dilations),
  });
  return g.reshape(back, [...lead, ...g.shape(back).slice(2)]);
}
function averagePool(call) {
  const { g, node, x, dy } = call;
  return [
    () => {
      const window = poolWindow(call);
      const [batch, channels, ...size] = g.shape(x[0]);
      const wholeKernel = numberAttribute(node, 'count_include_pad', 0) === 1;
      const counts = cellCounts(window, size, wholeKernel);
      const inverse = counts.map((count) => 1 / count);
      const factors = tensorOf('float32', [1, 1, ...window.output], inverse);
      const shares = g.mul(dy, g.builder.constant(factors));
      const images = g.reshape(shares, [batch * channels, 1, ...window.output]);
      const ones = new Array(elementCount(window.kernel)).fill(1);
      const weight = g.builder.constant(tensorOf('float32', [1, 1, ...window.kernel], ones));
      const back = transposedWindow(g, images, weight, window, [batch, channels]);
      return cropped(g, back, window, size);
    },
  ];
}
function cellCounts(window, size, withPads) {
  const axes = size.map((dim, i) => {
    const begin = window.padsBegin[i];
    const [low, high] = withPads ? [0, dim + begin + window.padsEnd[i]] : [begin, begin + dim];
    return Array.from({ length: window.output[i] }, (_, position) => {
      const cells = Array.from(
        { length: window.kernel[i] },
        (_2, k) => position * window.strides[i] + k * window.dilations[i],
      );
      return cells.filter((cell) => cell >= low && cell < high).length;
    });
  });
  return axes.reduce((done, counts) => done.flatMap((a) => counts.map((b) => a * b)), [1]);
}
var spatialRules = [
  rule('Conv', conv),
  rule('MaxPool', maxPool),
  rule('AveragePool', averagePool),
  rule('GlobalAveragePool', ({ g, x, dy }) => [
    () => {
      const shape = g.shape(x[0]);
      const mean = g.scale(dy, 1 / elementCount(shape.slice(2)));
      return g.broadcastTo(mean, shape);
    },
  ]),
];

// packages/autodiff/src/rules.ts
var GRADIENT_RULES = new Map([...elementwiseRules, ...linearRules, ...shapeRules, ...spatialRules]);
var NO_GRADIENT = /* @__PURE__ */ new Set([
  ...['Constant', 'ConstantOfShape', 'Range', 'Shape', 'Size', 'ArgMax', 'ArgMin'],
  ...['Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual', 'Not', 'And', 'Or'],
  ...['Floor', 'Ceil', 'Sign'],
]);
function differentiableInputs(node) {
  if (NO_GRADIENT.has(node.op)) return [];
  const listed = GRADIENT_RULES.get(node.op)?.inputs;
  const present = node.inputs.flatMap((input, i) => (input === '' ? [] : [i]));
  return listed === void 0 ? present : present.filter((i) => listed.includes(i));
}

// packages/autodiff/src/forward.ts
function trainableParameters(model) {
  const { graph } = model;
  const reached = new Set(graph.outputs.map(({ name }) => name));
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((name) => reached.has(name))) continue;
    for (const i of differentiableInputs(node)) reached.add(node.inputs[i]);
  }
  const found = [...graph.initializers].flatMap(([name, { dtype, shape }]) => {
    const trainable = dtype === 'float32' && reached.has(name) && elementCount(shape) > 0;
    return trainable ? [{ name, shape }] : [];
  });
  if (found.length > 0) return found;
  throw new ProtocolError('model-mismatch', 'no float32 weight of the model leads to its output');
}
function modelInput({ graph }) {
  const [input, ...others] = graph.inputs;
  if (input === void 0 || others.length > 0) {
    throw new ProtocolError(
      'model-unsupported',
      `the model has ${graph.inputs.length} inputs; one is supported`,
    );
  }
  if (graph.outputs.length !== 1) {
    throw new ProtocolError(
      'model-unsupported',
      `the model has ${graph.outputs.length} outputs; one is supported`,
    );
  }
  return input;
}
function inputShapeFor(model, batch, example) {
  const { name, shape } = modelInput(model);
  const rest = shape.slice(1).map((dim, i) => (typeof dim === 'number' ? dim : (example[i] ?? 1)));
  if (elementCount(rest) === elementCount(example)) return [batch, ...rest];
  throw new ProtocolError(
    'model-mismatch',
    `input "${name}" takes [${shape}]; an example of shape [${example}] does not fit`,
  );
}
function forward({ g, model, batch, parameters }) {
  const input = modelInput(model);
  const [count, ...example] = g.shape(batch);
  const shaped = g.reshape(batch, inputShapeFor(model, count, example));
  const typed = input.dtype === 'float32' ? g.cast(shaped, 'float32') : asIndices(g, shaped, input);
  const bindings = new Map([...parameters, [input.name, typed]]);
  return replayGraph(model.graph, { builder: g.builder, bindings })[0];
}
function asIndices(g, batch, { name, dtype }) {
  if (dtype === 'int32' || dtype === 'int64') return g.cast(batch, dtype);
  throw new ProtocolError('model-unsupported', `input "${name}" is ${dtype}`);
}
function outputShape(model, batchShape) {
  const g = new Ops(new GraphBuilder());
  const named = trainableParameters(model).map(({ name, shape }) => {
    return [name, g.builder.input(name, { dtype: 'float32', shape })];
  });
  const dtype = modelInput(model).dtype === 'int64' ? 'int64' : 'float32';
  const batch = g.builder.input('batch', { dtype, shape: batchShape });
  return g.shape(forward({ g, model, batch, parameters: new Map(named) }));
}
function parameterTensors(model, parameters) {
  return parameters.map(({ name, shape }) => {
    const tensor = model.graph.initializers.get(name);
    if (tensor !== void 0 && equalShapes(tensor.shape, shape)) return tensor;
    throw new ProtocolError(
      'model-mismatch',
      `the model has no initialiser "${name}" of [${shape}]`,
    );
  });
}

// packages/autodiff/src/vector.ts
var vectorLength = (parameters) =>
  parameters.reduce((sum, { shape }) => sum + elementCount(shape), 0);
function initialVector(model) {
  const parameters = trainableParameters(model);
  const vector = new Float32Array(vectorLength(parameters));
  let at = 0;
  for (const { data } of parameterTensors(model, parameters)) {
    vector.set(data, at);
    at += data.length;
  }
  return vector;
}
function cutVector(parameters, vector) {
  const length = vectorLength(parameters);
  if (vector.length !== length) {
    throw new ProtocolError(
      'model-mismatch',
      `a vector of ${vector.length} elements for a model of ${length}`,
    );
  }
  let at = 0;
  return new Map(
    parameters.map(({ name, shape }) => {
      const start = at;
      at += elementCount(shape);
      return [name, vector.subarray(start, at)];
    }),
  );
}
function applyVector(modelBytes, vector) {
  const parameters = trainableParameters(readModel(modelBytes));
  return replaceInitializers(modelBytes, cutVector(parameters, vector));
}
function unflatten(g, vector, parameters) {
  if (parameters.length === 1) return [g.reshape(vector, parameters[0].shape)];
  const sizes = parameters.map(({ shape }) => elementCount(shape));
  const parts = g.builder.addMany(
    'Split',
    [vector, g.builder.constant(int64s(sizes))],
    /* @__PURE__ */ new Map([['axis', int(0)]]),
    { outputs: parameters.map(({ name }) => `flat/${name}`) },
  );
  return parts.map((part, i) => g.reshape(part, parameters[i].shape));
}
function flatten(g, values) {
  return g.concat(
    values.map((value) => g.reshape(value, [elementCount(g.shape(value))])),
    0,
  );
}

// packages/autodiff/src/backward.ts
function backward(options) {
  const { g, nodes, output, seed, wanted } = options;
  const onPath = valuesBehind(nodes, wanted);
  const gradients = /* @__PURE__ */ new Map([[output, seed]]);
  for (const node of nodes.toReversed()) {
    const positions = differentiableInputs(node).filter((i) => onPath.has(node.inputs[i]));
    if (positions.length === 0 || !node.outputs.some((name) => gradients.has(name))) continue;
    for (const [position, gradient] of nodeGradients(g, node, positions, gradients)) {
      const input = node.inputs[position];
      const before = gradients.get(input);
      gradients.set(input, before === void 0 ? gradient : g.add(before, gradient));
    }
  }
  return new Map(
    wanted.flatMap((name) => {
      const gradient = gradients.get(name);
      return gradient === void 0 ? [] : [[name, gradient]];
    }),
  );
}
function valuesBehind(nodes, wanted) {
  const behind = new Set(wanted);
  for (const node of nodes) {
    const depends = differentiableInputs(node).some((i) => behind.has(node.inputs[i]));
    if (depends) for (const name of node.outputs) behind.add(name);
  }
  return behind;
}
function nodeGradients(g, node, positions, gradients) {
  const rule2 = GRADIENT_RULES.get(node.op);
  if (rule2 === void 0) {
    throw new ProtocolError(
      'unsupported-operator',
      `node "${node.name}": operator ${node.op} has no gradient rule`,
    );
  }
  const dys = node.outputs.map(
    (name) => gradients.get(name) ?? g.broadcastTo(g.number(0), g.shape(name)),
  );
  const call = { g, node, x: node.inputs, y: node.outputs, dy: dys[0], dys };
  const made = rule2.gradients(call);
  const all = differentiableInputs(node);
  assert(made.length === all.length, `${node.op}: ${made.length} gradients, ${all.length} inputs`);
  return positions.map((position) => {
    const input = node.inputs[position];
    const gradient = g.sumTo(made[all.indexOf(position)](), g.shape(input));
    assert(equalShapes(g.shape(gradient), g.shape(input)), `${node.op}: shape of a gradient`);
    return [position, gradient];
  });
}

// packages/autodiff/src/describe.ts
function describeModel(model) {
  const { dtype, shape } = modelInput(model);
  const [batch, ...example] = shape.map((dim, i) => (i === 0 && typeof dim === 'string' ? 1 : dim));
  const known = example.filter((dim) => typeof dim === 'number');
  if (typeof batch === 'number' && known.length === example.length) {
    const g = new Ops(new GraphBuilder());
    const input = g.builder.input('batch', { dtype, shape: [batch, ...known] });
    const parameters = new Map(
      trainableParameters(model).map((parameter) => {
        const type = { dtype: 'float32', shape: parameter.shape };
        return [parameter.name, g.builder.input(parameter.name, type)];
      }),
    );
    const output = forward({ g, model, batch: input, parameters });
    const seed = g.broadcastTo(g.number(1), g.shape(output));
    const nodes = [...g.builder.nodes];
    backward({ g, nodes, output, seed, wanted: [...parameters.values()] });
  }
  return { initial: initialVector(model) };
}

// packages/autodiff/src/seeded.ts
function createGenerator(seed) {
  const high = Math.floor(seed / 2 ** 32) | 0;
  let state = mix(mix(seed | 0) ^ high);
  const uniform = () => {
    state = (state + 2654435769) | 0;
    return (mix(state) >>> 0) / 2 ** 32;
  };
  return { uniform, below: (bound) => Math.floor(uniform() * bound) };
}
function mix(value) {
  let z = value;
  z = Math.imul(z ^ (z >>> 16), 2246822507);
  z = Math.imul(z ^ (z >>> 13), 3266489909);
  return z ^ (z >>> 16);
}
function permutation(count, generator) {
  const order = Int32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const other = generator.below(i + 1);
    const held = order[i];
    order[i] = order[other];
    order[other] = held;
  }
  return order;
}

// packages/autodiff/src/zoo.ts
function zooModel(name, seed) {
  return name === 'mlp' ? mlp(seed) : cnn(seed);
}
function mlp(seed) {
  const layers = new Layers(createGenerator(seed));
  let x = layers.dense('input', 'fc1', [784, 200]);
  x = layers.dense(layers.plain('Relu', x), 'fc2', [200, 200]);
  return layers.finish('mlp', layers.dense(layers.plain('Relu', x), 'fc3', [200, 10]));
}
function cnn(seed) {
  const layers = new Layers(createGenerator(seed));
  let x = layers.image('input', [1, 28, 28]);
  x = layers.pool(layers.plain('Relu', layers.conv(x, 'conv1', [16, 1, 5, 5])));
  x = layers.pool(layers.plain('Relu', layers.conv(x, 'conv2', [32, 16, 5, 5])));
  x = layers.dense(layers.plain('Flatten', x), 'fc1', [512, 128]);
  return layers.finish('cnn', layers.dense(layers.plain('Relu', x), 'fc2', [128, 10]));
}
var Layers = class {
  #generator;
  #nodes = [];
  #initializers = /* @__PURE__ */ new Map();
  constructor(generator) {
    this.#generator = generator;
  }
  plain(op, x) {
    return this.#node(`${op.toLowerCase()}${this.#nodes.length}`, op, [x]);
  }
  dense(x, name, [inputs, outputs]) {
    return this.#node(name, 'Gemm', [x, ...this.#weights(name, [outputs, inputs])], {
      transB: int(1),
    });
  }
  conv(x, name, shape) {
    return this.#node(name, 'Conv', [x, ...this.#weights(name, shape)], {
      kernel_shape: ints(shape.slice(2)),
    });
  }
  pool(x) {
    const attributes = { kernel_shape: ints([2, 2]), strides: ints([2, 2]) };
    return this.#node(`pool${this.#nodes.length}`, 'MaxPool', [x], attributes);
  }
  /**
   * [batch, pixels] to [batch, channels, height, width], so that all zoo models take the same
   * data.
   */
  image(x, shape) {
    this.#initializers.set('imageShape', int64s([-1, ...shape]));
    return this.#node('image', 'Reshape', [x, 'imageShape']);
  }
  finish(name, output) {
    const graph = {
      name,
      nodes: this.#nodes,
      initializers: this.#initializers,
      inputs: [{ name: 'input', dtype: 'float32', shape: ['batch', 784] }],
      outputs: [{ name: output, dtype: 'float32', shape: ['batch', 10] }],
    };
    return { graph };
  }
  /**
   * He's uniform range for the weights (variance 2 / fan-in) and zeros for the bias. Uniform rather
   * than normal: it needs no logarithm or cosine, whose last bits differ between engines.
   */
  #weights(name, shape) {
    const range = Math.sqrt(6 / elementCount(shape.slice(1)));
    const data = Float32Array.from(
      { length: elementCount(shape) },
      () => (2 * this.#generator.uniform() - 1) * range,
    );
    this.#initializers.set(`${name}.weight`, { dtype: 'float32', shape, data });
    const bias = {
      dtype: 'float32',
      shape: [shape[0]],
      data: new Float32Array(shape[0]),
    };
    this.#initializers.set(`${name}.bias`, bias);
    return [`${name}.weight`, `${name}.bias`];
  }
  #node(name, op, inputs, attributes = {}) {
    const output = `${name}/output`;
    const node = {
      name,
      op,
      inputs,
      outputs: [output],
      attributes: new Map(Object.entries(attributes)),
    };
    this.#nodes.push(node);
    return output;
  }
};

// packages/autodiff/src/losses.ts
function targetType(loss, output) {
  return loss === 'softmax-cross-entropy'
    ? { dtype: 'int32', shape: output.toSpliced(1, 1) }
    : { dtype: 'float32', shape: output };
}
function lossTerms(g, loss, output, target) {
  const expected = targetType(loss, g.shape(output)).shape;
  if (!equalShapes(g.shape(target), expected)) {
    throw new ProtocolError(
      'model-mismatch',
      `${loss}: output [${g.shape(output)}] with target [${g.shape(target)}]`,
    );
  }
  switch (loss) {
    case 'softmax-cross-entropy':
      return softmaxCrossEntropy(g, output, target);
    case 'mean-squared-error':
      return meanSquaredError(g, output, target);
    case 'sigmoid-binary-cross-entropy':
      return sigmoidCrossEntropy(g, output, target);
    default:
      return unreachable(loss);
  }
}
function softmaxCrossEntropy(g, logits, labels) {
  const shape = g.shape(logits);
  if (shape.length < 2) {
    throw new ProtocolError('model-mismatch', `softmax-cross-entropy: output [${shape}]`);
  }
  const classes = shape[1];
  const top = g.call('ReduceMax', [logits], { axes: ints([1]) });
  const shifted = g.sub(logits, top);
  const powers = g.exp(shifted);
  const total = g.reduceSum(powers, [1]);
  const logProbabilities = g.sub(shifted, g.log(total));
  const numbers = g.builder.constant({
    dtype: 'int32',
    shape: [1, classes, ...shape.slice(2).map(() => 1)],
    data: Int32Array.from({ length: classes }, (_, i) => i),
  });
  const oneHot = g.cast(g.equal(g.reshape(labels, shape.with(1, 1)), numbers), 'float32');
  const perElement = g.neg(g.reduceSum(g.mul(oneHot, logProbabilities), [1], false));
  const count = elementCount(shape) / classes;
  return {
    mean: meanOf(g, perElement),
    perExample: perExampleMean(g, perElement),
    gradient: () => g.scale(g.sub(g.div(powers, total), oneHot), 1 / count),
    hits: () => {
      const guess = g.call('ArgMax', [logits], { axis: int(1), keepdims: int(0) });
      const right = g.equal(g.cast(guess, 'int32'), labels);
      return perExampleMean(g, g.cast(right, 'float32'));
    },
  };
}
function meanSquaredError(g, output, target) {
  const difference = g.sub(output, target);
  const perElement = g.square(difference);
  return {
    mean: meanOf(g, perElement),
    perExample: perExampleMean(g, perElement),
    gradient: () => g.scale(difference, 2 / elementCount(g.shape(output))),
    hits: void 0,
  };
}
function sigmoidCrossEntropy(g, logits, target) {
  const soft = g.log(g.add(g.number(1), g.exp(g.neg(g.call('Abs', [logits])))));
  const perElement = g.add(g.sub(g.call('Relu', [logits]), g.mul(logits, target)), soft);
  return {
    mean: meanOf(g, perElement),
    perExample: perExampleMean(g, perElement),
    gradient: () => {
      const error = g.sub(g.call('Sigmoid', [logits]), target);
      return g.scale(error, 1 / elementCount(g.shape(logits)));
    },
    hits: () => {
      const guess = g.cast(g.greater(logits, g.number(0)), 'int32');
      const truth = g.cast(g.greater(target, g.number(0.5)), 'int32');
      return perExampleMean(g, g.cast(g.equal(guess, truth), 'float32'));
    },
  };
}
var meanOf = (g, x) => g.call('ReduceMean', [x], { keepdims: int(0) });
function perExampleMean(g, x) {
  const [batch, ...rest] = g.shape(x);
  if (rest.length === 0) return x;
  const flat = g.reshape(x, [batch, elementCount(rest)]);
  return g.call('ReduceMean', [flat], { axes: ints([1]), keepdims: int(0) });
}

// packages/autodiff/src/optimizer.ts
function sgdStep(g, state, step, momentum) {
  if (state.velocity === void 0) return { weight: g.sub(state.weight, step), velocity: void 0 };
  const velocity = g.add(g.scale(state.velocity, momentum), step);
  return { weight: g.sub(state.weight, velocity), velocity };
}

// packages/autodiff/src/step-graph.ts
function parameterGradients(g, { output, seed, inputs, parameters }) {
  const wanted = [...inputs.values()];
  const found = backward({ g, nodes: [...g.builder.nodes], output, seed, wanted });
  return new Map(
    parameters.map(({ name }) => {
      const gradient = found.get(inputs.get(name));
      assert(gradient !== void 0, `no gradient reaches "${name}"`);
      return [name, gradient];
    }),
  );
}

// packages/autodiff/src/epoch-graph.ts
var EPOCH_INPUTS = {
  /** float32 [length] */
  vector: 'vector',
  /** [examples, …example] */
  data: 'data',
  /** int32 [examples], or float32 [examples, …output] for regression */
  targets: 'targets',
  /** int32 [K, batch]: which examples make each minibatch */
  order: 'order',
  /** float32 scalars */
  learningRate: 'learningRate',
  clippingNorm: 'clippingNorm',
};
var EPOCH_OUTPUTS = {
  /** New minus old vector, [length]. */
  update: 'update',
  /** L2 norm of the update, a scalar. */
  norm: 'norm',
  /** The update, scaled down to the clipping norm when longer. */
  clipped: 'clipped',
  /** Mean of the minibatches' losses. */
  meanLoss: 'meanLoss',
};
function buildEpochGraph(options) {
  const { model, data, batchSize, steps } = options;
  const builder = new GraphBuilder();
  const g = new Ops(builder);
  const parameters = trainableParameters(model);
  const length = vectorLength(parameters);
  const { vector: vectorName, order: orderName, learningRate, clippingNorm } = EPOCH_INPUTS;
  const vector = builder.input(vectorName, { dtype: 'float32', shape: [length] });
  const resident = {
    data: builder.input(EPOCH_INPUTS.data, {
      dtype: data.dtype,
      shape: [data.examples, ...data.example],
    }),
    targets: builder.input(EPOCH_INPUTS.targets, targetsType(options)),
    order: builder.input(orderName, { dtype: 'int32', shape: [steps, batchSize] }),
    learningRate: builder.input(learningRate, { dtype: 'float32', shape: [] }),
  };
  const clip = builder.input(clippingNorm, { dtype: 'float32', shape: [] });
  const first = unflatten(g, vector, parameters);
  const body = loopBody(builder, options, parameters, resident);
  const zeros = body.hasVelocity
    ? parameters.map(({ shape }) => g.broadcastTo(g.number(0), shape))
    : [];
  const carried = [...first, ...zeros, g.number(0)];
  const trips = builder.constant(scalar(steps, 'int64'));
  const results = builder.addTyped(
    {
      name: 'minibatches',
      op: 'Loop',
      inputs: [trips, '', ...carried],
      outputs: carried.map((_, i) => `after/${i}`),
      attributes: /* @__PURE__ */ new Map([['body', { kind: 'graph', value: body.graph }]]),
    },
    carried.map((value) => builder.type(value)),
  );
  const update = g.sub(flatten(g, results.slice(0, parameters.length)), vector);
  const norm = g.call('Sqrt', [sumOfSquares(g, update)]);
  const shrink = g.div(clip, g.call('Max', [norm, g.number(1e-30)]));
  const clipped = g.mul(update, g.call('Min', [g.number(1), shrink]));
  const meanLoss = g.scale(results.at(-1), 1 / steps);
  const outputs = [
    builder.named(update, EPOCH_OUTPUTS.update),
    builder.named(norm, EPOCH_OUTPUTS.norm),
    builder.named(clipped, EPOCH_OUTPUTS.clipped),
    builder.named(meanLoss, EPOCH_OUTPUTS.meanLoss),
  ];
  return { graph: builder.finish('local-epoch', outputs) };
}
function targetsType({ model, loss, data, batchSize }) {
  const type = targetType(loss, outputShape(model, [batchSize, ...data.example]));
  return { dtype: type.dtype, shape: type.shape.with(0, data.examples) };
}
function loopBody(parent, options, parameters, resident) {
  const builder = new GraphBuilder(parent);
  const g = new Ops(builder);
  const hasVelocity = options.momentum !== 0;
  const iteration = builder.input('iteration', { dtype: 'int64', shape: [] });
  const goOn = builder.input('goOn', { dtype: 'bool', shape: [] });
  const states = parameters.map(({ name, shape }) => ({
    name,
    weight: builder.input(`weight/${name}`, { dtype: 'float32', shape }),
  }));
  const velocities = hasVelocity
    ? parameters.map(({ name, shape }) =>
        builder.input(`velocity/${name}`, { dtype: 'float32', shape }),
      )
    : [];
  const lossSum = builder.input('lossSum', { dtype: 'float32', shape: [] });
  const rows = g.call('Gather', [resident.order, iteration], { axis: int(0) });
  const batch = normalised(g, g.call('Gather', [resident.data, rows]), options.data.scale);
  const target = g.call('Gather', [resident.targets, rows]);
  const inputs = new Map(states.map(({ name, weight }) => [name, weight]));
  const output = forward({ g, model: options.model, batch, parameters: inputs });
  const terms = lossTerms(g, options.loss, output, target);
  const seed = g.mul(terms.gradient(), resident.learningRate);
  const steps = parameterGradients(g, { output, seed, inputs, parameters });
  const next = states.map(({ name, weight }, i) => {
    const state = { weight, velocity: velocities[i] };
    return sgdStep(g, state, steps.get(name), options.momentum);
  });
  const outputs = [
    builder.named(goOn, 'goOnNext'),
    ...next.map(({ weight }, i) => builder.named(weight, `weightNext/${parameters[i].name}`)),
    ...next.flatMap(({ velocity }, i) =>
      velocity === void 0 ? [] : [builder.named(velocity, `velocityNext/${parameters[i].name}`)],
    ),
    builder.named(g.add(lossSum, terms.mean), 'lossSumNext'),
  ];
  return { graph: builder.finish('minibatch', outputs), hasVelocity };
}
var normalised = (g, batch, scale) => g.scale(g.cast(batch, 'float32'), scale);
var STAGE = 1024;
function sumOfSquares(g, vector) {
  let sums = g.square(vector);
  let count = elementCount(g.shape(sums));
  while (count > 1) {
    const rows = Math.ceil(count / STAGE);
    const width = Math.min(count, STAGE);
    const table = g.reshape(g.pad(sums, [0], [rows * width - count]), [rows, width]);
    sums = g.reduceSum(table, [1], false);
    count = rows;
  }
  assert(count === 1, 'a vector without elements has no norm');
  return g.reshape(sums, []);
}

// packages/autodiff/src/evaluation-graph.ts
var EVALUATION_INPUTS = {
  /** float32 [length] */
  vector: 'vector',
  /** [batch, …example] */
  batch: 'batch',
  /** int32 [batch], or float32 [batch, …output] for regression */
  target: 'target',
  /** float32 [batch]: 1 for rows that count, 0 for those that fill up the last batch */
  mask: 'mask',
};
var EVALUATION_OUTPUTS = { lossSum: 'lossSum', correct: 'correct' };
function buildEvaluationGraph(options) {
  const { model, loss, data, batchSize } = options;
  const builder = new GraphBuilder();
  const g = new Ops(builder);
  const parameters = trainableParameters(model);
  const vector = builder.input(EVALUATION_INPUTS.vector, {
    dtype: 'float32',
    shape: [vectorLength(parameters)],
  });
  const batch = builder.input(EVALUATION_INPUTS.batch, {
    dtype: data.dtype,
    shape: [batchSize, ...data.example],
  });
  const type = targetType(loss, outputShape(model, [batchSize, ...data.example]));
  const target = builder.input(EVALUATION_INPUTS.target, type);
  const mask = builder.input(EVALUATION_INPUTS.mask, { dtype: 'float32', shape: [batchSize] });
  const parts = unflatten(g, vector, parameters);
  const output = forward({
    g,
    model,
    batch: normalised(g, batch, data.scale),
    parameters: new Map(parameters.map(({ name }, i) => [name, parts[i]])),
  });
  const terms = lossTerms(g, loss, output, target);
  const counted = (perExample) => g.reduceSum(g.mul(perExample, mask), [0], false);
  const hits = terms.hits?.() ?? g.scale(mask, 0);
  const outputs = [
    builder.named(counted(terms.perExample), EVALUATION_OUTPUTS.lossSum),
    builder.named(counted(hits), EVALUATION_OUTPUTS.correct),
  ];
  return { graph: builder.finish('evaluation', outputs) };
}

// packages/trainer/src/dataset.ts
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';

// packages/trainer/src/idx.ts
var UNSIGNED_BYTE = 8;
var RANK_MAX = 4;
var BYTES_MAX = 2 ** 31;
function readIdx(bytes, where) {
  const fail = (message) => {
    throw new ProtocolError('dataset-corrupt', `${where}: ${message}`);
  };
  if (bytes.length < 4 || bytes[0] !== 0 || bytes[1] !== 0) {
    fail('not an IDX file (it must start with two zero bytes; unpack .gz files first)');
  }
  if (bytes[2] !== UNSIGNED_BYTE) fail(`element type 0x${bytes[2].toString(16)}, expected bytes`);
  const rank = bytes[3];
  const start = 4 + 4 * rank;
  if (rank < 1 || rank > RANK_MAX) fail(`${rank} dimensions`);
  if (bytes.length < start) fail('ends inside its header');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i));
  const count = shape.reduce((product, dim) => product * dim, 1);
  if (count > BYTES_MAX) fail(`shape [${shape}] is too large`);
  if (bytes.length !== start + count) {
    fail(`${bytes.length - start} bytes of data, expected ${count} for shape [${shape}]`);
  }
  return { shape, data: new Uint8Array(bytes.buffer, bytes.byteOffset + start, count) };
}
function writeIdx({ shape, data }) {
  const start = 4 + 4 * shape.length;
  const bytes = new Uint8Array(start + data.length);
  const view = new DataView(bytes.buffer);
  bytes[2] = UNSIGNED_BYTE;
  bytes[3] = shape.length;
  for (const [i, dim] of shape.entries()) view.setUint32(4 + 4 * i, dim);
  bytes.set(data, start);
  return bytes;
}

// packages/trainer/src/dataset.ts
var IMAGES = ['images.idx3-ubyte', 'train-images-idx3-ubyte', 'train-images.idx3-ubyte'];
var LABELS = ['labels.idx1-ubyte', 'train-labels-idx1-ubyte', 'train-labels.idx1-ubyte'];
var DESCRIPTION = 'dataset.json';
function datasetCatalog(datasets) {
  const byName = new Map(Array.from(datasets, (dataset) => [dataset.name, dataset]));
  return { get: (name) => byName.get(name), list: () => byName.values() };
}
async function readPart(path, names) {
  const file = names.map((name) => join(path, name)).find((candidate) => existsSync(candidate));
  if (file === void 0) {
    throw new ProtocolError('dataset-missing', `${path}: holds none of ${names.join(', ')}`);
  }
  return readIdx(await readFile(file), file);
}
async function loadDataset(path) {
  const [images, labels] = await Promise.all([readPart(path, IMAGES), readPart(path, LABELS)]);
  const [count = 0, ...shape] = images.shape;
  if (labels.shape.length !== 1 || labels.shape[0] !== count || shape.length === 0) {
    throw new ProtocolError(
      'dataset-corrupt',
      `${path}: images of shape [${images.shape}] with labels of shape [${labels.shape}]`,
    );
  }
  if (count < 2) throw new ProtocolError('dataset-corrupt', `${path}: ${count} examples`);
  return { count, shape, images: images.data, labels: labels.data };
}
async function writeDataset(path, data, description) {
  await mkdir(path, { recursive: true });
  const images = writeIdx({ shape: [data.count, ...data.shape], data: data.images });
  await writeFile(join(path, IMAGES[0]), images);
  await writeFile(join(path, LABELS[0]), writeIdx({ shape: [data.count], data: data.labels }));
  await writeFile(
    join(path, DESCRIPTION),
    `${JSON.stringify(description)}
`,
  );
}
async function inspectDataset(path) {
  const { count, shape, labels } = await loadDataset(path);
  const described = await readDescription(join(path, DESCRIPTION));
  const seen = labels.reduce((largest, label) => Math.max(largest, label), 0) + 1;
  const classes = described?.classes ?? seen;
  if (classes < seen) {
    throw new ProtocolError('dataset-corrupt', `${path}: label ${seen - 1} of ${classes} classes`);
  }
  const histogram = new Array(classes).fill(0);
  for (const label of labels) histogram[label] += 1;
  const pixels = shape.reduce((product, dim) => product * dim, 1);
  const task = described?.task ?? basename(path);
  const schema = { task, input: { dtype: 'float32', shape: [pixels] }, classes };
  return { schema, examples: count, imageShape: shape, histogram };
}
async function readDescription(file) {
  if (!existsSync(file)) return void 0;
  try {
    const { task, classes } = JSON.parse(await readFile(file, 'utf8'));
    if (typeof task === 'string' && Number.isInteger(classes) && classes > 0)
      return { task, classes };
  } catch (error) {
    throw new ProtocolError('dataset-corrupt', `${file}: ${errorMessage(error)}`);
  }
  throw new ProtocolError('dataset-corrupt', `${file}: expected {"task": text, "classes": number}`);
}
function matchSchema(wanted, { name, schema }) {
  const size = (shape) => shape.reduce((product, dim) => product * dim, 1);
  const differences = [];
  const differ = (what, asked, has) =>
    differences.push(`${what}: the job wants ${asked}, data set "${name}" has ${has}`);
  if (wanted.task !== schema.task) differ('task', wanted.task, schema.task);
  if (wanted.input.dtype !== schema.input.dtype) {
    differ('dtype', wanted.input.dtype, schema.input.dtype);
  }
  if (size(wanted.input.shape) !== size(schema.input.shape)) {
    differ('shape', `[${wanted.input.shape}]`, `[${schema.input.shape}]`);
  }
  const kindDiffers = (wanted.classes === 0) !== (schema.classes === 0);
  if (kindDiffers || wanted.classes < schema.classes) {
    differ('classes', wanted.classes, schema.classes);
  }
  return differences.length === 0 ? { ok: true } : { ok: false, reason: differences.join('; ') };
}
function dataOffers(catalog) {
  return {
    async match(wanted) {
      const reasons = [];
      for (const dataset of catalog.list()) {
        const match = matchSchema(wanted, dataset);
        if (match.ok) return { ok: true, dataset: dataset.name };
        reasons.push(match.reason);
      }
      return { ok: false, reasons };
    },
  };
}
var SPLIT_SEED = 22289;
function splitDataset(count) {
  const order = permutation(count, createGenerator(SPLIT_SEED));
  const kept = count - Math.max(1, Math.floor(count / 10));
  return { training: order.slice(0, kept), validation: order.slice(kept) };
}

// packages/trainer/src/ort.ts
var loadOrt = () => import('onnxruntime-node');
async function createSession(model, threads) {
  const ort = await loadOrt();
  return ort.InferenceSession.create(writeModel(model), {
    executionProviders: ['cpu'],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    logSeverityLevel: 3,
    // Spinning threads burn the volunteer's CPU between runs.
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  });
}
function scalarOf(results, name) {
  return results[name].data[0];
}

// packages/trainer/src/scorer.ts
var BATCH_MAX = 256;
var BYTE_SCALE = 1 / 255;
var Scorer = class _Scorer {
  #options;
  #session;
  #batchSize;
  constructor(options, session, batchSize) {
    this.#options = options;
    this.#session = session;
    this.#batchSize = batchSize;
  }
  static async open(options) {
    const batchSize = Math.min(BATCH_MAX, options.indices.length);
    const graph = buildEvaluationGraph({
      model: options.model,
      loss: options.loss,
      data: { dtype: 'uint8', example: options.data.shape, scale: BYTE_SCALE },
      batchSize,
    });
    return new _Scorer(options, await createSession(graph, options.threads), batchSize);
  }
  /** Sums over the first `examplesMax` examples of the list. */
  async score(vector, examplesMax) {
    const examples = Math.min(examplesMax, this.#options.indices.length);
    let [lossSum, correct] = [0, 0];
    for (let from = 0; from < examples; from += this.#batchSize) {
      const chunk = this.#options.indices.subarray(
        from,
        Math.min(from + this.#batchSize, examples),
      );
      const results = await this.#session.run(await this.#feeds(vector, chunk));
      lossSum += scalarOf(results, EVALUATION_OUTPUTS.lossSum);
      correct += scalarOf(results, EVALUATION_OUTPUTS.correct);
    }
    return { lossSum, correct: Math.round(correct), examples };
  }
  async #feeds(vector, chunk) {
    const { Tensor } = await loadOrt();
    const { data } = this.#options;
    const size = this.#batchSize;
    const pixels = elementCount(data.shape);
    const batch = new Uint8Array(size * pixels);
    const labels = new Int32Array(size);
    const mask = new Float32Array(size);
    for (const [i, index] of chunk.entries()) {
      batch.set(data.images.subarray(index * pixels, (index + 1) * pixels), i * pixels);
      labels[i] = data.labels[index];
      mask[i] = 1;
    }
    return {
      [EVALUATION_INPUTS.vector]: new Tensor('float32', vector, [vector.length]),
      [EVALUATION_INPUTS.batch]: new Tensor('uint8', batch, [size, ...data.shape]),
      [EVALUATION_INPUTS.target]: new Tensor('int32', labels, [size]),
      [EVALUATION_INPUTS.mask]: new Tensor('float32', mask, [size]),
    };
  }
  close() {
    return this.#session.release();
  }
};
async function evaluateModel(modelBytes, data, vector) {
  const model = readModel(modelBytes);
  const indices = Int32Array.from({ length: data.count }, (_, i) => i);
  const loss = 'softmax-cross-entropy';
  const scorer = await Scorer.open({ model, loss, data, indices, threads: 1 });
  const result = await scorer.score(vector ?? initialVector(model), data.count);
  await scorer.close();
  return {
    ...result,
    accuracy: result.correct / result.examples,
    meanLoss: result.lossSum / result.examples,
  };
}

export {
  applyVector,
  BYTE_SCALE,
  buildEpochGraph,
  createGenerator,
  createSession,
  dataOffers,
  datasetCatalog,
  describeModel,
  EPOCH_INPUTS,
  EPOCH_OUTPUTS,
  evaluateModel,
  initialVector,
  inspectDataset,
  loadDataset,
  loadOrt,
  matchSchema,
  outputShape,
  permutation,
  readIdx,
  Scorer,
  scalarOf,
  splitDataset,
  writeDataset,
  zooModel,
};
//# sourceMappingURL=chunk-4B55UYVQ.js.map
