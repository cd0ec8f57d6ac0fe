import { assert, errorMessage, ProtocolError, unreachable } from './chunk-74QJAORY.js';

// packages/onnx/src/limits.ts
var MODEL_LIMITS = {
  /** Bytes of the file. */
  bytesMax: 512 * 1024 * 1024,
  /** Nodes of the file, and of a graph built from it. */
  nodesMax: 2e4,
  /** Initializers, inputs and outputs of the file. */
  valuesMax: 2e4,
  /** Inputs or outputs of one node, attributes of one node. */
  aritiesMax: 256,
  /** Dimensions of one tensor. */
  rankMax: 8,
  /** Elements of one tensor, stored or computed. */
  elementsMax: 64 * 1024 * 1024,
  /** Elements of all tensors computed in one run, together. */
  totalElementsMax: 1024 * 1024 * 1024,
  /** Cells of a pooling window. */
  poolCellsMax: 1024,
  /** Elements up to which a constant is folded. */
  foldElementsMax: 64 * 1024,
};

// packages/onnx/src/tensor.ts
var elementCount = (shape) => shape.reduce((product, dim) => product * dim, 1);
function allocate(dtype, count) {
  switch (dtype) {
    case 'float32':
      return new Float32Array(count);
    case 'float64':
      return new Float64Array(count);
    case 'int8':
      return new Int8Array(count);
    case 'int32':
      return new Int32Array(count);
    case 'int64':
      return new BigInt64Array(count);
    default:
      return new Uint8Array(count);
  }
}
function tensorOf(dtype, shape, values2) {
  const count = elementCount(shape);
  assert(count === values2.length, `${values2.length} values for shape [${shape}]`);
  const data = allocate(dtype, count);
  if (data instanceof BigInt64Array) {
    for (let i = 0; i < count; i++) data[i] = BigInt(Math.trunc(values2[i]));
  } else {
    data.set(values2);
  }
  return { dtype, shape, data };
}
var scalar = (value, dtype = 'float32') => tensorOf(dtype, [], [value]);
var int64s = (values2) => tensorOf('int64', [values2.length], values2);
function numbersOf(tensor) {
  return Array.from(tensor.data, Number);
}
function stridesOf(shape) {
  const strides = new Array(shape.length).fill(1);
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = strides[i + 1] * shape[i + 1];
  return strides;
}
function broadcastShapes(a, b) {
  const rank = Math.max(a.length, b.length);
  const out = [];
  for (let i = 0; i < rank; i++) {
    const left = a[a.length - rank + i] ?? 1;
    const right = b[b.length - rank + i] ?? 1;
    if (left !== right && left !== 1 && right !== 1) return void 0;
    out.push(left === 1 ? right : left);
  }
  return out;
}
var equalShapes = (a, b) => a.length === b.length && a.every((dim, i) => dim === b[i]);

// packages/onnx/src/types.ts
var DATA_TYPES = ['float32', 'float64', 'uint8', 'int8', 'int32', 'int64', 'bool'];
var OPSET = 17;
var IR_VERSION = 8;
var int = (value) => ({ kind: 'int', value });
var float = (value) => ({ kind: 'float', value });
var ints = (value) => ({ kind: 'ints', value });
var text = (value) => ({ kind: 'string', value });
function numberAttribute(node, name, fallback) {
  const found = node.attributes.get(name);
  return found?.kind === 'int' || found?.kind === 'float' ? found.value : fallback;
}
function intsAttribute(node, name) {
  const found = node.attributes.get(name);
  return found?.kind === 'ints' ? found.value : void 0;
}
function textAttribute(node, name, fallback) {
  const found = node.attributes.get(name);
  return found?.kind === 'string' ? found.value : fallback;
}

// packages/onnx/src/infer-spatial.ts
var span = (kernel, dilation) => (kernel - 1) * dilation + 1;
function windowOf(node, input, kernel) {
  const ones = input.map(() => 1);
  const strides = intsAttribute(node, 'strides') ?? ones;
  const dilations = intsAttribute(node, 'dilations') ?? ones;
  const pads = intsAttribute(node, 'pads') ?? [...input, ...input].map(() => 0);
  const auto = textAttribute(node, 'auto_pad', 'NOTSET');
  const ceil = numberAttribute(node, 'ceil_mode', 0) === 1;
  const axes = input.map((size, i) => {
    const stride = strides[i];
    const cells = span(kernel[i], dilations[i]);
    if (auto === 'SAME_UPPER' || auto === 'SAME_LOWER') {
      const output = Math.ceil(size / stride);
      const total = Math.max(0, (output - 1) * stride + cells - size);
      const small = Math.floor(total / 2);
      const begin2 = auto === 'SAME_UPPER' ? small : total - small;
      return { begin: begin2, end: total - begin2, output };
    }
    const explicit = auto !== 'VALID';
    const begin = explicit ? pads[i] : 0;
    const end = explicit ? pads[input.length + i] : 0;
    const steps = (size + begin + end - cells) / stride;
    const rounded = (ceil ? Math.ceil(steps) : Math.floor(steps)) + 1;
    const outside = ceil && (rounded - 1) * stride >= size + begin;
    return { begin, end, output: outside ? rounded - 1 : rounded };
  });
  return {
    kernel,
    strides,
    dilations,
    padsBegin: axes.map(({ begin }) => begin),
    padsEnd: axes.map(({ end }) => end),
    output: axes.map(({ output }) => output),
  };
}
var LISTS = ['strides', 'dilations', 'kernel_shape'];
function checkedWindow(call, input, kernel) {
  for (const name of LISTS) {
    const list = intsAttribute(call.node, name);
    const bad = list?.some((value) => !Number.isInteger(value) || value < 1);
    if (list !== void 0 && (bad || list.length !== input.length)) {
      call.fail(`${name} [${list}] over [${input}]`);
    }
  }
  const pads = intsAttribute(call.node, 'pads');
  if (pads !== void 0 && (pads.length !== 2 * input.length || pads.some((pad2) => pad2 < 0))) {
    call.fail(`pads [${pads}] over [${input}]`);
  }
  const window = windowOf(call.node, input, kernel);
  if (window.output.some((size) => size < 1)) call.fail(`window [${kernel}] over [${input}]`);
  return window;
}
function inferConv(call) {
  const { dtype, shape } = call.input(0);
  const weight = call.input(1).shape;
  const group = numberAttribute(call.node, 'group', 1);
  const fits = shape.length >= 3 && weight.length === shape.length && group >= 1;
  if (!fits || weight[1] * group !== shape[1] || weight[0] % group !== 0) {
    call.fail(`[${shape}] with weight [${weight}] in ${group} groups`);
  }
  const { output } = checkedWindow(call, shape.slice(2), weight.slice(2));
  return { dtype, shape: [shape[0], weight[0], ...output] };
}
function inferConvTranspose(call) {
  const { dtype, shape } = call.input(0);
  const weight = call.input(1).shape;
  const group = numberAttribute(call.node, 'group', 1);
  if (weight.length !== shape.length || weight[0] !== shape[1]) {
    call.fail(`[${shape}] with weight [${weight}]`);
  }
  if (call.node.attributes.has('output_shape') || call.node.attributes.has('auto_pad')) {
    call.fail('only explicit pads are supported');
  }
  const input = shape.slice(2);
  const list = (name, value, length = input.length) =>
    intsAttribute(call.node, name) ?? new Array(length).fill(value);
  const [strides, dilations] = [list('strides', 1), list('dilations', 1)];
  const [pads, extra] = [list('pads', 0, 2 * input.length), list('output_padding', 0)];
  const output = input.map(
    (size, i) =>
      (size - 1) * strides[i] +
      span(weight[2 + i], dilations[i]) +
      extra[i] -
      pads[i] -
      pads[input.length + i],
  );
  if (output.some((size) => !(size >= 1))) call.fail(`output [${output}]`);
  return { dtype, shape: [shape[0], weight[1] * group, ...output] };
}
function inferPool(call) {
  const { dtype, shape } = call.input(0);
  const kernel = intsAttribute(call.node, 'kernel_shape');
  if (shape.length < 3 || kernel === void 0) call.fail(`window [${kernel}] over [${shape}]`);
  if (call.node.outputs.length > 1) call.fail('the Indices output is not supported');
  if (elementCount(kernel) > MODEL_LIMITS.poolCellsMax) call.fail(`window [${kernel}]`);
  const { output } = checkedWindow(call, shape.slice(2), kernel);
  return { dtype, shape: [...shape.slice(0, 2), ...output] };
}
function inferGlobalPool(call) {
  const { dtype, shape } = call.input(0);
  if (shape.length < 3) call.fail(`[${shape}] has no spatial axis`);
  return { dtype, shape: shape.map((dim, i) => (i < 2 ? dim : 1)) };
}

// packages/onnx/src/infer.ts
var InferenceCall = class {
  node;
  #inputs;
  constructor(node, inputs) {
    this.node = node;
    this.#inputs = inputs;
  }
  input(index) {
    return this.#inputs[index] ?? this.fail(`input ${index} is missing`);
  }
  optional(index) {
    return this.#inputs[index];
  }
  get inputs() {
    return this.#inputs.map((_, i) => this.input(i));
  }
  /** Integers of a constant input. */
  constants(index) {
    const { value } = this.input(index);
    if (value === void 0) this.fail(`input ${index} (a shape, axes or bounds) is not constant`);
    return numbersOf(value);
  }
  /** `axis` counted from the front, checked. */
  axis(axis, rank) {
    const at = axis < 0 ? axis + rank : axis;
    if (!Number.isInteger(at) || at < 0 || at >= rank) this.fail(`axis ${axis} of rank ${rank}`);
    return at;
  }
  axes(axes, rank) {
    return axes.map((axis) => this.axis(axis, rank));
  }
  fail(message) {
    throw new ProtocolError(
      'model-shape',
      `node "${this.node.name}" (${this.node.op}): ${message}`,
    );
  }
};
var same = (call) => {
  const { dtype, shape } = call.input(0);
  return [{ dtype, shape }];
};
var broadcast =
  (dtype, first = 0) =>
  (call) => {
    let shape = [];
    for (const input of call.inputs) {
      shape =
        broadcastShapes(shape, input.shape) ??
        call.fail(`shapes [${shape}] and [${input.shape}] do not broadcast`);
    }
    return [{ dtype: dtype ?? call.input(first).dtype, shape }];
  };
function reshapeTarget(call) {
  const { shape } = call.input(0);
  const keepZero = numberAttribute(call.node, 'allowzero', 0) === 1;
  const target = call
    .constants(1)
    .map((dim, i) => (dim === 0 && !keepZero ? (shape[i] ?? call.fail('0 beyond rank')) : dim));
  const open = target.indexOf(-1);
  if (open >= 0) {
    const rest = target.reduce((product, dim, i) => (i === open ? product : product * dim), 1);
    target[open] = rest === 0 ? 0 : elementCount(shape) / rest;
  }
  const fits = target.every((dim) => Number.isInteger(dim) && dim >= 0);
  if (!fits || elementCount(target) !== elementCount(shape)) {
    call.fail(`[${shape}] does not reshape to [${call.constants(1)}]`);
  }
  return target;
}
function matmulShape(call) {
  const [a, b] = [call.input(0).shape, call.input(1).shape];
  if (a.length === 0 || b.length === 0) call.fail('an operand is a scalar');
  const left = a.length === 1 ? [1, ...a] : a;
  const right = b.length === 1 ? [...b, 1] : b;
  const batch = broadcastShapes(left.slice(0, -2), right.slice(0, -2));
  if (batch === void 0 || left.at(-1) !== right.at(-2)) call.fail(`[${a}] times [${b}]`);
  return [
    ...batch,
    ...(a.length === 1 ? [] : [left.at(-2)]),
    ...(b.length === 1 ? [] : [right.at(-1)]),
  ];
}
var gemm = (call) => {
  const [a, b] = [call.input(0), call.input(1)];
  if (a.shape.length !== 2 || b.shape.length !== 2) call.fail('operands are not matrices');
  const transA = numberAttribute(call.node, 'transA', 0) !== 0;
  const transB = numberAttribute(call.node, 'transB', 0) !== 0;
  const [rows, inner] = transA ? [a.shape[1], a.shape[0]] : [a.shape[0], a.shape[1]];
  const [depth, columns] = transB ? [b.shape[1], b.shape[0]] : [b.shape[0], b.shape[1]];
  if (inner !== depth) call.fail(`[${a.shape}] times [${b.shape}]`);
  const c = call.optional(2);
  const shape = [rows, columns];
  if (c !== void 0 && `${broadcastShapes(shape, c.shape)}` !== `${shape}`) {
    call.fail(`bias [${c.shape}] for [${shape}]`);
  }
  return [{ dtype: a.dtype, shape }];
};
var reduce = (call) => {
  const { dtype, shape } = call.input(0);
  const given = call.optional(1) === void 0 ? void 0 : call.constants(1);
  const listed = given ?? intsAttribute(call.node, 'axes') ?? [];
  const none = listed.length === 0;
  if (none && numberAttribute(call.node, 'noop_with_empty_axes', 0) === 1)
    return [{ dtype, shape }];
  const axes = none ? shape.map((_, i) => i) : call.axes(listed, shape.length);
  const keep = numberAttribute(call.node, 'keepdims', 1) === 1;
  const reduced = shape.map((dim, i) => (axes.includes(i) ? 1 : dim));
  return [{ dtype, shape: keep ? reduced : reduced.filter((_, i) => !axes.includes(i)) }];
};
var concat = (call) => {
  const first = call.input(0);
  const axis = call.axis(numberAttribute(call.node, 'axis', 0), first.shape.length);
  for (const { shape } of call.inputs) {
    const fits = shape.every((dim, i) => i === axis || dim === first.shape[i]);
    if (shape.length !== first.shape.length || !fits) {
      call.fail(`[${shape}] beside [${first.shape}] on axis ${axis}`);
    }
  }
  const total = call.inputs.reduce((sum, { shape }) => sum + shape[axis], 0);
  return [{ dtype: first.dtype, shape: first.shape.with(axis, total) }];
};
var gather = (call) => {
  const { dtype, shape } = call.input(0);
  const axis = call.axis(numberAttribute(call.node, 'axis', 0), shape.length);
  const indices = call.input(1).shape;
  return [{ dtype, shape: [...shape.slice(0, axis), ...indices, ...shape.slice(axis + 1)] }];
};
function sliceRanges(call) {
  const { shape } = call.input(0);
  const [starts, ends] = [call.constants(1), call.constants(2)];
  const axes = call.optional(3) === void 0 ? starts.map((_, i) => i) : call.constants(3);
  const steps = call.optional(4) === void 0 ? starts.map(() => 1) : call.constants(4);
  return starts.map((from2, i) => {
    const axis = call.axis(axes[i] ?? Number.NaN, shape.length);
    const size = shape[axis];
    const step = steps[i];
    if (!step) call.fail('step 0');
    const to = ends[i] ?? call.fail('fewer ends than starts');
    const clamp = (at) => {
      const counted = at < 0 ? at + size : at;
      return step > 0
        ? Math.min(Math.max(counted, 0), size)
        : Math.min(Math.max(counted, -1), size - 1);
    };
    const start = clamp(from2);
    return { axis, start, step, length: Math.max(0, Math.ceil((clamp(to) - start) / step)) };
  });
}
var slice = (call) => {
  const { dtype, shape } = call.input(0);
  const out = [...shape];
  for (const { axis, length } of sliceRanges(call)) out[axis] = length;
  return [{ dtype, shape: out }];
};
var split = (call) => {
  const { dtype, shape } = call.input(0);
  const axis = call.axis(numberAttribute(call.node, 'axis', 0), shape.length);
  const parts = call.node.outputs.length;
  const size = Math.ceil(shape[axis] / parts);
  const even = Array.from({ length: parts }, (_, i) => Math.min(size, shape[axis] - i * size));
  const sizes = call.optional(1) === void 0 ? even : call.constants(1);
  const total = sizes.reduce((sum, part) => sum + part, 0);
  if (sizes.length !== parts || total !== shape[axis]) call.fail(`split [${sizes}] of [${shape}]`);
  return sizes.map((part) => ({ dtype, shape: shape.with(axis, part) }));
};
var transpose = (call) => {
  const { dtype, shape } = call.input(0);
  const perm = intsAttribute(call.node, 'perm') ?? shape.map((_, i) => shape.length - 1 - i);
  if (new Set(perm).size !== shape.length) call.fail(`perm [${perm}] of rank ${shape.length}`);
  return [{ dtype, shape: perm.map((axis) => shape[call.axis(axis, shape.length)]) }];
};
var squeeze = (call) => {
  const { dtype, shape } = call.input(0);
  const ones = shape.flatMap((dim, i) => (dim === 1 ? [i] : []));
  const axes = call.optional(1) === void 0 ? ones : call.axes(call.constants(1), shape.length);
  if (axes.some((axis) => shape[axis] !== 1)) call.fail(`axes [${axes}] of [${shape}]`);
  return [{ dtype, shape: shape.filter((_, i) => !axes.includes(i)) }];
};
var unsqueeze = (call) => {
  const { dtype, shape } = call.input(0);
  const listed = call.constants(1);
  const axes = call.axes(listed, shape.length + listed.length);
  const rest = [...shape];
  const out = Array.from({ length: shape.length + axes.length }, (_, i) =>
    axes.includes(i) ? 1 : rest.shift(),
  );
  return [{ dtype, shape: out }];
};
var flatten = (call) => {
  const { dtype, shape } = call.input(0);
  const axis = numberAttribute(call.node, 'axis', 1);
  const at = axis < 0 ? axis + shape.length : axis;
  const rows = elementCount(shape.slice(0, at));
  return [{ dtype, shape: [rows, elementCount(shape.slice(at))] }];
};
var CAST_TYPES = /* @__PURE__ */ new Map([
  [1, 'float32'],
  [2, 'uint8'],
  [3, 'int8'],
  [6, 'int32'],
  [7, 'int64'],
  [9, 'bool'],
  [11, 'float64'],
]);
var cast = (call) => {
  const to = numberAttribute(call.node, 'to', 0);
  return [{ dtype: CAST_TYPES.get(to) ?? call.fail(`type ${to}`), shape: call.input(0).shape }];
};
function askedShape(call, index) {
  const shape = call.constants(index);
  if (shape.some((dim) => !Number.isInteger(dim) || dim < 0)) call.fail(`shape [${shape}]`);
  return shape;
}
var expand = (call) => {
  const { dtype, shape } = call.input(0);
  const asked = askedShape(call, 1);
  return [{ dtype, shape: broadcastShapes(shape, asked) ?? call.fail(`[${shape}] to [${asked}]`) }];
};
var pad = (call) => {
  const { dtype, shape } = call.input(0);
  const pads = call.constants(1);
  if (pads.length !== 2 * shape.length) call.fail(`pads [${pads}] of rank ${shape.length}`);
  const out = shape.map((dim, i) => dim + pads[i] + pads[shape.length + i]);
  if (out.some((dim) => dim < 0)) call.fail(`pads [${pads}] of [${shape}]`);
  return [{ dtype, shape: out }];
};
var argument = (call) => {
  const { shape } = call.input(0);
  const axis = call.axis(numberAttribute(call.node, 'axis', 0), shape.length);
  const keep = numberAttribute(call.node, 'keepdims', 1) === 1;
  return [{ dtype: 'int64', shape: keep ? shape.with(axis, 1) : shape.toSpliced(axis, 1) }];
};
var range = (call) => {
  const [start, limit2, step] = [0, 1, 2].map((i) => call.constants(i)[0] ?? Number.NaN);
  const length = Math.max(0, Math.ceil((limit2 - start) / step));
  if (!Number.isFinite(length)) call.fail('no finite range');
  return [{ dtype: call.input(0).dtype, shape: [length] }];
};
var rules = (names, rule) => names.split(' ').map((name) => [name, rule]);
var RULES = new Map([
  ...rules('Relu LeakyRelu Elu Sigmoid HardSigmoid HardSwish Tanh Softplus Exp Log Sqrt', same),
  ...rules('Neg Abs Erf Sin Cos Reciprocal Floor Ceil Sign Softmax LogSoftmax Identity', same),
  ...rules('Clip Dropout CumSum Not', same),
  ...rules('Add Sub Mul Div Pow PRelu Max Min Sum And Or', broadcast()),
  ...rules('Equal Greater GreaterOrEqual Less LessOrEqual', broadcast('bool')),
  ['Where', broadcast(void 0, 1)],
  ['MatMul', (call) => [{ dtype: call.input(0).dtype, shape: matmulShape(call) }]],
  ['Gemm', gemm],
  ['Conv', (call) => [inferConv(call)]],
  ['ConvTranspose', (call) => [inferConvTranspose(call)]],
  ...rules('MaxPool AveragePool', (call) => [inferPool(call)]),
  ...rules('GlobalAveragePool', (call) => [inferGlobalPool(call)]),
  ...rules('ReduceSum ReduceMean ReduceMax ReduceMin ReduceProd', reduce),
  ['Reshape', (call) => [{ dtype: call.input(0).dtype, shape: reshapeTarget(call) }]],
  ['Flatten', flatten],
  ['Transpose', transpose],
  ['Squeeze', squeeze],
  ['Unsqueeze', unsqueeze],
  ['Concat', concat],
  ['Gather', gather],
  ['Slice', slice],
  ['Split', split],
  ['Pad', pad],
  ['Expand', expand],
  ['Cast', cast],
  ...rules('ArgMax ArgMin', argument),
  ['Shape', (call) => [{ dtype: 'int64', shape: [call.input(0).shape.length] }]],
  ['Size', () => [{ dtype: 'int64', shape: [] }]],
  ['Range', range],
  [
    'ConstantOfShape',
    (call) => {
      const value = call.node.attributes.get('value');
      const dtype = value?.kind === 'tensor' ? value.value.dtype : 'float32';
      return [{ dtype, shape: askedShape(call, 0) }];
    },
  ],
]);
var ARITIES = new Map([
  ...'Add Sub Mul Div Pow PRelu And Or MatMul Gather Expand Reshape Unsqueeze CumSum'
    .concat(' Equal Greater GreaterOrEqual Less LessOrEqual')
    .split(' ')
    .map((op) => [op, [2, 2]]),
  ...['Where', 'Range'].map((op) => [op, [3, 3]]),
  ...['Gemm', 'Conv', 'ConvTranspose'].map((op) => [op, [2, 3]]),
  ...['Squeeze', 'Split', 'ReduceSum'].map((op) => [op, [1, 2]]),
  ...['Max', 'Min', 'Sum', 'Concat'].map((op) => [op, [1, MODEL_LIMITS.aritiesMax]]),
  ['Clip', [1, 3]],
  ['Slice', [3, 5]],
  ['Pad', [2, 3]],
]);
var KNOWN_OPERATORS = /* @__PURE__ */ new Set([...RULES.keys(), 'Constant']);
function inferNode(node, inputs) {
  const rule = RULES.get(node.op);
  if (rule === void 0) {
    throw new ProtocolError(
      'unsupported-operator',
      `node "${node.name}": operator ${node.op} is not supported`,
    );
  }
  const call = new InferenceCall(node, inputs);
  const [least, most] = ARITIES.get(node.op) ?? [1, 1];
  if (inputs.length > most) call.fail(`${inputs.length} inputs, at most ${most}`);
  for (let i = 0; i < least; i++) call.input(i);
  const types = rule(call);
  if (types.length !== node.outputs.length) {
    call.fail(`${node.outputs.length} outputs, expected ${types.length}`);
  }
  return types;
}

// packages/onnx/src/fold.ts
var truth = (value) => (value ? 1 : 0);
var ELEMENTWISE = /* @__PURE__ */ new Map([
  ['Add', (a, b) => a + b],
  ['Sub', (a, b) => a - b],
  ['Mul', (a, b) => a * b],
  ['Div', (a, b) => a / b],
  ['Max', (...all) => Math.max(...all)],
  ['Min', (...all) => Math.min(...all)],
  ['Neg', (a) => -a],
  ['Abs', (a) => Math.abs(a)],
  ['Floor', (a) => Math.floor(a)],
  ['Ceil', (a) => Math.ceil(a)],
  ['Sqrt', (a) => Math.sqrt(a)],
  ['Not', (a) => truth(a === 0)],
  ['And', (a, b) => truth(a !== 0 && b !== 0)],
  ['Or', (a, b) => truth(a !== 0 || b !== 0)],
  ['Equal', (a, b) => truth(a === b)],
  ['Greater', (a, b) => truth(a > b)],
  ['Less', (a, b) => truth(a < b)],
  ['Where', (condition, a, b) => (condition !== 0 ? a : b)],
  ['Expand', (a) => a],
]);
var values = (call, index) => numbersOf(call.input(index).value);
var copy = (call) => values(call, 0);
function elementwise(apply, call, { shape }) {
  const count = elementCount(shape);
  const operands = call.node.op === 'Expand' ? [call.input(0)] : call.inputs;
  const views = operands.map((input) => ({
    data: numbersOf(input.value),
    at: broadcastIndex(input.shape, shape),
  }));
  return Array.from({ length: count }, (_, i) =>
    apply(...views.map(({ data, at }) => data[at(i)])),
  );
}
function broadcastIndex(from2, to) {
  const outer = stridesOf(to);
  const inner = stridesOf(from2);
  const shift = to.length - from2.length;
  return (i) =>
    from2.reduce((at, dim, axis) => {
      if (dim === 1) return at;
      const position = Math.floor(i / outer[axis + shift]) % to[axis + shift];
      return at + position * inner[axis];
    }, 0);
}
function picked(data, from2, to, pick) {
  const outer = stridesOf(to);
  const inner = stridesOf(from2);
  return Array.from({ length: elementCount(to) }, (_, i) => {
    let at = 0;
    for (let axis = 0; axis < to.length; axis++) {
      const source = pick(axis, Math.floor(i / outer[axis]) % to[axis]);
      at += source.position * inner[source.axis];
    }
    return data[at];
  });
}
var transpose2 = (call, output) => {
  const { shape } = call.input(0);
  const perm = intsAttribute(call.node, 'perm') ?? shape.map((_, i) => shape.length - 1 - i);
  return picked(values(call, 0), shape, output.shape, (axis, position) => ({
    axis: perm[axis],
    position,
  }));
};
var slice2 = (call, output) => {
  const ranges = new Map(sliceRanges(call).map((range2) => [range2.axis, range2]));
  return picked(values(call, 0), call.input(0).shape, output.shape, (axis, position) => {
    const range2 = ranges.get(axis);
    return { axis, position: range2 ? range2.start + position * range2.step : position };
  });
};
var gather2 = (call) => {
  const { shape } = call.input(0);
  const axis = call.axis(numberAttribute(call.node, 'axis', 0), shape.length);
  const [data, indices] = [values(call, 0), values(call, 1)];
  const [outer, size] = [elementCount(shape.slice(0, axis)), shape[axis]];
  const inner = elementCount(shape.slice(axis + 1));
  const out = [];
  for (let i = 0; i < outer; i++) {
    for (const index of indices) {
      const at = index < 0 ? index + size : index;
      if (!(at >= 0 && at < size)) call.fail(`index ${index} of ${size}`);
      const start = (i * size + at) * inner;
      for (let j = 0; j < inner; j++) out.push(data[start + j]);
    }
  }
  return out;
};
var concat2 = (call) => {
  const { shape } = call.input(0);
  const axis = call.axis(numberAttribute(call.node, 'axis', 0), shape.length);
  const outer = elementCount(shape.slice(0, axis));
  const parts = call.inputs.map((input) => numbersOf(input.value));
  return Array.from({ length: outer }, (_, i) =>
    parts.flatMap((part) => part.slice((i * part.length) / outer, ((i + 1) * part.length) / outer)),
  ).flat();
};
var FOLDS = new Map([
  ...[...ELEMENTWISE].map(([op, apply]) => [
    op,
    (call, output) => elementwise(apply, call, output),
  ]),
  ...['Cast', 'Identity', 'Reshape', 'Flatten', 'Squeeze', 'Unsqueeze'].map((op) => [op, copy]),
  ['Transpose', transpose2],
  ['Slice', slice2],
  ['Gather', gather2],
  ['Concat', concat2],
  [
    'Range',
    (call, { shape }) => {
      const [start, , step] = [0, 1, 2].map((i) => call.constants(i)[0]);
      return Array.from({ length: shape[0] }, (_, i) => start + i * step);
    },
  ],
  [
    'ConstantOfShape',
    (call, { shape }) => {
      const attribute = call.node.attributes.get('value');
      const fill = attribute?.kind === 'tensor' ? (numbersOf(attribute.value)[0] ?? 0) : 0;
      return new Array(elementCount(shape)).fill(fill);
    },
  ],
]);
function foldNode(node, inputs, outputs) {
  const output = outputs[0];
  if (output === void 0 || outputs.length !== 1) return void 0;
  const call = new InferenceCall(node, inputs);
  if (node.op === 'Shape') return int64s(shapePart(call));
  if (node.op === 'Size') return tensorOf('int64', [], [elementCount(call.input(0).shape)]);
  const rule = FOLDS.get(node.op);
  const constant = inputs.every((input) => input?.value !== void 0);
  if (rule === void 0 || !constant) return void 0;
  const sizes = [output, ...inputs].map((type) => elementCount(type.shape));
  if (Math.max(...sizes) > MODEL_LIMITS.foldElementsMax) return void 0;
  return tensorOf(output.dtype, output.shape, finish(output, rule(call, output)));
}
function shapePart(call) {
  const { shape } = call.input(0);
  const start = numberAttribute(call.node, 'start', 0);
  return shape.slice(start, numberAttribute(call.node, 'end', shape.length));
}
function finish({ dtype }, numbers) {
  if (dtype === 'bool') return numbers.map((value) => truth(value !== 0));
  if (dtype === 'float32' || dtype === 'float64') return numbers;
  return numbers.map((value) => (Number.isFinite(value) ? Math.trunc(value) : 0));
}

// packages/onnx/src/builder.ts
var GraphBuilder = class {
  #parent;
  #shared;
  #values = /* @__PURE__ */ new Map();
  #inputs = [];
  #nodes = [];
  #initializers = /* @__PURE__ */ new Map();
  #constants = /* @__PURE__ */ new Map();
  /** @param parent graph around this one when this is a body; its values can be used by name */
  constructor(parent) {
    this.#parent = parent;
    this.#shared = parent ? parent.#shared : freshShared();
  }
  /** Nodes so far, in topological order. */
  get nodes() {
    return this.#nodes;
  }
  input(name, type) {
    const unique = this.#unique(name);
    this.#inputs.push(unique);
    this.#values.set(unique, typeOnly(type));
    return unique;
  }
  /**
   * A stored tensor. Without a name, equal small tensors are stored once, in the outermost graph.
   */
  constant(tensor, name) {
    if (this.#parent) return this.#parent.constant(tensor, name);
    const key = name ?? (tensor.data.length <= 64 ? contentKey(tensor) : void 0);
    const found = key === void 0 ? void 0 : this.#constants.get(key);
    if (found !== void 0) return found;
    const unique = this.#unique(name ?? `constant_${this.#count('constant')}`);
    if (key !== void 0) this.#constants.set(key, unique);
    this.#initializers.set(unique, tensor);
    this.#define(unique, { dtype: tensor.dtype, shape: tensor.shape, value: tensor });
    return unique;
  }
  /** Adds a node with one output and names that; the name of a constant when the value is known. */
  add(op, inputs, attributes = {}, options = {}) {
    return this.addMany(op, inputs, new Map(Object.entries(attributes)), options)[0];
  }
  /**
   * Adds a node and names its outputs.
   * @throws ProtocolError `unsupported-operator`, `model-shape` or `model-limit`, naming the node
   */
  addMany(op, inputs, attributes, options = {}) {
    const name = options.name ?? `${op}_${this.#count(op)}`;
    const asked = options.outputs ?? [`${name}/output`];
    const draft = { name, op, inputs, outputs: asked, attributes };
    const known = inputs.map((input) => (input === '' ? void 0 : this.#known(input, draft)));
    if (op === 'Identity') return [inputs[0] ?? ''];
    const types = inferNode(draft, known);
    const folded = foldNode(draft, known, types);
    if (folded !== void 0) return [this.constant(folded)];
    const [first, target] = [known[0], types[0]];
    if (op === 'Reshape' && first && target && equalShapes(first.shape, target.shape)) {
      return [inputs[0]];
    }
    return this.addTyped(draft, types);
  }
  /** Adds a node whose output types the caller knows: Loop, with its body. */
  addTyped(node, types) {
    if (++this.#shared.nodes > MODEL_LIMITS.nodesMax) {
      throw new ProtocolError('model-limit', `more than ${MODEL_LIMITS.nodesMax} nodes`);
    }
    assert(types.length >= node.outputs.length, `${node.op}: ${types.length} types`);
    const outputs = node.outputs.map((output) => this.#unique(output));
    for (const [i, output] of outputs.entries()) this.#define(output, types[i], node);
    this.#nodes.push({ ...node, name: this.#unique(node.name), outputs });
    return outputs;
  }
  /** `value` under a name of its own, for outputs: a graph's outputs are known by their names. */
  named(value, name) {
    const node = {
      name,
      op: 'Identity',
      inputs: [value],
      outputs: [name],
      attributes: /* @__PURE__ */ new Map(),
    };
    return this.addTyped(node, [typeOnly(this.#known(value))])[0];
  }
  type(name) {
    return typeOnly(this.#known(name));
  }
  shape(name) {
    return this.#known(name).shape;
  }
  /** The value of a constant. */
  valueOf(name) {
    return this.#known(name).value;
  }
  /** The graph that computes `outputs`, without what they do not need. */
  finish(name, outputs) {
    const needed = new Set(outputs);
    const nodes = this.#nodes
      .toReversed()
      .filter((node) => {
        if (!node.outputs.some((output) => needed.has(output))) return false;
        for (const used of namesUsedBy(node)) needed.add(used);
        return true;
      })
      .reverse();
    return {
      name,
      nodes,
      initializers: new Map([...this.#initializers].filter(([key]) => needed.has(key))),
      inputs: this.#inputs.map((input) => ({ name: input, ...typeOnly(this.#known(input)) })),
      outputs: outputs.map((output) => ({ name: output, ...typeOnly(this.#known(output)) })),
    };
  }
  #known(name, by) {
    const found = this.#values.get(name) ?? (this.#parent ? this.#parent.#known(name) : void 0);
    if (found !== void 0) return found;
    const user = by ? `node "${by.name}" (${by.op})` : 'a graph output';
    throw new ProtocolError('model-corrupt', `${user} uses "${name}", which nothing makes`);
  }
  #define(name, type, by) {
    const count = elementCount(type.shape);
    this.#shared.elements += count;
    const tooMuch = this.#shared.elements > MODEL_LIMITS.totalElementsMax;
    if (count > MODEL_LIMITS.elementsMax || tooMuch) {
      const where = by ? `node "${by.name}" (${by.op})` : `"${name}"`;
      throw new ProtocolError('model-limit', `${where}: [${type.shape}] needs too much memory`);
    }
    this.#values.set(name, type);
  }
  #count(key) {
    const count = this.#shared.counters.get(key) ?? 0;
    this.#shared.counters.set(key, count + 1);
    return count;
  }
  #unique(name) {
    let unique = name;
    while (this.#shared.names.has(unique)) unique = `${name}_${this.#count(name)}`;
    this.#shared.names.add(unique);
    return unique;
  }
};
var freshShared = () => ({
  // The empty name means "absent", so no value may carry it.
  names: /* @__PURE__ */ new Set(['']),
  counters: /* @__PURE__ */ new Map(),
  elements: 0,
  nodes: 0,
});
var typeOnly = ({ dtype, shape }) => ({ dtype, shape });
var elementKey = (value) => (Object.is(value, -0) ? '-0' : String(value));
var contentKey = ({ dtype, shape, data }) => `\0${dtype}[${shape}]${Array.from(data, elementKey)}`;
function namesUsedBy(node) {
  const bodies = [...node.attributes.values()].flatMap((attribute) =>
    attribute.kind === 'graph' ? [attribute.value] : [],
  );
  return [...node.inputs, ...bodies.flatMap(freeNames)];
}
function freeNames(graph) {
  const own = /* @__PURE__ */ new Set([
    ...graph.inputs.map(({ name }) => name),
    ...graph.initializers.keys(),
    ...graph.nodes.flatMap(({ outputs }) => outputs),
  ]);
  const used = [...graph.nodes.flatMap(namesUsedBy), ...graph.outputs.map(({ name }) => name)];
  return used.filter((name) => !own.has(name));
}

// packages/onnx/src/print.ts
function printGraph(graph) {
  return lines(graph).join('\n');
}
function lines(graph) {
  const values2 = (list) =>
    list.map(({ name, dtype, shape }) => `${name}: ${dtype}[${shape}]`).join(', ');
  return [
    `graph ${graph.name}(${values2(graph.inputs)}) -> (${values2(graph.outputs)})`,
    ...[...graph.initializers].map(([name, tensor]) => `  ${name} = ${printTensor(tensor)}`),
    ...graph.nodes.flatMap((node) => {
      const plain = [...node.attributes].filter(([, { kind }]) => kind !== 'graph');
      const shown = plain.map(([name, attribute]) => `${name}=${printAttribute(attribute)}`);
      const bodies = [...node.attributes.values()].flatMap((attribute) =>
        attribute.kind === 'graph' ? lines(attribute.value).map((line) => `    ${line}`) : [],
      );
      const suffix = shown.length > 0 ? ` {${shown.join(', ')}}` : '';
      return [
        `  ${node.outputs.join(', ')} = ${node.op}(${node.inputs.join(', ')})${suffix}`,
        ...bodies,
      ];
    }),
  ];
}
function printTensor(tensor) {
  const head = `${tensor.dtype}[${tensor.shape}]`;
  return tensor.data.length <= 8 ? `${head} {${numbersOf(tensor).join(', ')}}` : head;
}
function printAttribute(attribute) {
  switch (attribute.kind) {
    case 'int':
    case 'float':
      return String(attribute.value);
    case 'string':
      return JSON.stringify(attribute.value);
    case 'ints':
    case 'floats':
    case 'strings':
      return `[${attribute.value.join(', ')}]`;
    case 'tensor':
      return printTensor(attribute.value);
    case 'graph':
      return attribute.value.name;
    default:
      return unreachable(attribute);
  }
}

// packages/onnx/src/read.ts
// packages/onnx/src/proto-tensor.ts
import { create, fromBinary } from '@bufbuild/protobuf';
import {
  AttributeProto_AttributeType,
  ModelProtoSchema,
  TensorProto_DataLocation,
  TensorProto_DataType,
  TensorProtoSchema,
} from 'onnx-buf';

var PROTO_TYPES = /* @__PURE__ */ new Map([
  ['float32', TensorProto_DataType.FLOAT],
  ['float64', TensorProto_DataType.DOUBLE],
  ['uint8', TensorProto_DataType.UINT8],
  ['int8', TensorProto_DataType.INT8],
  ['int32', TensorProto_DataType.INT32],
  ['int64', TensorProto_DataType.INT64],
  ['bool', TensorProto_DataType.BOOL],
]);
var DATA_TYPE_OF = new Map([...PROTO_TYPES].map(([dtype, proto]) => [Number(proto), dtype]));
var protoType = (dtype) => PROTO_TYPES.get(dtype);
function dataType(proto, where) {
  const found = DATA_TYPE_OF.get(proto);
  if (found !== void 0) return found;
  const name = TensorProto_DataType[proto] ?? `number ${proto}`;
  throw new ProtocolError('model-unsupported', `${where}: element type ${name} is not supported`);
}
function checkedShape(dims, where) {
  const shape = dims.map(Number);
  if (shape.length > MODEL_LIMITS.rankMax) {
    throw new ProtocolError('model-limit', `${where}: ${shape.length} dimensions`);
  }
  if (shape.some((dim) => !Number.isSafeInteger(dim) || dim < 0)) {
    throw new ProtocolError('model-corrupt', `${where}: shape [${shape}]`);
  }
  if (elementCount(shape) > MODEL_LIMITS.elementsMax) {
    throw new ProtocolError('model-limit', `${where}: shape [${shape}] has too many elements`);
  }
  return shape;
}
function readTensor(proto, where) {
  if (proto.dataLocation === TensorProto_DataLocation.EXTERNAL || proto.externalData.length > 0) {
    throw new ProtocolError('model-unsupported', `${where}: external data is refused`);
  }
  const dtype = dataType(proto.dataType, where);
  const shape = checkedShape(proto.dims, where);
  const count = elementCount(shape);
  const data = proto.rawData.length > 0 ? fromRaw(proto, dtype, count, where) : typed(proto, dtype);
  if (data.length !== count) {
    throw new ProtocolError(
      'model-corrupt',
      `${where}: ${data.length} elements for shape [${shape}]`,
    );
  }
  return { dtype, shape, data };
}
function fromRaw(proto, dtype, count, where) {
  const width = allocate(dtype, 0).BYTES_PER_ELEMENT;
  if (proto.rawData.length !== count * width) {
    throw new ProtocolError(
      'model-corrupt',
      `${where}: ${proto.rawData.length} bytes, expected ${count * width}`,
    );
  }
  const data = allocate(dtype, count);
  new Uint8Array(data.buffer).set(proto.rawData);
  return data;
}
function typed(proto, dtype) {
  switch (dtype) {
    case 'float32':
      return Float32Array.from(proto.floatData);
    case 'float64':
      return Float64Array.from(proto.doubleData);
    case 'int64':
      return BigInt64Array.from(proto.int64Data);
    case 'int32':
      return Int32Array.from(proto.int32Data);
    case 'int8':
      return Int8Array.from(proto.int32Data);
    default:
      return Uint8Array.from(proto.int32Data);
  }
}
function writeTensor(name, { dtype, shape, data }) {
  return create(TensorProtoSchema, {
    name,
    dataType: protoType(dtype),
    dims: shape.map(BigInt),
    rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  });
}

// packages/onnx/src/upgrade.ts
function attributesToInputs(names) {
  return (node, { constant }) => {
    const before2 = [];
    const inputs = [node.inputs[0] ?? ''];
    for (const name of names) {
      const value = attributeTensor(node.attributes.get(name));
      if (value === void 0) {
        inputs.push('');
        continue;
      }
      const made = constant(node, name, value);
      before2.push(made);
      inputs.push(made.outputs[0]);
    }
    while (inputs.at(-1) === '') inputs.pop();
    return [...before2, { ...node, inputs, attributes: without(node.attributes, names) }];
  };
}
function attributeTensor(attribute) {
  if (attribute?.kind === 'ints') return int64s(attribute.value);
  return attribute?.kind === 'float' ? scalar(attribute.value) : void 0;
}
function without(attributes, names) {
  return new Map([...attributes].filter(([name]) => !names.includes(name)));
}
var axesToAttribute = (node, { known }) => {
  const name = node.inputs[1] ?? '';
  if (name === '') return [{ ...node, inputs: node.inputs.slice(0, 1) }];
  const axes = known(name);
  if (axes === void 0) {
    throw new ProtocolError(
      'model-unsupported',
      `node "${node.name}" (${node.op}): axes are not constant`,
    );
  }
  const attributes = new Map(node.attributes).set('axes', ints(numbersOf(axes)));
  return [{ ...node, inputs: node.inputs.slice(0, 1), attributes }];
};
var softmaxOverTail = (node) => {
  const axis = numberAttribute(node, 'axis', 1);
  const attributes = /* @__PURE__ */ new Map([['axis', int(-1)]]);
  if (axis === -1) return [{ ...node, attributes }];
  const [flat, soft, shape] = ['flat', 'soft', 'shape'].map((slot) => `${node.name}/${slot}`);
  const part = (op, inputs, output, own = /* @__PURE__ */ new Map()) => ({
    name: `${node.name}/${op}`,
    op,
    inputs,
    outputs: [output],
    attributes: own,
  });
  return [
    part('Flatten', [node.inputs[0] ?? ''], flat, /* @__PURE__ */ new Map([['axis', int(axis)]])),
    { ...node, inputs: [flat], outputs: [soft], attributes },
    part('Shape', [node.inputs[0] ?? ''], shape),
    part('Reshape', [soft, shape], node.outputs[0] ?? ''),
  ];
};
var before = (opset) => (of) => of < opset;
var from = (opset) => (of) => of >= opset;
var axesInput = { applies: before(13), upgrade: attributesToInputs(['axes']) };
var axesAttribute = { applies: from(18), upgrade: axesToAttribute };
var UPGRADES = /* @__PURE__ */ new Map([
  ['Squeeze', axesInput],
  ['Unsqueeze', axesInput],
  ['ReduceSum', axesInput],
  ['ReduceMean', axesAttribute],
  ['ReduceMax', axesAttribute],
  ['ReduceMin', axesAttribute],
  ['ReduceProd', axesAttribute],
  ['Clip', { applies: before(11), upgrade: attributesToInputs(['min', 'max']) }],
  [
    'Slice',
    {
      applies: before(10),
      upgrade: (node, tools) => {
        const axes =
          intsAttribute(node, 'axes') ?? intsAttribute(node, 'starts')?.map((_, i) => i) ?? [];
        const attributes = new Map(node.attributes).set('axes', ints(axes));
        return attributesToInputs(['starts', 'ends', 'axes'])({ ...node, attributes }, tools);
      },
    },
  ],
  ['Softmax', { applies: before(13), upgrade: softmaxOverTail }],
  ['LogSoftmax', { applies: before(13), upgrade: softmaxOverTail }],
  // Ratio was an attribute without effect outside training; there was no training flag to read.
  [
    'Dropout',
    {
      applies: before(12),
      upgrade: (node) => [{ ...node, op: 'Identity', attributes: /* @__PURE__ */ new Map() }],
    },
  ],
]);
function upgradeNodes(nodes, initializers, opset) {
  const constants = new Map(initializers);
  const tools = {
    constant: (node, slot, value) => ({
      name: `${node.name}/${slot}`,
      op: 'Constant',
      inputs: [],
      outputs: [`${node.name}/${slot}`],
      attributes: /* @__PURE__ */ new Map([['value', { kind: 'tensor', value }]]),
    }),
    known: (name) => constants.get(name),
  };
  return nodes.flatMap((node) => {
    const value = node.attributes.get('value');
    if (node.op === 'Constant' && value?.kind === 'tensor') {
      constants.set(node.outputs[0] ?? '', value.value);
    }
    const rule = UPGRADES.get(node.op);
    return rule?.applies(opset) ? rule.upgrade(node, tools) : [node];
  });
}

// packages/onnx/src/read.ts
var OPSET_MIN = 9;
var OPSET_MAX = 21;
function readModel(bytes) {
  const proto = decodeModel(bytes);
  if (proto.graph === void 0) throw new ProtocolError('model-corrupt', 'model without a graph');
  if (proto.functions.length > 0) {
    throw new ProtocolError('model-unsupported', 'model-local functions are not supported');
  }
  const opset = opsetOf(proto);
  const graph = readGraph(proto.graph);
  const nodes = upgradeNodes(graph.nodes, graph.initializers, opset);
  return { graph: { ...graph, nodes } };
}
function decodeModel(bytes) {
  if (bytes.length > MODEL_LIMITS.bytesMax) {
    throw new ProtocolError('model-limit', `model of ${bytes.length} bytes`);
  }
  if (bytes.length === 0) throw new ProtocolError('model-corrupt', 'the model is empty');
  try {
    return fromBinary(ModelProtoSchema, bytes);
  } catch (error) {
    throw new ProtocolError('model-corrupt', `not an ONNX file: ${errorMessage(error)}`);
  }
}
function opsetOf(proto) {
  const own = proto.opsetImport.find(({ domain }) => domain === '' || domain === 'ai.onnx');
  if (own === void 0) throw new ProtocolError('model-corrupt', 'model names no operator set');
  const opset = Number(own.version);
  if (opset < OPSET_MIN || opset > OPSET_MAX) {
    throw new ProtocolError(
      'model-unsupported',
      `operator set ${opset}; export with ${OPSET_MIN} to ${OPSET_MAX}`,
    );
  }
  return opset;
}
function readGraph(proto) {
  limit(proto.node.length, MODEL_LIMITS.nodesMax, 'nodes');
  limit(proto.initializer.length, MODEL_LIMITS.valuesMax, 'initializers');
  limit(proto.input.length + proto.output.length, MODEL_LIMITS.valuesMax, 'inputs and outputs');
  if (proto.sparseInitializer.length > 0) {
    throw new ProtocolError('model-unsupported', 'sparse initializers are not supported');
  }
  const initializers = /* @__PURE__ */ new Map();
  for (const tensor of proto.initializer) {
    if (initializers.has(tensor.name)) {
      throw new ProtocolError('model-corrupt', `two initializers named "${tensor.name}"`);
    }
    initializers.set(tensor.name, readTensor(tensor, `initializer "${tensor.name}"`));
  }
  return {
    name: proto.name,
    nodes: proto.node.map(readNode),
    initializers,
    // Old files list initializers among the inputs as well.
    inputs: proto.input.filter(({ name }) => !initializers.has(name)).map(readValue),
    outputs: proto.output.map(readValue),
  };
}
function limit(count, max, what) {
  if (count > max) throw new ProtocolError('model-limit', `${count} ${what}, at most ${max}`);
}
function readValue({ name, type }) {
  const where = `value "${name}"`;
  if (type?.value.case !== 'tensorType') {
    throw new ProtocolError('model-unsupported', `${where} is not a tensor`);
  }
  const dims = type.value.value.shape?.dim ?? [];
  limit(dims.length, MODEL_LIMITS.rankMax, `dimensions of ${where}`);
  const shape = dims.map(({ value }, i) => {
    if (value.case === 'dimValue') return checkedShape([value.value], where)[0];
    return value.case === 'dimParam' && value.value !== '' ? value.value : `dim${i}`;
  });
  return { name, dtype: dataType(type.value.value.elemType, where), shape };
}
function readNode(proto, index) {
  const name = proto.name === '' ? `${proto.opType}_${index}` : proto.name;
  if (proto.domain !== '' && proto.domain !== 'ai.onnx') {
    throw new ProtocolError(
      'unsupported-operator',
      `node "${name}": operator ${proto.domain}.${proto.opType} is not a standard one`,
    );
  }
  limit(proto.input.length, MODEL_LIMITS.aritiesMax, `inputs of node "${name}"`);
  limit(proto.output.length, MODEL_LIMITS.aritiesMax, `outputs of node "${name}"`);
  limit(proto.attribute.length, MODEL_LIMITS.aritiesMax, `attributes of node "${name}"`);
  return {
    name,
    op: proto.opType,
    inputs: proto.input,
    outputs: proto.output,
    attributes: new Map(
      proto.attribute.map((attribute) => [attribute.name, readAttribute(attribute, name)]),
    ),
  };
}
function readAttribute(proto, node) {
  const where = `attribute "${proto.name}" of node "${node}"`;
  const decoder = new TextDecoder();
  switch (proto.type) {
    case AttributeProto_AttributeType.INT:
      return { kind: 'int', value: Number(proto.i) };
    case AttributeProto_AttributeType.FLOAT:
      return { kind: 'float', value: proto.f };
    case AttributeProto_AttributeType.STRING:
      return { kind: 'string', value: decoder.decode(proto.s) };
    case AttributeProto_AttributeType.INTS:
      return { kind: 'ints', value: proto.ints.map(Number) };
    case AttributeProto_AttributeType.FLOATS:
      return { kind: 'floats', value: proto.floats };
    case AttributeProto_AttributeType.STRINGS:
      return { kind: 'strings', value: proto.strings.map((bytes) => decoder.decode(bytes)) };
    case AttributeProto_AttributeType.TENSOR:
      if (proto.t === void 0) break;
      return { kind: 'tensor', value: readTensor(proto.t, where) };
    default:
      break;
  }
  throw new ProtocolError('model-unsupported', `${where}: kind ${proto.type} is not supported`);
}

// packages/onnx/src/replay.ts
function replayGraph(graph, { builder, bindings }) {
  const names = new Map(bindings);
  for (const [name, tensor] of graph.initializers) {
    if (!names.has(name)) names.set(name, builder.constant(tensor, name));
  }
  const resolve = (name, by) => {
    const found = name === '' ? '' : names.get(name);
    if (found !== void 0) return found;
    throw new ProtocolError('model-corrupt', `${by} uses "${name}", which nothing makes`);
  };
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((input) => resolve(input, `node "${node.name}" (${node.op})`));
    const outputs = replayNode(builder, node, inputs);
    for (const [i, output] of node.outputs.entries()) {
      const made = outputs[i];
      if (output === '' || made === void 0) continue;
      if (names.has(output)) {
        throw new ProtocolError('model-corrupt', `two nodes make the value "${output}"`);
      }
      names.set(output, made);
    }
  }
  return graph.outputs.map(({ name }) => resolve(name, 'the graph output'));
}
function replayNode(builder, node, inputs) {
  const { name, op, outputs, attributes } = node;
  if (op === 'Constant') return [builder.constant(constantValue(node))];
  if (op === 'Dropout') return [withoutDropout(builder, node, inputs)];
  return builder.addMany(op, inputs, attributes, { name, outputs });
}
function constantValue(node) {
  const value = node.attributes.get('value');
  if (value?.kind === 'tensor') return value.value;
  const plain =
    node.attributes.get('value_float') ??
    node.attributes.get('value_int') ??
    node.attributes.get('value_floats') ??
    node.attributes.get('value_ints');
  switch (plain?.kind) {
    case 'float':
      return { dtype: 'float32', shape: [], data: Float32Array.of(plain.value) };
    case 'int':
      return { dtype: 'int64', shape: [], data: BigInt64Array.of(BigInt(plain.value)) };
    case 'floats':
      return {
        dtype: 'float32',
        shape: [plain.value.length],
        data: Float32Array.from(plain.value),
      };
    case 'ints':
      return {
        dtype: 'int64',
        shape: [plain.value.length],
        data: BigInt64Array.from(plain.value, BigInt),
      };
    default:
      throw new ProtocolError('model-unsupported', `node "${node.name}": Constant without a value`);
  }
}
function withoutDropout(builder, node, inputs) {
  const constant = (index) => {
    const name = inputs[index] ?? '';
    return name === '' ? void 0 : builder.valueOf(name)?.data[0];
  };
  const training = (inputs[2] ?? '') === '' ? 0 : constant(2);
  const ratio = (inputs[1] ?? '') === '' ? 0.5 : constant(1);
  if (training === 0 || ratio === 0) return inputs[0] ?? '';
  throw new ProtocolError(
    'unsupported-operator',
    `node "${node.name}": Dropout in training mode; export the model in eval mode`,
  );
}

// packages/onnx/src/write.ts
import { create as create2, toBinary } from '@bufbuild/protobuf';
import {
  AttributeProto_AttributeType as AttributeProto_AttributeType2,
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema as ModelProtoSchema2,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  ValueInfoProtoSchema,
} from 'onnx-buf';

function writeModel(model) {
  return toBinary(
    ModelProtoSchema2,
    create2(ModelProtoSchema2, {
      irVersion: BigInt(IR_VERSION),
      producerName: 'starling',
      opsetImport: [create2(OperatorSetIdProtoSchema, { domain: '', version: BigInt(OPSET) })],
      graph: writeGraph(model.graph),
    }),
  );
}
function writeGraph(graph) {
  return create2(GraphProtoSchema, {
    name: graph.name,
    node: graph.nodes.map((node) =>
      create2(NodeProtoSchema, {
        name: node.name,
        opType: node.op,
        input: [...node.inputs],
        output: [...node.outputs],
        attribute: [...node.attributes].map(([name, value]) => writeAttribute(name, value)),
      }),
    ),
    initializer: [...graph.initializers].map(([name, tensor]) => writeTensor(name, tensor)),
    input: graph.inputs.map(writeValue),
    output: graph.outputs.map(writeValue),
  });
}
function writeValue({ name, dtype, shape }) {
  const dim = shape.map((size) =>
    create2(TensorShapeProto_DimensionSchema, {
      value:
        typeof size === 'number'
          ? { case: 'dimValue', value: BigInt(size) }
          : { case: 'dimParam', value: size },
    }),
  );
  const value = create2(TypeProto_TensorSchema, {
    elemType: protoType(dtype),
    shape: create2(TensorShapeProtoSchema, { dim }),
  });
  return create2(ValueInfoProtoSchema, {
    name,
    type: create2(TypeProtoSchema, { value: { case: 'tensorType', value } }),
  });
}
function writeAttribute(name, attribute) {
  const Type = AttributeProto_AttributeType2;
  const encoder = new TextEncoder();
  switch (attribute.kind) {
    case 'int':
      return create2(AttributeProtoSchema, { name, type: Type.INT, i: BigInt(attribute.value) });
    case 'float':
      return create2(AttributeProtoSchema, { name, type: Type.FLOAT, f: attribute.value });
    case 'string':
      return create2(AttributeProtoSchema, {
        name,
        type: Type.STRING,
        s: encoder.encode(attribute.value),
      });
    case 'ints':
      return create2(AttributeProtoSchema, {
        name,
        type: Type.INTS,
        ints: attribute.value.map(BigInt),
      });
    case 'floats':
      return create2(AttributeProtoSchema, {
        name,
        type: Type.FLOATS,
        floats: [...attribute.value],
      });
    case 'strings':
      return create2(AttributeProtoSchema, {
        name,
        type: Type.STRINGS,
        strings: attribute.value.map((entry) => encoder.encode(entry)),
      });
    case 'tensor':
      return create2(AttributeProtoSchema, {
        name,
        type: Type.TENSOR,
        t: writeTensor('', attribute.value),
      });
    case 'graph':
      return create2(AttributeProtoSchema, {
        name,
        type: Type.GRAPH,
        g: writeGraph(attribute.value),
      });
    default:
      return unreachable(attribute);
  }
}
function replaceInitializers(bytes, values2) {
  const proto = decodeModel(bytes);
  const tensors = proto.graph?.initializer ?? [];
  for (const [name, data] of values2) {
    const at = tensors.findIndex((tensor) => tensor.name === name);
    const shape = tensors[at]?.dims.map(Number);
    if (shape === void 0 || elementCount(shape) !== data.length) {
      throw new ProtocolError(
        'model-mismatch',
        `initializer "${name}": ${data.length} values for shape [${shape ?? 'none'}]`,
      );
    }
    tensors[at] = writeTensor(name, { dtype: 'float32', shape, data });
  }
  return toBinary(ModelProtoSchema2, proto);
}

export {
  broadcastShapes,
  DATA_TYPES,
  elementCount,
  equalShapes,
  float,
  GraphBuilder,
  IR_VERSION,
  int,
  int64s,
  ints,
  intsAttribute,
  KNOWN_OPERATORS,
  MODEL_LIMITS,
  numberAttribute,
  numbersOf,
  OPSET,
  printGraph,
  readModel,
  replaceInitializers,
  replayGraph,
  scalar,
  tensorOf,
  text,
  textAttribute,
  windowOf,
  writeModel,
};
//# sourceMappingURL=chunk-C6FHXPGE.js.map
